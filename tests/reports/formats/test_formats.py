"""Every format tells the same: each text of the document, and every number of its pictures."""

import re
from collections import Counter
from datetime import date
from itertools import cycle
from xml.etree import ElementTree as ET

import pytest
from support.reports.document_readers import READERS
from support.reports.report_examples import (
    NAMES,
    build_example_document,
    build_example_view,
    build_heading,
    list_texts,
    remove_line_breaks,
)
from support.reports.second_report_examples import SHEET_CASES, WORKED_CASES, build_case_view

from reports import formats
from reports.blocks import Drawing, Section
from reports.formats import DocumentKind, build_document
from reports.pdf.render import render_pdf
from reports.phrases import list_languages
from reports.view.model import ReportView

HEADING = {
    "patient_name": "Ada <b>Example</b> & Söhne",
    "patient_reference": "MRN-0042",
    "birth_date": date(1982, 5, 1),
    "encounter": "V-77",
    "answered_on": date(2026, 11, 20),
    "answered_by": "patient",
    "note": "Line one.\nLine {two} \\par <i>three</i>.",
    "replaces": {"id": "scr-1", "on": date(2026, 10, 1)},
    "earlier": [
        {"on": date(2026, 1, 5), "points": 7, "band": "many", "rulebook": "nociplastic@1.0.0"}
    ],
}
CASES = [(name, kind) for name in NAMES for kind in ("clinician", "patient")]
SHEETS = {build_case_view(name).sheet.kind: name for name in SHEET_CASES}
SECOND_CASES = [
    (*document, language)
    for document, language in zip(
        [
            *((name, "clinician") for name in WORKED_CASES),
            *((name, "patient") for name in SHEETS.values()),
        ],
        cycle(list_languages()),
        strict=False,
    )
]
"""Every worked case and a sheet of every kind, the languages in turn."""
EXPECTED_DRAWINGS = {
    ("widespread_pain", "clinician"): (4, True),
    ("widespread_pain", "patient"): (0, False),
    ("red_flag", "clinician"): (1, False),
    ("red_flag", "patient"): (0, False),
    ("too_little_known", "clinician"): (4, True),
    ("too_little_known", "patient"): (0, False),
    ("phq4", "clinician"): (2, True),
    ("phq4", "patient"): (0, False),
}
"""How many pictures each document has, and whether their words name numbers."""


def list_drawings(blocks) -> list[Drawing]:
    drawings = []
    for block in blocks:
        drawings += [block] if isinstance(block, Drawing) else []
        drawings += list_drawings(block.blocks) if isinstance(block, Section) else []
    return drawings


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_text_of_the_document_is_in_every_format(name, kind, form, language):
    view = build_example_view(name, language=language, **HEADING)
    assert_every_text_is_in(form, view, kind)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(("name", "kind", "language"), SECOND_CASES)
def test_every_text_of_the_second_rulebook_is_in_every_format(name, kind, language, form):
    assert_every_text_is_in(form, build_case_view(name, language, **HEADING), kind)


def test_a_sheet_of_every_kind_is_read():
    kinds = {
        build_case_view(name).sheet.kind for name, kind, _ in SECOND_CASES if kind == "patient"
    }
    assert len(kinds) == 7


def assert_every_text_is_in(form: str, view: ReportView, kind: DocumentKind) -> None:
    document = build_document(view, kind)
    report = formats.render_format(view, build_heading(**HEADING), kind, form, render_pdf)
    words = remove_line_breaks(READERS[form](report.content)).lower()
    alt_texts = {picture.alt_text for picture in list_drawings(document.blocks)}
    for text in (
        document.title,
        document.lead,
        document.patient_line,
        *list_texts(document.blocks),
    ):
        if text not in alt_texts or form in ("rtf", "txt"):
            assert remove_line_breaks(text).lower() in words


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_number_and_name_in_the_words_of_a_picture_can_be_seen_in_it(name, kind, language):
    drawings = list_drawings(
        build_example_document(name, kind, language=language, **HEADING).blocks
    )
    numbers = {
        number for picture in drawings for number in re.findall(r"[\d.,]*\d", picture.alt_text)
    }
    assert (len(drawings), bool(numbers)) == EXPECTED_DRAWINGS[name, kind]
    view = build_example_view(name, language=language, **HEADING)
    for form in ("pdf", "html"):
        report = formats.render_format(view, build_heading(**HEADING), kind, form, render_pdf)
        words = remove_line_breaks(READERS[form](report.content)).lower()
        assert [number for number in sorted(numbers) if number not in words] == []


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_clinical_document_is_well_formed_and_holds_the_pdf(name, kind):
    report = formats.render_format(
        build_example_view(name, **HEADING), build_heading(**HEADING), kind, "xml", lambda _: b"%"
    )
    root = ET.fromstring(report.content)  # noqa: S314 - our own
    namespace = {"cda": "urn:hl7-org:v3"}
    assert root.find(".//cda:nonXMLBody/cda:text", namespace).text == "JQ=="
    assert (
        root.find(".//cda:patient/cda:name/cda:family", namespace).text == HEADING["patient_name"]
    )
    assert root.find(".//cda:parentDocument/cda:id", namespace).get("extension") == "scr-1"


@pytest.mark.parametrize("form", ["pdf", "html", "rtf", "txt", "note", "xml"])
def test_equal_views_give_equal_bytes_in_every_format(form):
    view, above = build_example_view("phq4", **HEADING), build_heading(**HEADING)
    first, second = (
        formats.render_format(view, above, "clinician", form, render_pdf) for _ in range(2)
    )
    assert first == second
    assert first.suffix == formats.SUFFIXES[form]
    assert first.media_type == formats.MEDIA_TYPES[form]


@pytest.mark.parametrize(
    "language", [language for language in list_languages() if language != "en"]
)
@pytest.mark.parametrize("name", NAMES)
def test_a_translated_report_has_the_numbers_of_the_english_one(name, language):
    """Points, ranges, sources and figures, but for dates and what a language counts in words."""

    def numbers(report_language: str) -> Counter[str]:
        text = formats.render_format(
            build_example_view(name, language=report_language),
            build_heading(),
            "clinician",
            "txt",
            render_pdf,
        )
        plain = re.sub(r"(?<=\d),(?=\d)", ".", text.content.decode())
        plain = re.sub(r"[\s\u00a0]+", " ", plain)
        return Counter(re.findall(r"[+\N{MINUS SIGN}]\d+(?:\.\d+)?", plain))

    assert numbers(language) == numbers("en")


def test_an_amended_report_names_the_one_it_replaces_and_the_other_way():
    other = {"id": "scr-2", "on": date(2026, 11, 22)}
    texts = list_texts(build_example_document("phq4", replaces=other).blocks)
    assert "Amended: this report replaces screening scr-2 of 22 November 2026." in texts
    texts = list_texts(build_example_document("phq4", replaced_by=other).blocks)
    assert "No longer current: replaced by screening scr-2 of 22 November 2026." in texts


def test_a_report_entered_in_error_is_stamped_on_every_page():
    document = build_example_document("widespread_pain", entered_in_error="wrong patient")
    assert document.warning == "ENTERED IN ERROR"
    assert any("Reason given: wrong patient" in text for text in list_texts(document.blocks))
    note = formats.render_format(
        build_example_view("phq4", entered_in_error="wrong"),
        build_heading(),
        "clinician",
        "note",
        render_pdf,
    )
    assert note.content.decode().startswith("ENTERED IN ERROR")
