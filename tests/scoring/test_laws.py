"""What holds for every rulebook that ships, whatever is answered."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.scoring.answer_strategies import (
    answer_to,
    complete,
    partial_answers,
    unflagged_answers,
    without,
)

from scoring.catalogue import load_catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess, weigh_answers
from scoring.weighing import to_points

NOCIPLASTIC = load_catalogue().find_active("nociplastic")
MOOD = [question.id for question in NOCIPLASTIC.rulebook.question if question.topic == "mood"]
MOOD += ["gad7_total", "phq9_total"]
FLAG_GROUPS = NOCIPLASTIC.rulebook.rulebook.safety_questions
every_rulebook = pytest.mark.parametrize(
    "loaded", load_catalogue().list_active(), ids=lambda it: it.name
)


def totals(loaded: LoadedRulebook, sums: Any) -> dict[str, Decimal]:
    names = (total.id for total in loaded.rulebook.total)
    return dict(zip(names, map(to_points, sums.totals), strict=True))


@every_rulebook
@given(data=st.data())
def test_contributions_add_up(loaded, data):
    assessment = assess(loaded, data.draw(unflagged_answers(loaded)))
    domains = {domain.id: domain for domain in assessment.domains}
    sums = dict.fromkeys((domain.id for domain in loaded.rulebook.domain), Decimal(0))
    for criterion in assessment.criteria:
        sums[criterion.domain] += criterion.points or 0
    assert {name: domain.sum for name, domain in domains.items()} == sums
    clamped = {
        name: max(domain.floor, min(domain.ceiling, domain.sum)) for name, domain in domains.items()
    }
    counted_points = {name: domain.points for name, domain in domains.items() if domain.points != 0}
    assert counted_points.items() <= clamped.items()
    assert {name: total.points for name, total in assessment.totals.items()} == {
        total.id: sum(domains[name].points for name in total.domains)
        for total in loaded.rulebook.total
    }


@every_rulebook
@given(data=st.data())
def test_the_range_holds_every_completion(loaded, data):
    answers = data.draw(partial_answers(loaded))
    weighed_intake = weigh_answers(loaded, answers)
    least, most = totals(loaded, weighed_intake.least), totals(loaded, weighed_intake.most)
    completed = totals(loaded, weigh_answers(loaded, data.draw(complete(loaded, answers))).current)
    assert all(least[name] <= points <= most[name] for name, points in completed.items())


@every_rulebook
@given(data=st.data())
def test_a_complete_intake_has_a_range_of_one_point(loaded, data):
    weighed_intake = weigh_answers(loaded, data.draw(complete(loaded, {})))
    assert (
        weighed_intake.least.totals == weighed_intake.current.totals == weighed_intake.most.totals
    )


@every_rulebook
@given(data=st.data())
def test_answering_only_narrows_the_range(loaded, data):
    fuller = data.draw(partial_answers(loaded))
    assume(fuller)
    left_open = data.draw(st.sets(st.sampled_from(sorted(fuller)), min_size=1))
    wide, narrow = weigh_answers(loaded, without(fuller, left_open)), weigh_answers(loaded, fuller)
    least = list(zip(wide.least.totals, narrow.least.totals, strict=True))
    most = list(zip(wide.most.totals, narrow.most.totals, strict=True))
    assert len(least) == len(most) == len(loaded.rulebook.total)
    assert [(before, after) for before, after in least if before > after] == []
    assert [(before, after) for before, after in most if after > before] == []


@every_rulebook
@given(data=st.data())
def test_points_lie_within_the_range_of_their_criterion_when_answered(loaded, data):
    weights = weigh_answers(loaded, data.draw(partial_answers(loaded))).criteria
    assert len(weights) == len(loaded.rulebook.criterion)
    assert [weight for weight in weights if weight.least > weight.most] == []
    answered_weights = [weight for weight in weights if weight.level is not None]
    assert [
        weight for weight in answered_weights if not weight.least <= weight.points <= weight.most
    ] == []


@every_rulebook
@given(data=st.data())
def test_unanswered_is_never_read_as_no(loaded, data):
    """A criterion with one question, once it is left open, has no level and no points."""
    answers = data.draw(unflagged_answers(loaded))
    single = [names[0] for names in loaded.level_questions if len(names) == 1]
    question = data.draw(st.sampled_from(sorted(set(single))))
    assessment = assess(loaded, without(answers, [question]))
    about_it = [
        criterion
        for criterion, names in zip(assessment.criteria, loaded.level_questions, strict=True)
        if names == [question]
    ]
    assert about_it
    for criterion in about_it:
        assert criterion.verdict == "unanswered"
        assert (criterion.level, criterion.points, criterion.full_points) == (None, None, None)
        assert criterion.answers == {question: None}


@every_rulebook
@given(data=st.data())
def test_null_means_not_answered(loaded, data):
    answers = data.draw(partial_answers(loaded))
    nulls = {**dict.fromkeys(loaded.questions), **answers}
    assert assess(loaded, nulls) == assess(loaded, answers)


@every_rulebook
@given(data=st.data())
def test_order_of_keys_and_options_changes_no_byte(loaded, data):
    answers = data.draw(partial_answers(loaded))
    mixed = {
        name: tuple(data.draw(st.permutations(answers[name])))
        if isinstance(answers[name], tuple)
        else answers[name]
        for name in data.draw(st.permutations(sorted(answers)))
    }
    assert assess(loaded, mixed).model_dump_json() == assess(loaded, answers).model_dump_json()


@every_rulebook
@given(data=st.data())
def test_the_same_answers_give_the_same_bytes(loaded, data):
    answers = data.draw(partial_answers(loaded))
    assert assess(loaded, answers).model_dump_json() == assess(loaded, answers).model_dump_json()


@every_rulebook
@given(data=st.data())
def test_discounts_never_add_points(loaded, data):
    weights = weigh_answers(loaded, data.draw(partial_answers(loaded))).criteria
    assert len(weights) == len(loaded.rulebook.criterion)
    for criterion, weight in zip(loaded.rulebook.criterion, weights, strict=True):
        if weight.full_points <= 0:
            assert (weight.points, weight.discount) == (weight.full_points, None)
        elif weight.discount is None:
            assert weight.points == weight.full_points
        else:
            factor = criterion.discount[weight.discount].factor
            assert to_points(weight.points) == to_points(weight.full_points) * factor
            assert weight.points <= weight.full_points


@every_rulebook
@given(data=st.data())
def test_what_if_totals_are_true(loaded, data):
    assessment = assess(loaded, data.draw(unflagged_answers(loaded)))
    points = {criterion.id: criterion.points or Decimal(0) for criterion in assessment.criteria}
    banded = next((total for total in loaded.rulebook.total if total.banded), None)
    assume(banded is not None)
    for line in assessment.what_if:
        unanswered_points = [
            0 if name == line.criterion else int(given_points * 100)
            for name, given_points in points.items()
        ]
        assert (
            totals(loaded, loaded.adder.calculate_sums(unanswered_points))[banded.id] == line.points
        )
        assert line.changes_band == (
            None if line.band is None else line.band != assessment.totals[banded.id].band
        )
    assert [what_if.criterion for what_if in assessment.what_if] == [
        n for n, p in points.items() if p
    ]


@every_rulebook
@given(data=st.data())
def test_missing_lists_exactly_what_is_open_and_tells_something(loaded, data):
    answers = data.draw(unflagged_answers(loaded))
    required = loaded.rulebook.rulebook.must_answer
    dropped_answers = data.draw(st.sets(st.sampled_from(required)))
    answers = without(answers, dropped_answers - set(FLAG_GROUPS))
    assessment = assess(loaded, answers)
    swings = {
        missing_answer.question: missing_answer.swing for missing_answer in assessment.missing
    }
    assert len(swings) == len(assessment.missing)
    for question in loaded.rulebook.question:
        name = question.id
        swing = sum(
            to_points(weight.most - weight.least)
            for weight, names in zip(
                weigh_answers(loaded, answers).criteria, loaded.criterion_questions, strict=True
            )
            if name in names and weight.is_open
        )
        is_open = answers.get(name) is None and not question.optional
        assert (name in swings) == (is_open and (name in required or swing > 0)), name
        assert swings.get(name, swing) == swing
    order = list(swings)
    first = [name for name in loaded.questions if name in required and name in swings]
    assert order[: len(first)] == first
    then = [swings[name] for name in order[len(first) :]]
    assert then == sorted(then, reverse=True)


@every_rulebook
@given(data=st.data())
def test_weigh_agrees_with_assess(loaded, data):
    answers = data.draw(unflagged_answers(loaded))
    assessment, weighed_intake = assess(loaded, answers), weigh_answers(loaded, answers)
    now, least, most = (
        totals(loaded, sums)
        for sums in (weighed_intake.current, weighed_intake.least, weighed_intake.most)
    )
    assert now
    assert {
        name: (total.points, total.range.least, total.range.most)
        for name, total in assessment.totals.items()
    } == {name: (points, least[name], most[name]) for name, points in now.items()}


@every_rulebook
@given(data=st.data())
def test_the_caller_s_answers_are_left_alone(loaded, data):
    answers = data.draw(partial_answers(loaded))
    before = {**answers}
    assess(loaded, answers)
    assert answers == before
    assert list(answers) == list(before)


@given(st.data())
def test_a_further_flag_never_lowers_the_tier(data):
    urgency = ["T0", "T1", "T2", "T3", "none"]
    answers = data.draw(partial_answers(NOCIPLASTIC))
    group = NOCIPLASTIC.questions[data.draw(st.sampled_from(FLAG_GROUPS))]
    option = data.draw(st.sampled_from([option.id for option in group.options]))
    more = {**answers, group.id: tuple({*answers.get(group.id, ()), option})}
    before, after = (assess(NOCIPLASTIC, facts).safety for facts in (answers, more))
    assert urgency.index(after.tier) <= urgency.index(before.tier)
    assert {flag.id for flag in before.flags} < {flag.id for flag in after.flags} | {None}
    assert option in {flag.id for flag in after.flags}


@given(st.data())
def test_red_flags_never_move_a_total(data):
    answers = data.draw(partial_answers(NOCIPLASTIC))
    flags = {name: answer_to(NOCIPLASTIC.questions[name]) for name in FLAG_GROUPS}
    answers_with_flags = {**answers, **data.draw(st.fixed_dictionaries(flags))}
    assert weigh_answers(NOCIPLASTIC, answers_with_flags) == weigh_answers(NOCIPLASTIC, answers)


@given(st.data())
def test_distress_moves_nothing_where_the_pain_itself_shows_no_pattern(data):
    answers = data.draw(unflagged_answers(NOCIPLASTIC))
    before = weigh_answers(NOCIPLASTIC, answers)
    domains = [domain.id for domain in NOCIPLASTIC.rulebook.domain]
    domain_points = dict(zip(domains, before.current.domain_points, strict=True))
    assume(
        domain_points["distribution"] + domain_points["sensitivity"] + domain_points["behaviour"]
        < 300
    )
    mood = {name: answer_to(NOCIPLASTIC.questions[name]) for name in MOOD}
    for distressed in (
        {**answers, **data.draw(st.fixed_dictionaries(mood))},
        without(answers, MOOD),
    ):
        assert weigh_answers(NOCIPLASTIC, distressed).current.totals == before.current.totals


@given(st.data())
def test_what_speaks_for_it_never_lowers_the_contribution(data):
    """Except through a discount, which names the answer that it reads."""
    book = NOCIPLASTIC.rulebook
    answers = data.draw(partial_answers(NOCIPLASTIC))
    criterion = data.draw(
        st.sampled_from([criterion for criterion in book.criterion if _supports(criterion)])
    )
    place = book.criterion.index(criterion)
    discounting = {
        name
        for reads, touched in zip(
            NOCIPLASTIC.level_questions, NOCIPLASTIC.criterion_questions, strict=True
        )
        for name in set(touched) - set(reads)
    }
    names = [name for name in NOCIPLASTIC.level_questions[place] if name not in discounting]
    assume(names and len(names) == len(NOCIPLASTIC.level_questions[place]))
    supportive = {
        **answers,
        **{name: data.draw(answer_to(NOCIPLASTIC.questions[name])) for name in names},
    }
    after = weigh_answers(NOCIPLASTIC, supportive)
    assume(after.criteria[place].level == 0)
    before = totals(NOCIPLASTIC, weigh_answers(NOCIPLASTIC, answers).current)["contribution"]
    assert totals(NOCIPLASTIC, after.current)["contribution"] >= before


@given(unflagged_answers(NOCIPLASTIC))
def test_no_band_and_no_picture_is_named_while_too_little_is_known(answers):
    assessment = assess(NOCIPLASTIC, answers)
    is_scored = assessment.status == "scored"
    total = assessment.totals["predominance"]
    assert (total.band is not None, total.meaning is not None) == (is_scored, is_scored)
    assert (assessment.picture.id is not None) == is_scored
    assert all((line.band is not None) == is_scored for line in assessment.what_if)


@given(partial_answers(NOCIPLASTIC))
def test_what_is_withheld_is_null(answers):
    assessment = assess(NOCIPLASTIC, answers)
    scored = ("totals", "picture", "domains", "criteria", "missing", "what_if", "patterns")
    scored += ("findings", "next_steps")
    beside = ("gradings", "derived")
    given_parts = {part for part in scored + beside if getattr(assessment, part) is not None}
    match assessment.status:
        case "withheld_red_flag":
            assert given_parts == set()
        case "out_of_scope":
            assert given_parts == set(beside)
        case _:
            assert given_parts == set(scored + beside)


@given(unflagged_answers(NOCIPLASTIC), st.booleans())
def test_attesting_changes_nothing_but_a_limitation(answers, name_a_clinician):
    one = assess(NOCIPLASTIC, answers, attested=name_a_clinician)
    other_assessment = assess(NOCIPLASTIC, answers, attested=not name_a_clinician)
    assert one.model_copy(update={"limitations": ()}) == other_assessment.model_copy(
        update={"limitations": ()}
    )
    by_clinician = [
        question.id for question in NOCIPLASTIC.rulebook.question if question.who == "clinician"
    ]
    unattested = any(answers.get(name) is not None for name in by_clinician)
    assert len({*one.limitations} ^ {*other_assessment.limitations}) == int(unattested)


def _supports(criterion: Any) -> bool:
    contribution = next(t for t in NOCIPLASTIC.rulebook.total if t.id == "contribution")
    return criterion.domain in contribution.domains
