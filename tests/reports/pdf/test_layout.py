"""Pages as measured in the PDF: how many, how large the type is, how many bytes."""

import ctypes
from collections import defaultdict
from datetime import date
from itertools import combinations, cycle

import pypdfium2
import pytest
from support.reports.report_examples import (
    PAGE_BOTTOM,
    PAGE_TOP,
    build_example_document,
    render_once,
)
from support.reports.second_report_examples import SHEET_CASES, WORKED_CASES, build_case_document

from reports.phrases import list_languages, load_phrases
from reports.svg import LABEL_SIZE, WIDTH, measure_text, place_labels
from reports.view.charts import build_scale
from schemas.organisations.form_settings import EmergencyNumber
from scoring.catalogue import load_catalogue
from scoring.engine import assess
from scoring.translations import translate_rulebook

MAX_BYTES = 49_000
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


def read_type_sizes(pdf: bytes, *, margins: bool = False) -> dict[float, str]:
    """Return the characters of the pages by their sizes in points; head and foot if asked."""
    characters: dict[float, str] = defaultdict(str)
    for page in pypdfium2.PdfDocument(pdf):
        text, height = page.get_textpage(), page.get_height()
        for place in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(place)
            is_body = bottom > PAGE_BOTTOM and top < height - PAGE_TOP
            if (margins or is_body) and right > left:
                size = round(measure_character(text, place), 1)
                characters[size] += text.get_text_range(place, 1).strip()
    return characters


def measure_character(text: pypdfium2.PdfTextPage, place: int) -> float:
    """Return the size of a character as it is drawn, its matrix included."""
    matrix = pypdfium2.raw.FS_MATRIX()
    assert pypdfium2.raw.FPDFText_GetMatrix(text.raw, place, ctypes.byref(matrix))
    return pypdfium2.raw.FPDFText_GetFontSize(text.raw, place) * abs(matrix.d)


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", WORKED_CASES)
def test_a_report_has_at_most_three_pages(name, language):
    pdf = render_once(build_case_document(name, language=language, **HEADING))
    assert len(pypdfium2.PdfDocument(pdf)) <= 3
    assert len(pdf) <= MAX_BYTES


@pytest.mark.parametrize(
    ("name", "language"), list(zip(WORKED_CASES, cycle(list_languages()), strict=False))
)
def test_a_report_has_type_of_nine_points_or_more_in_head_and_foot_too(name, language):
    pdf = render_once(build_case_document(name, language=language, **HEADING))
    assert min(read_type_sizes(pdf, margins=True)) == 9


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("rulebook", ["nociplastic@1.0.0", "nociplastic@2.0.0", "phq4@1.0.0"])
def test_no_label_of_the_scale_runs_into_another_or_its_line(rulebook, language):
    loaded = load_catalogue().find_version(rulebook)
    scale = build_scale(
        translate_rulebook(loaded, language), assess(loaded, {}), load_phrases(language)
    )
    boxes = [
        (label, measure_text(label.text, LABEL_SIZE, strong=True) / 2)
        for label in place_labels(scale.segments)
    ]
    assert len(boxes) >= 4
    assert [label.text for label, half in boxes if label.x < half or label.x + half > WIDTH] == []
    pairs = list(combinations(boxes, 2))
    in_a_row = [pair for pair in pairs if pair[0][0].row == pair[1][0].row]
    across = [pair for pair in pairs if pair[0][0].row < pair[1][0].row]
    assert [
        (label.text, other.text)
        for (label, half), (other, other_half) in in_a_row
        if abs(label.x - other.x) < half + other_half
    ] == []
    assert [
        (upper.text, lower.text)
        for (upper, half), (lower, _) in across
        if abs(upper.x - lower.leader) < half
    ] == []


@pytest.mark.parametrize("language", list_languages())
def test_the_line_of_every_label_ends_at_its_own_segment(language):
    loaded = load_catalogue().find_version("nociplastic@2.0.0")
    segments = build_scale(
        translate_rulebook(loaded, language), assess(loaded, {}), load_phrases(language)
    ).segments
    leaders = {label.text: label.leader * 100 / WIDTH for label in place_labels(segments)}
    assert len(leaders) == 5
    assert [
        segment.label
        for segment in segments
        if not segment.position <= leaders[segment.label] <= segment.position + segment.width
    ] == []


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", LONG_SHEETS)
def test_the_longest_sheets_have_two_pages_of_ten_points_or_more(name, language):
    pdf = render_once(build_case_document(name, kind="patient", language=language, **HEADING))
    assert len(pypdfium2.PdfDocument(pdf)) <= 2
    assert min(read_type_sizes(pdf)) == 10


@pytest.mark.parametrize("name", SHEET_CASES)
def test_a_sheet_has_at_most_two_pages(name):
    pages = pypdfium2.PdfDocument(render_once(build_case_document(name, kind="patient")))
    assert len(pages) <= 2


def test_the_evidence_sheet_of_the_first_rulebook_has_two_pages():
    document = build_example_document("widespread_pain", "patient", answers={"rf_general": []})
    assert len(pypdfium2.PdfDocument(render_once(document))) == 2
