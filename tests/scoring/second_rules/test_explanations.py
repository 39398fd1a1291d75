"""Other explanations by the strength of their true signs, and answers that cannot both hold."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from scoring.engine import assess, weigh_answers

SMALL = load_small_second()


def judge(**answers):
    return assess(SMALL, {"age": 40, "storms": (), **answers})


def alternatives(**answers):
    return [(it.id, it.strength, it.signs) for it in judge(**answers).alternatives]


def test_signs_add_up_to_the_strength_from_which_an_explanation_is_listed():
    hard_rain = {"rain": True, "drizzle": False}
    assert alternatives(**hard_rain) == []
    assert alternatives(**hard_rain, shelter="roof") == [("leak", 3, ("hard rain", "a roof"))]


def test_an_unknown_sign_counts_nothing():
    assert alternatives(rain=True, shelter="roof") == []


def test_the_strongest_comes_first():
    explanations = alternatives(rain=True, drizzle=False, shelter="roof", winds=("north",))
    assert [(name, strength) for name, strength, _ in explanations] == [("draught", 4), ("leak", 3)]


@pytest.mark.parametrize(("frost", "count"), [(True, 0), (False, 1), (None, 1)])
def test_only_a_true_exception_takes_an_explanation_off_the_list(frost, count):
    assert len(alternatives(winds=("north",), frost=frost)) == count


def test_what_would_settle_it_and_the_sources_are_given():
    alternative = judge(winds=("north",)).alternatives[0]
    assert (alternative.label, alternative.settle) == ("A draught", "Look at the windows.")
    assert alternative.citations == ("someone_2020",)


@pytest.mark.parametrize(
    ("answers", "contradictions"),
    [
        ({"winds": (), "gusts": ("long",)}, ["calm_gusts"]),
        ({"winds": ("west",), "gusts": ("long",)}, []),
        ({"gusts": ("long",)}, []),
        ({"months": 481}, ["older_than_life"]),
        ({"months": 480}, []),
        ({"winds": (), "gusts": ("long",), "months": 500}, ["calm_gusts", "older_than_life"]),
    ],
)
def test_answers_that_cannot_both_hold_are_named(answers, contradictions):
    assert [rule.id for rule in judge(**answers).contradictions] == contradictions


def test_they_are_given_with_every_status():
    answers = {"winds": ("north",), "months": 481}
    for changes in ({"storms": ("gale",)}, {"age": 10, "months": 121}, {"age": 40}):
        assessment = judge(**{**answers, **changes})
        assert [it.id for it in assessment.alternatives] == ["draught"]
        assert [it.id for it in assessment.contradictions] == ["older_than_life"]


def test_they_never_change_points():
    contradicting = {"age": 40, "winds": (), "gusts": ("short",)}
    assert weigh_answers(SMALL, contradicting) == weigh_answers(
        SMALL, {**contradicting, "months": 481}
    )
