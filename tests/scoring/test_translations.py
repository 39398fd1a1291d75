"""Translations: the words of each language, and assessments put into other words, not numbers."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from support.reports.report_examples import NAMES, AssessedExample, assess_example
from support.scoring.vignettes import LOADED, load_vignettes

from reports.phrases import list_languages
from schemas.assessments.assessment import Assessment
from schemas.rulebooks.translation import list_texts
from scoring.catalogue import RULEBOOKS_FOLDER, RulebookError, load_catalogue
from scoring.engine import assess
from scoring.translations import (
    TranslationMismatchError,
    translate_assessment,
    translate_rulebook,
)

FORMS = Path(__file__).parents[2] / "api" / "web" / "locales"
WRONG_WORDS = {
    "de": r"nociplast|nocizeptiv|neuer Stuhlgang|nasser Nachtschweiß|Widriges|Suchtest",
    "es": r"escrupulos|delirio|retardad|inconstante|señal(es)? de alarma|haga que lo|practicante",
}
FOR_MEN_ONLY = (
    r"\b(cansado|deprimido|ansioso|(?<!sistema )nervioso|rígido|absorto|seguro en casa|de niño)"
    r"\b(?!/a)"
)


def list_translated_texts(language: str) -> list[str]:
    """Return the texts of all translations and page texts, without their keys."""
    files = [
        *RULEBOOKS_FOLDER.glob(f"*/translations/*.{language}.toml"),
        *FORMS.rglob(f"{language}.toml"),
    ]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [line.partition(" = ")[2] for line in lines if not line.startswith("rulebook")]


@pytest.mark.parametrize("language", WRONG_WORDS)
def test_one_thing_has_one_word_and_no_false_friend(language):
    texts = list_translated_texts(language)
    assert texts
    assert [text for text in texts if re.search(WRONG_WORDS[language], text, re.IGNORECASE)] == []


def test_spanish_asks_women_and_men():
    texts = list_translated_texts("es")
    questions = [text for text in texts if text.startswith(('"¿', '"Sentirse', '"no me'))]
    assert len(questions) > 50
    assert [text for text in questions if re.search(FOR_MEN_ONLY, text)] == []


def test_spanish_parts_of_a_limb_are_not_read_as_the_whole_limb():
    spanish = translate_rulebook(load_catalogue().find_version("nociplastic@1.0.0"), "es")
    (sites,) = [question.options for question in spanish.question if question.id == "pain_sites"]
    labels = {site.id: site.label for site in sites}
    for side in ("left", "right"):
        assert labels[f"upper_arm_{side}"].startswith("parte superior del brazo")
        assert labels[f"lower_leg_{side}"].startswith("parte inferior de la pierna o pie")


OTHER_LANGUAGES = [language for language in list_languages() if language != "en"]
CASES: list[AssessedExample] = [
    *(assess_example(name) for name in NAMES),
    *(
        AssessedExample(LOADED, vignette.answers, assess(LOADED, vignette.answers))
        for vignette in load_vignettes()
    ),
]


def list_totals(assessment: Assessment) -> list[tuple]:
    totals = (assessment.totals or {}).items()
    return [(name, total.points, total.range, total.band) for name, total in totals]


def find_numbers(text: str) -> list[str]:
    return [number.replace(",", ".") for number in re.findall(r"\d+(?:[.,]\d+)?", text)]


def test_english_is_the_assessment_itself():
    assert len(CASES) > 50
    for loaded, answers, assessment in CASES:
        assert translate_assessment(loaded, "en", answers, assessment) is assessment


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_every_number_stays_in_another_language(language):
    sentences = 0
    for loaded, answers, assessment in CASES:
        translated = translate_assessment(loaded, language, answers, assessment)
        assert list_totals(translated) == list_totals(assessment)
        assert translated.missing == assessment.missing
        assert translated.what_if == assessment.what_if
        assert (translated.rulebook, translated.rulebook_sha256) == (
            assessment.rulebook,
            assessment.rulebook_sha256,
        )
        for before, after in zip(assessment.criteria or (), translated.criteria or (), strict=True):
            assert (before.id, before.points, before.level) == (after.id, after.points, after.level)
            assert sorted(find_numbers(before.because)) == sorted(find_numbers(after.because))
            sentences += 1
    assert sentences > 500


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_no_sentence_stays_in_english(language):
    sentences = 0
    for loaded, answers, assessment in CASES:
        translated = translate_assessment(loaded, language, answers, assessment)
        for before, after in zip(assessment.criteria or (), translated.criteria or (), strict=True):
            assert before.because != after.because
            sentences += 1
        assert not set(assessment.limitations) & set(translated.limitations)
    assert sentences > 500


def test_german_writes_a_decimal_comma_and_keeps_the_capitals_of_nouns():
    loaded, answers, assessment = assess_example("too_little_known")
    german = translate_assessment(loaded, "de", answers, assessment)
    unanswered = [item.because for item in german.criteria if item.verdict == "unanswered"]
    assert unanswered
    labels = {question.label for question in translate_rulebook(loaded, "de").question}
    assert all(any(f"({label}" in sentence for label in labels) for sentence in unanswered)
    halves = re.compile(r"\d,5\b")
    sentences = [
        item.because
        for case in CASES
        for item in translate_assessment(case[0], "de", *case[1:]).criteria or ()
    ]
    assert any(halves.search(sentence) for sentence in sentences)
    assert not any(re.search(r"\d\.5\b", sentence) for sentence in sentences)


@pytest.mark.parametrize("attested", [False, True])
def test_a_limitation_for_unattested_answers_stays_or_stays_away(attested):
    loaded, answers, _ = assess_example("widespread_pain")
    assessment = assess(loaded, answers, attested=attested)
    german = translate_assessment(loaded, "de", answers, assessment)
    assert len(german.limitations) == len(assessment.limitations)
    (limitation,) = [
        text.text for text in translate_rulebook(loaded, "de").limitation if text.where_not_attested
    ]
    assert (limitation in german.limitations) is not attested


def test_answers_as_they_are_stored_give_the_same_translation():
    loaded, answers, assessment = assess_example("widespread_pain")
    stored_answers = {
        name: float(answer) if isinstance(answer, Decimal) else answer
        for name, answer in answers.items()
    } | {name: list(answer) for name, answer in answers.items() if isinstance(answer, tuple)}
    assert translate_assessment(loaded, "es", stored_answers, assessment) == translate_assessment(
        loaded, "es", answers, assessment
    )


@pytest.mark.parametrize(
    "change",
    [
        {"status": "insufficient_information"},
        {"rulebook_sha256": "0" * 64},
        {"limitations": ("one",)},
        {"missing": ()},
        {"criteria": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_stored_result_that_the_answers_no_longer_give_is_an_error(change):
    loaded, answers, assessment = assess_example("widespread_pain")
    other_result: Assessment = assessment.model_copy(update=change)
    with pytest.raises(TranslationMismatchError, match=r"nociplastic@1\.0\.0"):
        translate_assessment(loaded, "de", answers, other_result)


def test_a_stored_line_that_the_answers_no_longer_give_is_an_error():
    loaded, answers, assessment = assess_example("widespread_pain")
    first, *other_lines = assessment.criteria
    changed_line = replace(first, points=first.points + 1)
    other_result = assessment.model_copy(update={"criteria": (changed_line, *other_lines)})
    with pytest.raises(TranslationMismatchError, match="now gives another result in de"):
        translate_assessment(loaded, "de", answers, other_result)


def test_a_language_without_translation_is_an_error():
    loaded, answers, assessment = assess_example("phq4")
    assert translate_rulebook(loaded, "xx") is None
    with pytest.raises(RulebookError, match="not translated into xx"):
        translate_assessment(loaded, "xx", answers, assessment)


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
@pytest.mark.parametrize("name", ["nociplastic@1.0.0", "phq4@1.0.0"])
def test_a_translation_is_whole_and_has_the_same_placeholders_and_numbers(name, language):
    loaded = load_catalogue().find_version(name)
    before, after = list_texts(loaded.rulebook), list_texts(translate_rulebook(loaded, language))
    assert before
    assert before.keys() == after.keys()
    for path, text in before.items():
        for pattern in (r"\{\w+\}", r"\d+(?:[.,]\d+)?"):
            source_parts = sorted(part.replace(",", ".") for part in re.findall(pattern, text))
            translated_parts = sorted(
                part.replace(",", ".") for part in re.findall(pattern, after[path])
            )
            assert translated_parts == source_parts, path


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
@pytest.mark.parametrize("name", ["nociplastic@1.0.0", "phq4@1.0.0"])
def test_a_translated_rulebook_weighs_the_same(name, language):
    loaded = load_catalogue().find_version(name)
    translated = translate_rulebook(loaded, language)
    assert translated.criterion
    for before, after in zip(loaded.rulebook.criterion, translated.criterion, strict=True):
        assert [(level.id, level.when, level.points) for level in before.level] == [
            (level.id, level.when, level.points) for level in after.level
        ]
        assert [(discount.when, discount.factor) for discount in before.discount] == [
            (discount.when, discount.factor) for discount in after.discount
        ]
