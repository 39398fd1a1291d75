"""The patient's sheet: words that can be read, nothing that harms, never a promise."""

import re

import pytest
from support.reports.reading_ease import CASES, GRADE, measure_english_grade, sentences
from support.reports.report_examples import (
    build_example_document,
    build_example_view,
    iterate_blocks,
    list_texts,
)

from reports.blocks import Document
from reports.phrases import list_languages, load_phrases
from scoring.catalogue import load_catalogue
from scoring.translations import translate_rulebook

FORBIDDEN = re.compile(
    r"\b(points?|scores?|decibans?|cured?|guarantee\w*|predominance)\b", re.IGNORECASE
)
ALLOWED_WORDS = re.compile("point more|point clearly|No one can promise a cure")


WITHOUT_FLAGS = {"rf_general": []}


def build_evidence_sheet(**fields) -> Document:
    return build_example_document("widespread_pain", "patient", answers=WITHOUT_FLAGS, **fields)


@pytest.mark.parametrize("name", CASES)
def test_its_reading_grade_is_at_most_eight(name):
    assert measure_english_grade(sentences(build_example_document(name, "patient").blocks)) <= GRADE


def test_the_reading_grade_of_an_evidence_sheet_is_at_most_eight():
    assert measure_english_grade(sentences(build_evidence_sheet().blocks)) <= GRADE


def test_the_measure_tells_easy_from_hard():
    assert measure_english_grade(["The cat sat on the mat.", "It was warm."]) < 2
    hard = "Predominance constitutes a probabilistic consideration of contributory mechanisms."
    assert measure_english_grade([hard]) > 16


@pytest.mark.parametrize("name", CASES)
def test_it_tells_no_points_and_promises_no_cure(name):
    texts = list_texts(build_example_document(name, "patient").blocks)
    assert texts
    assert [text for text in texts if FORBIDDEN.search(ALLOWED_WORDS.sub("", text))] == []


WEIGHING = {
    "en": r"\b(points? (?!more|clearly)|scores?|decibans?|weights?|predominance)\b",
    "de": r"\b(punkte?n?|score|deziban\w*|gewichtung|vorherrschen)\b",
    "es": r"\b(puntos?|puntuaci\w+|decibanes?|ponderaci\w+|predominio)\b",
}


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", CASES)
def test_it_has_no_points_no_weights_and_no_band_in_any_language(name, language):
    view = build_example_view(name, language=language)
    rulebook = translate_rulebook(load_catalogue().find_active(view.rulebook), language)
    bands = [band.label.lower() for band in rulebook.band if " " in band.label]  # not a plain word
    texts = list_texts(build_example_document(name, "patient", language=language).blocks)
    assert texts
    assert [text for text in texts if re.search(WEIGHING[language], text, re.IGNORECASE)] == []
    assert [text for text in texts if re.search(r"[+\N{MINUS SIGN}]\d", text)] == []
    assert [band for band in bands if band in " / ".join(texts).lower()] == []


@pytest.mark.parametrize("language", list_languages())
def test_the_words_looked_for_are_those_of_the_clinicians_report(language):
    texts = list_texts(build_example_document("widespread_pain", language=language).blocks)
    assert [text for text in texts if re.search(WEIGHING[language], text, re.IGNORECASE)]


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize(
    ("name", "answers"),
    [("widespread_pain", WITHOUT_FLAGS), ("too_little_known", {}), ("phq4", {})],
)
def test_it_never_says_to_stop_a_treatment_and_says_not_to(name, answers, language):
    document = build_example_document(name, "patient", answers=answers, language=language)
    texts = list_texts(document.blocks)
    assert load_phrases(language).words["sheet_keep"] in texts
    assert load_phrases(language).words["sheet_help"] in texts
    assert load_phrases(language).words["sheet_real_1"] in texts


def test_all_patterns_but_the_tenth_are_on_it_once_with_room_for_own_examples():
    document = build_evidence_sheet()
    (table,) = [block for block in iterate_blocks(document.blocks) if block.kind == "table"]
    words = load_phrases().words
    numbers = [number for number in range(1, 14) if number != 10]
    assert [row.cells[0] for row in table.rows] == [
        words[f"pattern_nociplastic_{number}"] for number in numbers
    ]
    assert [row.cells[-1] for row in table.rows] == [""] * 12
    texts = list_texts(document.blocks)
    assert [texts.count(row.cells[0]) for row in table.rows] == [1] * 12


@pytest.mark.parametrize("language", list_languages())
def test_patterns_are_called_as_a_person_would_say_them_of_their_own_pain(language):
    view = build_example_view("widespread_pain", language=language)
    sheet = list_texts(build_evidence_sheet(language=language).blocks)
    report = " / ".join(
        list_texts(build_example_document("widespread_pain", language=language).blocks)
    )
    assert len(view.patterns) == 13
    assert [row.number for row in view.patterns if row.patient_label is None] == [10]
    own_labels = [row.patient_label for row in view.patterns if row.number != 10]
    assert [label for label in own_labels if label not in sheet] == []
    labels = [row.label for row in view.patterns if row.label != row.patient_label]
    assert [label for label in labels if label in sheet] == []
    assert [row.label for row in view.patterns if row.label not in report] == []


@pytest.mark.parametrize(
    ("language", "unkind"),
    [
        ("en", ("Inconsistent", "Personality", "No clear physical", "adversity")),
        ("de", ("Wechselhaft", "Persönlichkeit", "Keine klare körperliche", "Belastungen in der")),
        ("es", ("Inconstante", "personalidad", "Sin diagnóstico físico", "Adversidad")),
    ],
)
def test_nobody_reads_of_themselves_what_sounds_like_not_being_believed(language, unkind):
    texts = list_texts(build_evidence_sheet(language=language).blocks)
    assert texts
    assert [phrase for phrase in unkind if phrase.lower() in " / ".join(texts).lower()] == []


def test_every_resource_has_a_word_on_its_evidence():
    texts = " ".join(list_texts(build_evidence_sheet().blocks))
    for resource in ("The Way Out", "Explain Pain", "Unlearn Your Pain", "Curable", "SIRPA"):
        assert resource in texts
    for word in ("not been tested", "no trial", "little independent research", "one trial of 151"):
        assert word in texts


def test_the_clinicians_note_is_not_on_it():
    texts = list_texts(
        build_example_document("widespread_pain", "patient", note="Zaphod-4711").blocks
    )
    assert not any("Zaphod" in text for text in texts)
