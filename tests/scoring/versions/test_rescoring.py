"""An intake of 1.0.0 assessed under 2.0.0: a danger that was seen is never lost on the way."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from support.scoring.answer_strategies import unflagged_answers
from support.scoring.second_rulebook import FIRST_RULEBOOKS, load_second

from scoring.engine import assess
from scoring.versions.rescoring import compare_assessments, rescore_intake

OLD, NEW = FIRST_RULEBOOKS[0], load_second()
CALM = dict.fromkeys(OLD.rulebook.rulebook.safety_questions, ())


def rescore(answers, *, attested=False):
    before = assess(OLD, answers, attested=attested)
    return before, rescore_intake(OLD, NEW, answers, attested=attested)


def test_the_answers_are_assessed_under_the_other_version():
    answers = {"age_years": 40, **CALM, "sleep_broken": True}
    before, after = rescore(answers)
    assert (before.rulebook, after.assessment.rulebook) == (OLD.name, NEW.name)
    assert after.assessment == assess(NEW, after.carried_answers.answers)
    questions = [it.question for it in after.carried_answers.ask_again]
    assert questions == ["cancer_ever", "wakes_at_night", "sleep_unrefreshing"]


def test_a_named_clinician_stays_named():
    answers = {"age_years": 40, **CALM, "physical_explanation": "none_found"}
    _, attested = rescore(answers, attested=True)
    _, anonymous = rescore(answers)
    assert len(anonymous.assessment.limitations) == len(attested.assessment.limitations) + 1
    assert rescore_intake(OLD, NEW, answers) == anonymous


def test_what_came_out_differently_is_named():
    answers = {"age_years": 40, "pain_duration_months": 12, "diagnoses": (), **CALM}
    answers |= {"pain_symmetric": True, "rf_personal_safety": ("medicine_overuse_or_withdrawal",)}
    before, after = rescore(answers)
    difference = compare_assessments(before, after.assessment)
    assert difference.status == ("insufficient_information", "insufficient_information")
    assert difference.tier == ("T2", "T2")
    assert (difference.lost_flags, difference.new_flags) == ((), ())
    assert difference.criteria == ("A4",)
    assert not difference.changes_result


def test_a_lost_and_a_new_flag_are_a_difference():
    answers = {"age_years": 40, **CALM, "rf_spine_and_nerves": ("new_bladder_or_bowel_change",)}
    before, after = rescore(answers)
    difference = compare_assessments(before, after.assessment)
    assert difference.lost_flags == ("new_bladder_or_bowel_change",)
    assert difference.new_flags == ("new_bladder_change", "new_bowel_change")
    assert difference.changes_result


def test_an_open_criterion_does_not_differ_from_one_without_points():
    before = assess(OLD, {"age_years": 40, "pain_duration_months": 12, "diagnoses": (), **CALM})
    assert any(line.points is None for line in before.criteria)
    lines = tuple(replace(line, points=line.points or Decimal(0)) for line in before.criteria)
    after = before.model_copy(update={"criteria": lines})
    assert compare_assessments(before, after).criteria == ()


def test_an_assessment_does_not_differ_from_itself():
    assessment = assess(OLD, {"age_years": 40, **CALM, "fatigue": True})
    difference = compare_assessments(assessment, assessment)
    assert not difference.changes_result
    assert difference.criteria == ()


WITHHOLDING = {tier.id for tier in OLD.rulebook.tier if tier.withholds}
MARKED_FLAGS = [
    (flag.id, group)
    for flag in OLD.rulebook.flag
    for group in CALM
    if flag.tier in WITHHOLDING and not flag.about_person
    if flag.id in {option.id for option in OLD.questions[group].options}
]
CLEARED_BELOW_50 = "new_headache_from_50_or_jaw_claudication"
NARROWED = "cancer_history_with_spinal_pain"


@pytest.mark.parametrize(("flag", "group"), MARKED_FLAGS)
def test_a_marked_danger_withholds_the_score_again_or_is_asked_again(flag, group):
    """The past cancer is marked, for its question would otherwise be open with every intake."""
    answers = {"age_years": 60, "pain_duration_months": 200, "pain_sites": ("lower_leg_left",)}
    answers |= {**CALM, "rf_general": ("history_of_cancer",)}
    answers[group] = (*answers[group], flag)
    before, after = rescore(answers)
    assert before.status == "withheld_red_flag"
    flags = {it.id: it.tier for it in after.assessment.safety.flags}
    if flag == NARROWED:
        assert flags["past_cancer_with_pain"] == "T2"
    else:
        is_asked = not after.assessment.safety.all_asked
        assert is_asked or after.assessment.status == "withheld_red_flag"


@pytest.mark.parametrize(("age", "status"), [(49, "insufficient_information"), (50, "withheld")])
def test_a_headache_from_50_of_a_younger_person_does_not_withhold(age, status):
    answers = {"age_years": age, "pain_duration_months": 200, "pain_sites": ("lower_leg_left",)}
    answers |= {
        **CALM,
        "rf_general": ("history_of_cancer",),
        "rf_head_and_face": (CLEARED_BELOW_50,),
    }
    _, after = rescore(answers)
    assert after.assessment.safety.all_asked
    assert after.assessment.status.startswith(status)


@given(unflagged_answers(OLD))
def test_no_band_is_given_before_the_past_cancer_is_asked(answers):
    _, after = rescore(answers)
    assert after.assessment.status != "scored"
    assert "cancer_ever" in after.assessment.safety.unanswered
