"""Pages as measured in the PDF: how many, how large the type is, how many bytes."""

import ctypes
from collections import defaultdict
from datetime import date

import pypdfium2
import pytest
from support.report_examples import PAGE_BOTTOM, PAGE_TOP, build_example_document
from support.second_report_examples import (
    SHEET_CASES,
    WORKED_CASES,
    build_case_document,
    build_case_view,
)

from reports.formats import build_document
from reports.pdf.render import render_pdf
from reports.phrases import list_languages
from schemas.form_settings import EmergencyNumber

MAX_BYTES = 49_000
BAND_LABEL_SIZE = 7.5
"""The labels of the bands on the scale; no other text is smaller than nine points."""
LONG_SHEETS = (
    *(WORKED_CASES[0], WORKED_CASES[2], WORKED_CASES[3], WORKED_CASES[5]),
    *("evidence beside a review", "plain by active inflammation"),
)
HEADING = {
    "patient_name": "Ada Example",
    "patient_reference": "MRN-0042",
    "birth_date": date(1982, 5, 1),
    "answered_on": date(2026, 11, 20),
    "answered_by": "patient",
    "clinician_reference": "Dr Kowalska",
    "letterhead": {"name": "Clinic for Pain Medicine", "address": ["12 Long Street", "Wien"]},
    "help_numbers": (
        EmergencyNumber(label="Ambulance", number="112"),
        EmergencyNumber(label="Crisis line", number="142", crisis=True),
    ),
}


def read_type_sizes(pdf: bytes) -> dict[float, str]:
    """Return the characters between head and foot of the pages by their sizes, in points."""
    characters: dict[float, str] = defaultdict(str)
    for page in pypdfium2.PdfDocument(pdf):
        text, height = page.get_textpage(), page.get_height()
        for place in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(place)
            if bottom > PAGE_BOTTOM and top < height - PAGE_TOP and right > left:
                size = round(measure_character(text, place), 1)
                characters[size] += text.get_text_range(place, 1).strip()
    return characters


def measure_character(text: pypdfium2.PdfTextPage, place: int) -> float:
    """Return the size of a character as it is drawn, its matrix included."""
    matrix = pypdfium2.raw.FS_MATRIX()
    assert pypdfium2.raw.FPDFText_GetMatrix(text.raw, place, ctypes.byref(matrix))
    return pypdfium2.raw.FPDFText_GetFontSize(text.raw, place) * abs(matrix.d)


@pytest.mark.parametrize("name", WORKED_CASES)
def test_a_report_has_at_most_three_pages_of_nine_points_or_more(name):
    view = build_case_view(name, **HEADING)
    pdf = render_pdf(build_document(view, "clinician"))
    sizes = read_type_sizes(pdf)
    band_labels = [segment.label for segment in view.scale.segments] if view.scale else []
    assert sizes.pop(BAND_LABEL_SIZE, "") == "".join(band_labels).replace(" ", "")
    assert min(sizes) == 9
    assert len(pypdfium2.PdfDocument(pdf)) <= 3
    assert len(pdf) <= MAX_BYTES


@pytest.mark.parametrize("language", list_languages())
def test_the_longest_worked_case_fits_its_bytes_in_every_language(language):
    pdf = render_pdf(build_case_document(WORKED_CASES[3], language=language, **HEADING))
    assert len(pdf) <= MAX_BYTES
    assert len(pypdfium2.PdfDocument(pdf)) <= 4


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", LONG_SHEETS)
def test_the_longest_sheets_have_two_pages_of_ten_points_or_more(name, language):
    pdf = render_pdf(build_case_document(name, kind="patient", language=language, **HEADING))
    assert len(pypdfium2.PdfDocument(pdf)) <= 2
    assert min(read_type_sizes(pdf)) == 10


@pytest.mark.parametrize("name", SHEET_CASES)
def test_a_sheet_has_at_most_two_pages(name):
    pages = pypdfium2.PdfDocument(render_pdf(build_case_document(name, kind="patient")))
    assert len(pages) <= 2


def test_the_evidence_sheet_of_the_first_rulebook_has_two_pages():
    document = build_example_document("widespread_pain", "patient", answers={"rf_general": []})
    assert len(pypdfium2.PdfDocument(render_pdf(document))) == 2
