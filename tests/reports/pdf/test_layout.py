"""Pages as measured in the PDF: how many, how large the type is, how many bytes."""

import ctypes

import pypdfium2
import pytest
from support.report_examples import build_example_document
from support.second_report_examples import SHEET_CASES, WORKED_CASES, build_case_document

from reports.pdf.render import render_pdf
from reports.phrases import list_languages

MILLIMETRE = 72 / 25.4
MARGINS = 12.5 * MILLIMETRE
MAX_BYTES = 49_000
FULL_LETTERHEAD = {
    "letterhead": {"name": "Clinic for Pain Medicine", "address": ["12 Long Street"]}
}


def measure_type_sizes(page: pypdfium2.PdfPage) -> set[float]:
    """Return the sizes of the characters in the body of a page, in points.

    The labels of drawings, which are forms, are left out.
    """
    forms = [
        item.get_pos()
        for item in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_FORM], max_depth=1)
    ]
    text, height = page.get_textpage(), page.get_height()
    sizes = set()
    for place in range(text.count_chars()):
        left, bottom, right, top = text.get_charbox(place)
        is_body = bottom > MARGINS and top < height - MARGINS and right > left
        in_drawing = any(
            x0 - 1 <= left and right <= x1 + 1 and y0 - 1 <= bottom and top <= y1 + 1
            for x0, y0, x1, y1 in forms
        )
        if is_body and not in_drawing:
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
    sizes = set().union(*(measure_type_sizes(page) for page in pages))
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
    pages = pypdfium2.PdfDocument(
        render_pdf(build_case_document(name, kind="patient", language=language))
    )
    assert len(pages) <= 2
    sizes = set().union(*(measure_type_sizes(page) for page in pages))
    assert 10.0 in sizes
    assert min(sizes) >= 10


@pytest.mark.parametrize("name", SHEET_CASES)
def test_a_sheet_has_at_most_two_pages(name):
    pages = pypdfium2.PdfDocument(render_pdf(build_case_document(name, kind="patient")))
    assert len(pages) <= 2


def test_the_evidence_sheet_of_the_first_rulebook_has_two_pages():
    document = build_example_document("widespread_pain", "patient", answers={"rf_general": []})
    assert len(pypdfium2.PdfDocument(render_pdf(document))) == 2
