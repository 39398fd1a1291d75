"""Imaging in context by the nearest tabulated age, and the patterns of the evidence sheet."""

from decimal import Decimal

import pytest
from support.scoring.small_second_rulebook import load_small_second

from schemas.rulebooks.clinical_context import Pattern
from scoring.catalogue import load_catalogue
from scoring.common_rules.clinical_context import match_patterns
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess

NOCIPLASTIC = load_catalogue().find_version("nociplastic@1.0.0")
AGES = (20, 30, 40, 50, 60, 70, 80)
PERCENT = {
    "disc_degeneration": (37, 52, 68, 80, 88, 93, 96),
    "disc_signal_loss": (17, 33, 54, 73, 86, 94, 97),
    "disc_height_loss": (24, 34, 45, 56, 67, 76, 84),
    "disc_bulge": (30, 40, 50, 60, 69, 77, 84),
    "disc_protrusion": (29, 31, 33, 36, 38, 40, 43),
    "annular_fissure": (19, 20, 22, 23, 25, 27, 29),
    "facet_degeneration": (4, 9, 18, 32, 50, 69, 83),
    "spondylolisthesis": (3, 5, 8, 14, 23, 35, 50),
}


def find_in_context(finding, **answers):
    (results,) = assess(NOCIPLASTIC, {"imaging_findings": (finding,), **answers}).findings
    return results


@pytest.mark.parametrize("finding", PERCENT)
def test_the_share_at_each_tabulated_age(finding):
    results = [find_in_context(finding, age_years=age) for age in AGES]
    assert [result.age for result in results] == list(AGES)
    assert [result.prevalence * 100 for result in results] == list(PERCENT[finding])


@pytest.mark.parametrize(
    ("age", "nearest"), [(18, 20), (24, 20), (25, 20), (26, 30), (75, 70), (76, 80), (101, 80)]
)
def test_the_nearest_age_counts_and_the_lower_of_two(age, nearest):
    assert find_in_context("disc_bulge", age_years=age).age == nearest


def test_without_an_age_no_share_is_given():
    results = find_in_context("disc_bulge")
    assert (results.age, results.prevalence) == (None, None)
    assert results.counter_evidence


def test_a_share_that_knows_no_age_is_given_to_all():
    results = find_in_context("cord_signal_change")
    assert (results.age, results.prevalence) == (None, Decimal("0.02"))
    assert results.never_incidental


def test_what_was_not_reported_is_not_shown():
    assert assess(NOCIPLASTIC, {"imaging_findings": ()}).findings == ()
    assert assess(NOCIPLASTIC, {}).findings == ()


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"fog": True, "frost": True}, "seen"),
        ({"fog": False, "frost": True}, "not_seen"),
        ({"frost": True}, "not_seen"),
        ({"fog": False, "frost": False}, "not_asked"),
        ({"fog": False}, "not_asked"),
    ],
)
def test_another_question_may_decide_that_a_pattern_is_not_seen(answers, state):
    pattern = Pattern.model_validate(
        {
            "number": 1,
            "label": "Fog",
            "criteria": ("W2",),
            "seen": {"question": "fog", "is": True},
            "not_seen": {"question": "frost", "is": True},
            "evidence": "Made up.",
        }
    )
    small = load_small_second()
    book = small.rulebook.model_copy(update={"pattern": (pattern,)})
    patterns = match_patterns(LoadedRulebook(book, small.sha256), answers)
    assert [it.state for it in patterns.list] == [state]
    assert patterns.seen == (1 if state == "seen" else 0)
