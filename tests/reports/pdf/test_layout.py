"""Pages as measured in the PDF: how many, how large the type is, how many bytes."""

import ctypes

import pypdfium2
import pytest
from support.report_examples import PAGE_BOTTOM, PAGE_TOP, build_example_document
from support.second_report_examples import SHEET_CASES, WORKED_CASES, build_case_document

from reports.pdf.render import render_pdf
from reports.phrases import list_languages

MAX_BYTES = 49_000
FULL_LETTERHEAD = {
    "letterhead": {"name": "Clinic for Pain Medicine", "address": ["12 Long Street"]}
}


def measure_type_sizes(pdf: bytes) -> set[float]:
    """Return the sizes of all characters between head and foot of the pages, in points."""
    sizes = set()
    for page in pypdfium2.PdfDocument(pdf):
        text, height = page.get_textpage(), page.get_height()
        for place in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(place)
            if PAGE_BOTTOM < bottom and top < height - PAGE_TOP and right > left:
                sizes.add(round(measure_character(text, place), 1))
    return sizes


def measure_character(text: pypdfium2.PdfTextPage, place: int) -> float:
    """Return the size of a character as it is drawn, its matrix included."""
    matrix = pypdfium2.raw.FS_MATRIX()
    assert pypdfium2.raw.FPDFText_GetMatrix(text.raw, place, ctypes.byref(matrix))
    return pypdfium2.raw.FPDFText_GetFontSize(text.raw, place) * abs(matrix.d)


@pytest.mark.parametrize("name", WORKED_CASES)
def test_a_report_has_at_most_three_pages_of_nine_points_or_more(name):
    pdf = render_pdf(build_case_document(name, **FULL_LETTERHEAD))
    pages = pypdfium2.PdfDocument(pdf)
    assert len(pages) <= 3
    sizes = measure_type_sizes(pdf)
    assert sizes >= {9.0, 16.0}
    assert min(sizes) >= 9
    assert len(pdf) <= MAX_BYTES


@pytest.mark.parametrize("language", list_languages())
def test_the_longest_worked_case_fits_its_bytes_in_every_language(language):
    pdf = render_pdf(build_case_document(WORKED_CASES[3], language=language, **FULL_LETTERHEAD))
    assert len(pdf) <= MAX_BYTES
    assert len(pypdfium2.PdfDocument(pdf)) <= 4


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", ["evidence beside a review", "plain by active inflammation"])
def test_the_longest_sheets_have_two_pages_of_ten_points_or_more(name, language):
    pdf = render_pdf(build_case_document(name, kind="patient", language=language))
    assert len(pypdfium2.PdfDocument(pdf)) <= 2
    sizes = measure_type_sizes(pdf)
    assert 10.0 in sizes
    assert min(sizes) >= 10


@pytest.mark.parametrize("name", SHEET_CASES)
def test_a_sheet_has_at_most_two_pages(name):
    pages = pypdfium2.PdfDocument(render_pdf(build_case_document(name, kind="patient")))
    assert len(pages) <= 2


def test_the_evidence_sheet_of_the_first_rulebook_has_two_pages():
    document = build_example_document("widespread_pain", "patient", answers={"rf_general": []})
    assert len(pypdfium2.PdfDocument(render_pdf(document))) == 2
