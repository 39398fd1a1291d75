"""Retelling an assessment changes its words, all of them, and no number."""

import re

import pytest
from support.report_examples import NAMES, assessed
from support.scoring.vignettes import LOADED, vignettes

from reports.phrases import languages, wording
from reports.view.translation import Books, retold
from schemas.assessment import Assessment
from schemas.translation import list_texts
from scoring.catalogue import load_catalogue
from scoring.engine import assess
from scoring.translations import translate_rulebook

OTHERS = [each for each in languages() if each != "en"]


def cases() -> list[tuple[str, Assessment]]:
    told = [assessed(name) for name in NAMES]
    return [*told, *((LOADED.name, assess(LOADED, each.answers)) for each in vignettes())]


CASES = cases()


def numbers(value) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)?", str(value))


def test_in_the_same_language_nothing_changes():
    for name, assessment in CASES:
        book = load_catalogue().find_active(name).rulebook
        assert retold(Books(book, book, wording()), assessment) == assessment


@pytest.mark.parametrize("language", OTHERS)
def test_every_number_stays(language):
    for name, assessment in CASES:
        loaded = load_catalogue().find_active(name)
        told = translate_rulebook(loaded, language)
        other = retold(Books(loaded.rulebook, told, wording(language)), assessment)
        for before, after in zip(assessment.criteria or (), other.criteria or (), strict=True):
            assert (before.id, before.points, before.level) == (after.id, after.points, after.level)
        assert assessment.domains is None or [each.points for each in assessment.domains] == [
            each.points for each in other.domains
        ]
        assert (assessment.totals is None) == (other.totals is None)
        assert assessment.missing == other.missing
        assert assessment.what_if == other.what_if


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_stays_in_english(language):
    for name, assessment in CASES:
        loaded = load_catalogue().find_active(name)
        told = translate_rulebook(loaded, language)
        other = retold(Books(loaded.rulebook, told, wording(language)), assessment)
        for before, after in zip(assessment.criteria or (), other.criteria or (), strict=True):
            assert before.because != after.because
        for before, after in zip(assessment.limitations, other.limitations, strict=True):
            assert before != after


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", ["nociplastic", "phq4"])
def test_a_translation_is_whole_and_has_the_same_places_and_numbers(name, language):
    loaded = load_catalogue().find_active(name)
    told = translate_rulebook(loaded, language)
    assert told is not None
    before, after = list_texts(loaded.rulebook), list_texts(told)
    assert before.keys() == after.keys()
    for place, text in before.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(
            re.findall(r"\{\w+\}", after[place])
        ), place
        said = sorted(each.replace(",", ".") for each in numbers(after[place]))
        assert said == sorted(numbers(text)), place


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", ["nociplastic", "phq4"])
def test_a_translated_rulebook_weighs_the_same(name, language):
    loaded = load_catalogue().find_active(name)
    told = translate_rulebook(loaded, language)
    for before, after in zip(loaded.rulebook.criterion, told.criterion, strict=True):
        assert [(e.id, e.when, e.points) for e in before.level] == [
            (e.id, e.when, e.points) for e in after.level
        ]
        assert [(e.when, e.factor) for e in before.discount] == [
            (e.when, e.factor) for e in after.discount
        ]
