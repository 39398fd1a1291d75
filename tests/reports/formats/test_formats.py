"""Every format tells the same: each text of the document, and every number of its pictures."""

import re
from collections import Counter
from datetime import date
from xml.etree import ElementTree as ET

import pytest
from support.document_readers import READERS
from support.report_examples import NAMES, heading, made, squeezed, told, viewed

from reports import formats
from reports.blocks import Picture, Section
from reports.pdf.render import render
from reports.phrases import languages

GIVEN = {
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


def pictures(blocks) -> list[Picture]:
    found = []
    for each in blocks:
        found += [each] if isinstance(each, Picture) else []
        found += pictures(each.blocks) if isinstance(each, Section) else []
    return found


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_text_of_the_document_is_in_every_format(name, kind, form, language):
    document = made(name, kind, language=language, **GIVEN)
    view = viewed(name, language=language, **GIVEN)
    written = formats.written(view, heading(**GIVEN), kind, form, render)
    words = squeezed(READERS[form](written.content)).lower()
    drawn = {each.words for each in pictures(document.blocks)}
    for text in (document.title, document.lead, document.who, *told(document.blocks)):
        if text not in drawn or form in ("rtf", "txt"):
            assert squeezed(text).lower() in words


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_number_and_name_in_the_words_of_a_picture_can_be_seen_in_it(name, kind, language):
    document = made(name, kind, language=language, **GIVEN)
    view = viewed(name, language=language, **GIVEN)
    for form in ("pdf", "html"):
        written = formats.written(view, heading(**GIVEN), kind, form, render)
        words = squeezed(READERS[form](written.content)).lower()
        for picture in pictures(document.blocks):
            for number in re.findall(r"[\d.,]*\d", picture.words):
                assert number in words


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_clinical_document_is_well_formed_and_holds_the_pdf(name, kind):
    written = formats.written(viewed(name, **GIVEN), heading(**GIVEN), kind, "xml", lambda _: b"%")
    root = ET.fromstring(written.content)  # noqa: S314 - our own
    namespace = {"cda": "urn:hl7-org:v3"}
    assert root.find(".//cda:nonXMLBody/cda:text", namespace).text == "JQ=="
    assert root.find(".//cda:patient/cda:name/cda:family", namespace).text == GIVEN["patient_name"]
    assert root.find(".//cda:parentDocument/cda:id", namespace).get("extension") == "scr-1"


@pytest.mark.parametrize("form", ["pdf", "html", "rtf", "txt", "note", "xml"])
def test_equal_views_give_equal_bytes_in_every_format(form):
    view, above = viewed("phq4", **GIVEN), heading(**GIVEN)
    first, second = (formats.written(view, above, "clinician", form, render) for _ in range(2))
    assert first == second
    assert first.suffix == formats.SUFFIXES[form]
    assert first.media_type == formats.MEDIA_TYPES[form]


@pytest.mark.parametrize("language", [each for each in languages() if each != "en"])
@pytest.mark.parametrize("name", NAMES)
def test_a_translated_report_has_the_numbers_of_the_english_one(name, language):
    """Points, ranges, sources and figures, but for dates and what a language counts in words."""

    def numbers(told: str) -> Counter[str]:
        text = formats.written(viewed(name, language=told), heading(), "clinician", "txt", render)
        plain = re.sub(r"(?<=\d),(?=\d)", ".", text.content.decode())
        plain = re.sub(r"[\s\u00a0]+", " ", plain)
        return Counter(re.findall(r"[+\N{MINUS SIGN}]\d+(?:\.\d+)?", plain))

    assert numbers(language) == numbers("en")


def test_an_amended_report_names_the_one_it_replaces_and_the_other_way():
    other = {"id": "scr-2", "on": date(2026, 11, 22)}
    texts = told(made("phq4", replaces=other).blocks)
    assert "Amended: this report replaces screening scr-2 of 22 November 2026." in texts
    texts = told(made("phq4", replaced_by=other).blocks)
    assert "No longer current: replaced by screening scr-2 of 22 November 2026." in texts


def test_a_report_entered_in_error_is_stamped_on_every_page():
    document = made("widespread_pain", entered_in_error="wrong patient")
    assert document.mark == "ENTERED IN ERROR"
    assert any("Reason given: wrong patient" in each for each in told(document.blocks))
    note = formats.written(
        viewed("phq4", entered_in_error="wrong"), heading(), "clinician", "note", render
    )
    assert note.content.decode().startswith("ENTERED IN ERROR")
