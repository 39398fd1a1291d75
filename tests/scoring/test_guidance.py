"""Guidance for an assessment with parts left out: chosen from its results, nothing scored again."""

import dataclasses

from support.scoring.vignettes import LOADED, SECOND, SECOND_FOLDER, load_vignettes

from schemas.assessments.assessment import Safety
from scoring.engine import assess
from scoring.guidance import choose_guidance

CASES = {case.name: case for case in load_vignettes(SECOND_FOLDER, SECOND)}
NO_FLAGS = Safety(tier="none", all_asked=True, unanswered=(), flags=())


def assess_case(name: str, **changes):
    answers = CASES[name].answers | changes
    return answers, assess(SECOND, answers, attested=True)


def test_for_an_unchanged_assessment_it_is_that_of_the_assessment():
    for name in ("evidence", "evidence beside a review", "unfinished", "crisis before soon"):
        answers, assessment = assess_case(name)
        guidance = choose_guidance(SECOND, answers, assessment)
        assert guidance.next_steps == assessment.next_steps
        assert guidance.sheet == assessment.sheet


def test_stored_answers_are_read_as_sent_ones():
    answers, assessment = assess_case("evidence")
    stored_answers = {
        name: list(it) if isinstance(it, tuple) else it for name, it in answers.items()
    }
    assert choose_guidance(SECOND, stored_answers, assessment).next_steps == assessment.next_steps


def test_it_follows_the_flags_that_are_left():
    answers, assessment = assess_case("evidence", rf_general=("unexplained_weight_loss",))
    assert assessment.sheet.kind == "soon"
    without = assessment.model_copy(update={"safety": NO_FLAGS})
    guidance = choose_guidance(SECOND, answers, without)
    assert guidance.sheet.kind == "evidence"
    ids = {step.id for step in guidance.next_steps}
    assert "settle_the_flags" in {step.id for step in assessment.next_steps}
    assert "settle_the_flags" not in ids
    assert "cbt_or_act" in ids


def test_the_tier_of_a_flag_about_the_person_is_not_that_of_the_body():
    answers, assessment = assess_case("evidence", rf_personal_safety=("unsafe_at_home",))
    (flag,) = assessment.safety.flags
    assert choose_guidance(SECOND, answers, assessment).sheet.kind == "evidence"
    safety = dataclasses.replace(
        assessment.safety, flags=(dataclasses.replace(flag, about_person=False),)
    )
    of_body = assessment.model_copy(update={"safety": safety})
    assert choose_guidance(SECOND, answers, of_body).sheet.kind == "emergency"


def test_there_is_none_by_the_first_rules():
    assert choose_guidance(LOADED, {}, assess(LOADED, {})) is None
