"""The patient's sheet: words that can be read, nothing that harms, never a promise."""

import re

import pytest
from support.reading_ease import CASES, GRADE, sentences
from support.report_examples import build_example_document, build_example_view, list_texts

from reports.blocks import Section
from reports.phrases import list_languages
from scoring.catalogue import load_catalogue
from scoring.translations import translate_rulebook

FORBIDDEN = re.compile(
    r"\b(points?|scores?|decibans?|cured?|guarantee\w*|predominance)\b", re.IGNORECASE
)
ALLOWED_WORDS = re.compile("point more|point clearly|No one can promise a cure")


def syllables(word: str) -> int:
    """An estimate by groups of vowels, as readability programs make it."""
    word = re.sub(r"[^a-z]", "", word.lower())
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    silent = silent or (re.search(r"[^td]ed$", word) is not None and groups > 1)
    return max(groups - silent, 1)


def reading_grade(texts: list[str]) -> float:
    """Flesch and Kincaid's grade."""
    words = [word for text in texts for word in re.findall(r"[A-Za-z][A-Za-z'-]*", text)]
    syllable_count = sum(syllables(word) for word in words)
    return 0.39 * len(words) / len(texts) + 11.8 * syllable_count / len(words) - 15.59


@pytest.mark.parametrize("name", CASES)
def test_its_reading_grade_is_at_most_eight(name):
    assert reading_grade(sentences(build_example_document(name, "patient").blocks)) <= GRADE


def test_the_measure_tells_easy_from_hard():
    assert reading_grade(["The cat sat on the mat.", "It was warm."]) < 2
    hard = "Predominance constitutes a probabilistic consideration of contributory mechanisms."
    assert reading_grade([hard]) > 16


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
@pytest.mark.parametrize("name", CASES)
def test_it_never_says_to_stop_a_treatment_and_says_not_to(name, language):
    from reports.phrases import load_phrases

    texts = list_texts(build_example_document(name, "patient", language=language).blocks)
    assert load_phrases(language).words["sheet_keep"] in texts
    assert load_phrases(language).words["sheet_help"] in texts
    assert load_phrases(language).words["sheet_real_1"] in texts


def test_all_thirteen_patterns_are_on_it_with_room_for_own_examples():
    document = build_example_document("widespread_pain", "patient")
    (table,) = [
        block
        for section in document.blocks
        if isinstance(section, Section)
        for block in section.blocks
        if block.kind == "table"
    ]
    assert [row.cells[0].split()[0] for row in table.rows] == [str(n) for n in range(1, 14)]
    assert all(row.cells[-1] == "" for row in table.rows)


@pytest.mark.parametrize("language", list_languages())
def test_patterns_are_called_as_a_person_would_say_them_of_their_own_pain(language):
    from reports.phrases import load_phrases

    view = build_example_view("widespread_pain", language=language)
    sheet = " / ".join(
        list_texts(build_example_document("widespread_pain", "patient", language=language).blocks)
    )
    report = " / ".join(
        list_texts(build_example_document("widespread_pain", language=language).blocks)
    )
    assert len(view.patterns) == 13
    for pattern in view.patterns:
        own = load_phrases(language).words[f"pattern_nociplastic_{pattern.number}"]
        assert f"{pattern.number} {own}" in sheet
        assert (f"{pattern.number} {pattern.label}" in sheet) == (own == pattern.label)
        assert pattern.label in report


@pytest.mark.parametrize(
    ("language", "unkind"),
    [
        ("en", ("Inconsistent", "Personality", "No clear physical", "adversity")),
        ("de", ("Wechselhaft", "Persönlichkeit", "Keine klare körperliche", "Belastungen in der")),
        ("es", ("Inconstante", "personalidad", "Sin diagnóstico físico", "Adversidad")),
    ],
)
def test_nobody_reads_of_themselves_what_sounds_like_not_being_believed(language, unkind):
    texts = list_texts(
        build_example_document("widespread_pain", "patient", language=language).blocks
    )
    assert texts
    assert [phrase for phrase in unkind if phrase.lower() in " / ".join(texts).lower()] == []


def test_every_resource_has_a_word_on_its_evidence():
    texts = " ".join(list_texts(build_example_document("widespread_pain", "patient").blocks))
    for resource in ("The Way Out", "Explain Pain", "Unlearn Your Pain", "Curable", "SIRPA"):
        assert resource in texts
    for word in ("not tested", "no trial", "little independent research", "one trial of 151"):
        assert word in texts


def test_the_clinicians_note_is_not_on_it():
    texts = list_texts(
        build_example_document("widespread_pain", "patient", note="Zaphod-4711").blocks
    )
    assert not any("Zaphod" in text for text in texts)


def test_what_was_withheld_is_not_called_unnoticed():
    texts = list_texts(build_example_document("red_flag", "patient").blocks)
    assert "What was noticed" not in texts
    assert "One of your answers needs to be looked at first." in " ".join(texts)
