"""Flags by urgency, their exceptions, and what a named clinician has assessed."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess, assess_safety

SMALL = load_small_second()


def judge(*storms, attested=False, **answers):
    return assess(SMALL, {"age": 80, "storms": storms, **answers}, attested=attested)


def flags(assessment):
    return [(flag.id, flag.tier, flag.assessed) for flag in assessment.safety.flags]


def test_the_most_urgent_flag_comes_first_and_within_a_tier_the_person():
    assessment = judge("thunder", "hail", "gale", "dread")
    assert [flag.id for flag in assessment.safety.flags] == ["gale", "dread", "thunder", "hail"]
    assert [flag.about_person for flag in assessment.safety.flags] == [False, True, False, False]
    assert assessment.safety.tier == "T0"


def test_no_flag_has_no_tier():
    assert judge().safety.tier == "none"


@pytest.mark.parametrize(("frost", "is_raised"), [(True, True), (None, True), (False, False)])
def test_only_a_true_exception_clears_a_flag(frost, is_raised):
    assessment = judge("hail", frost=frost)
    assert ("hail" in [flag.id for flag in assessment.safety.flags]) is is_raised


def test_an_unknown_condition_raises_nothing():
    assessment = assess(SMALL, {"age": 80})
    assert assessment.safety.flags == ()
    assert (assessment.safety.all_asked, assessment.safety.unanswered) == (False, ("storms",))


def test_a_flag_of_the_body_withholds_and_one_about_the_person_does_not():
    assert judge("thunder").status == "withheld_red_flag"
    assert judge("dread").status != "withheld_red_flag"
    assert judge("dread").safety.tier == "T1"


def test_an_assessed_flag_is_shown_at_the_last_tier_and_withholds_nothing():
    assessment = judge("thunder", "hail", attested=True, looked_at=("roof_leak",))
    assert flags(assessment) == [("hail", "T2", False), ("thunder", "T3", True)]
    assert assessment.status != "withheld_red_flag"


def test_without_a_clinician_nothing_is_assessed_and_two_limitations_say_so():
    assessment = judge("thunder", looked_at=("roof_leak",))
    assert flags(assessment) == [("thunder", "T1", False)]
    assert assessment.limitations == (
        "Made up.",
        "Not attested.",
        "What was looked at was not counted.",
    )


@pytest.mark.parametrize(
    ("answers", "count"),
    [({"looked_at": ()}, 2), ({"looked_at": ("roof_leak",)}, 3), ({}, 1), ({"shelter": "roof"}, 2)],
)
def test_an_empty_answer_of_a_clinician_is_unattested_too(answers, count):
    assert len(judge(fog=True, **answers).limitations) == count
    assert len(judge(fog=True, attested=True, **answers).limitations) == 1


def test_a_neutral_answer_is_not_one_of_a_clinician():
    assessment = judge(fog=True, shelter=None)
    assert "Not attested." not in assessment.limitations


@pytest.mark.parametrize(
    ("answers", "expected"),
    [({}, False), ({"secret": False}, True), ({"secret": True}, True), ({"frost": True}, False)],
)
def test_an_answer_in_confidence_makes_the_assessment_confidential(answers, expected):
    assert judge(**answers).confidential is expected


def test_a_flag_about_the_person_makes_it_confidential_with_every_status():
    assert judge("dread").confidential is True
    assert judge("dread", "gale").confidential is True
    assert judge("gale").confidential is False


def test_red_flags_can_be_asked_for_alone():
    answers = {"storms": ("thunder",), "looked_at": ("roof_leak",)}
    assert assess_safety(SMALL, answers).tier == "T1"
    assert assess_safety(SMALL, answers, attested=True).tier == "T3"


def test_a_rulebook_without_tiers_raises_no_flag():
    rulebook = SMALL.rulebook.model_copy(update={"tier": (), "flag": ()})
    safety = assess_safety(LoadedRulebook(rulebook, SMALL.sha256), {"storms": ("hail",)})
    assert (safety.tier, safety.flags) == ("none", ())
