"""What holds for every rulebook of the second generation, whatever is answered."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.scoring.answer_strategies import answer_to, partial_answers, unflagged_answers
from support.scoring.completions import draw_completion, list_second_instruments
from support.scoring.second_rulebook import SECOND_RULEBOOKS, load_second

from scoring.common_rules import scale
from scoring.common_rules.weighed_intake import WeighedIntake
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess, weigh_answers
from scoring.weighing import to_points

SECOND = load_second()
RUNG_6 = {step.id for step in SECOND.rulebook.next_step if step.rung == 6}
EXERCISE = {"exercise_fibromyalgia", "exercise_back_pain", "exercise_general"}
LOADING = {"osteoarthritis_by_its_guideline", "tendinopathy_by_load"}
every_rulebook = pytest.mark.parametrize("loaded", SECOND_RULEBOOKS, ids=lambda it: it.name)


def banded(loaded: LoadedRulebook, assessment):
    return next(assessment.totals[it.id] for it in loaded.rulebook.total if it.banded)


def draw_weighed(data, loaded):
    """Draw answers that get totals, with their assessment."""
    answers = data.draw(unflagged_answers(loaded))
    assessment = assess(loaded, answers)
    assume(assessment.totals is not None)
    return answers, assessment


def total_of(loaded: LoadedRulebook, weighed_intake: WeighedIntake, side: str = "current") -> int:
    return getattr(weighed_intake, side).totals[loaded.banded_total_index]


@every_rulebook
@given(data=st.data())
def test_the_band_of_every_completion_lies_in_the_range(loaded, data):
    answers, assessment = draw_weighed(data, loaded)
    completion = draw_completion(data, loaded, answers)
    facts = loaded.derive_facts(completion)
    completed = weigh_answers(loaded, completion)
    band = scale.select_band(loaded, completed.current, facts)
    total = banded(loaded, assessment)
    order = [it.id for it in loaded.rulebook.band]
    ends = order.index(total.band_range.least), order.index(total.band_range.most)
    assert ends[0] <= order.index(band.id) <= ends[1]
    assert total.range.least <= to_points(total_of(loaded, completed)) <= total.range.most


@every_rulebook
@given(data=st.data())
def test_the_band_as_things_stand_lies_in_the_range(loaded, data):
    answers, assessment = draw_weighed(data, loaded)
    weighed_intake = weigh_answers(loaded, answers)
    band = scale.select_band(loaded, weighed_intake.current, loaded.derive_facts(answers))
    order = [it.id for it in loaded.rulebook.band]
    ends = banded(loaded, assessment).band_range
    assert order.index(ends.least) <= order.index(band.id) <= order.index(ends.most)


@every_rulebook
@given(data=st.data())
def test_points_now_lie_between_the_least_and_the_most(loaded, data):
    weighed_intake = weigh_answers(loaded, data.draw(partial_answers(loaded)))
    for weight in weighed_intake.criteria:
        assert weight.least <= weight.points <= weight.most
        if weight.level is None and weight.points:
            assert abs(weight.points) == min(abs(weight.least), abs(weight.most))
    sides = (weighed_intake.least, weighed_intake.current, weighed_intake.most)
    for least, now, most in zip(*(side.totals for side in sides), strict=True):
        assert least <= now <= most


@every_rulebook
@given(data=st.data())
def test_a_question_that_does_not_apply_never_changes_a_total(loaded, data):
    answers = data.draw(partial_answers(loaded))
    intake = loaded.read_answers(answers)
    neutral = [name for name in intake.not_asked if name in intake.facts]
    assume(neutral)
    neutral_answers = {name: intake.facts[name] for name in neutral}
    assert weigh_answers(loaded, {**answers, **neutral_answers}) == weigh_answers(loaded, answers)


@every_rulebook
@given(data=st.data())
def test_an_answer_alone_never_moves_the_total_by_more_than_its_swing(loaded, data):
    answers, assessment = draw_weighed(data, loaded)
    swings = {it.question: it.swing for it in assessment.missing if it.swing is not None}
    assume(swings)
    name = data.draw(st.sampled_from(sorted(swings)))
    answer = data.draw(answer_to(loaded.questions[name]))
    before = total_of(loaded, weigh_answers(loaded, answers))
    after = total_of(loaded, weigh_answers(loaded, {**answers, name: answer}))
    assert abs(to_points(after - before)) <= swings[name]


@every_rulebook
@given(data=st.data())
def test_a_swing_is_never_larger_than_the_range_is_wide(loaded, data):
    _, assessment = draw_weighed(data, loaded)
    ends = banded(loaded, assessment).range
    assert all(0 <= (it.swing or 0) <= ends.most - ends.least for it in assessment.missing)


@every_rulebook
@given(data=st.data())
def test_a_question_that_is_not_missing_moves_nothing(loaded, data):
    answers, assessment = draw_weighed(data, loaded)
    intake = loaded.read_answers(answers)
    unlisted = {
        question.id
        for question in loaded.rulebook.question
        if intake.is_open(question.id)
        and not question.optional
        and question.id not in loaded.rulebook.rulebook.must_answer
    }
    unlisted -= {*intake.undecided, *(it.question for it in assessment.missing)}
    unlisted -= list_second_instruments(loaded, answers)
    assume(unlisted)
    name = data.draw(st.sampled_from(sorted(unlisted)))
    answer = data.draw(answer_to(loaded.questions[name]))
    before = total_of(loaded, weigh_answers(loaded, answers))
    assert total_of(loaded, weigh_answers(loaded, {**answers, name: answer})) == before


@every_rulebook
@given(data=st.data())
def test_what_does_not_apply_is_neither_missing_nor_asked_first(loaded, data):
    _, assessment = draw_weighed(data, loaded)
    missing = {it.question for it in assessment.missing}
    assert missing.isdisjoint(assessment.not_asked)
    assert missing.issuperset(assessment.ask_first)


@every_rulebook
@given(data=st.data())
def test_no_flag_stands_below_a_less_urgent_one(loaded, data):
    answers = data.draw(partial_answers(loaded))
    safety = assess(loaded, answers, attested=data.draw(st.booleans())).safety
    order = [tier.id for tier in loaded.rulebook.tier]
    places = [(order.index(flag.tier), not flag.about_person) for flag in safety.flags]
    assert places == sorted(places)
    assert safety.tier == (safety.flags[0].tier if safety.flags else "none")


@every_rulebook
@given(data=st.data())
def test_only_a_named_clinician_can_show_a_flag_as_assessed(loaded, data):
    answers = data.draw(partial_answers(loaded))
    attested, anonymous = (assess(loaded, answers, attested=it).safety for it in (True, False))
    assert {flag.id for flag in attested.flags} == {flag.id for flag in anonymous.flags}
    assert not any(flag.assessed for flag in anonymous.flags)
    last = loaded.rulebook.tier[-1].id
    assert all(flag.tier == last for flag in attested.flags if flag.assessed)


@every_rulebook
@given(data=st.data())
def test_a_band_is_given_where_nothing_speaks_against_it_and_only_there(loaded, data):
    _, assessment = draw_weighed(data, loaded)
    total, has_reason = banded(loaded, assessment), bool(assessment.why_no_band)
    assert (assessment.status == "scored") is not has_reason
    assert (total.band is None, total.meaning is None) == (has_reason, has_reason)
    assert (assessment.picture is None) or ((assessment.picture.id is None) is has_reason)
    assert all((line.band is None) is has_reason for line in assessment.what_if)


@every_rulebook
@given(data=st.data())
def test_a_step_that_something_speaks_against_is_never_given(loaded, data):
    answers = data.draw(partial_answers(loaded))
    assessment = assess(loaded, answers)
    facts = loaded.derive_facts(answers)
    given_ids = {step.id for step in assessment.next_steps or ()}
    for step in loaded.rulebook.next_step:
        if step.not_when is not None and loaded.evaluate(step.not_when, facts) is True:
            assert step.id not in given_ids


@given(st.data())
@settings(max_examples=300)
def test_what_a_disease_or_a_danger_forbids_is_never_listed(data):
    answers, assessment = draw_weighed(data, SECOND)
    facts = SECOND.derive_facts(answers)
    steps = {step.id for step in assessment.next_steps}
    if facts["exertional_malaise"]:
        assert steps.isdisjoint(EXERCISE | LOADING | {"threat_reprocessing"})
    if facts["exertional_malaise"] is None:
        assert steps.isdisjoint(EXERCISE)
    if facts["inflammation_now"]:
        assert steps.isdisjoint({"threat_reprocessing", "medicines"})
    if answers.get("physical_explanation") not in ("none_found", "partly"):
        assert steps.isdisjoint(RUNG_6)
    body = [flag.tier for flag in assessment.safety.flags if not flag.about_person]
    if assessment.status != "scored" or "T2" in body:
        assert steps.isdisjoint(RUNG_6)


@given(partial_answers(SECOND), st.sampled_from(["suicidal_plan_or_intent", "suicidal_thoughts"]))
def test_thoughts_of_suicide_close_what_could_be_used_for_it(answers, option):
    answers = {**answers, "rf_personal_safety": (option,)}
    assessment = assess(SECOND, answers)
    steps = {step.id for step in assessment.next_steps or ()}
    assert "medicines" not in steps
    if option == "suicidal_plan_or_intent":
        assert steps.isdisjoint(RUNG_6)
    assert assessment.sheet.crisis_lines
    assert assessment.sheet.kind in ("emergency", "crisis")
    assert assessment.confidential


@given(partial_answers(SECOND))
def test_the_sheet_of_a_withheld_screening_is_an_emergency(answers):
    assessment = assess(SECOND, answers)
    assert (assessment.status == "withheld_red_flag") is (assessment.sheet.kind == "emergency")
