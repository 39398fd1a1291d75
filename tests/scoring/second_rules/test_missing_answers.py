"""Which open questions are listed, how far they could move the total, and which to ask first."""

from decimal import Decimal

from support.scoring.small_second_rulebook import load_small_second

from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess

SMALL = load_small_second()
CLEAR = {"age": 80, "storms": ()}
SETTLED = {
    "rain": False,
    "winds": (),
    "fog": True,
    "frost": True,
    "first_scale": 5,
    "shelter": "none",
}


def judge(answers):
    return assess(SMALL, answers)


def swings(answers):
    return {missing.question: missing.swing for missing in judge(answers).missing}


def test_what_must_be_answered_comes_first_and_has_no_swing():
    missing = [(answer.question, answer.swing) for answer in judge({"winds": ()}).missing]
    assert missing[:2] == [("age", None), ("storms", None)]
    assert all(swing is not None for _, swing in missing[2:])


def test_the_widest_swing_comes_first_then_the_short_form_then_the_questionnaire():
    missing = judge({**CLEAR, "winds": ()}).missing
    assert [(answer.question, answer.swing) for answer in missing] == [
        ("shelter", 11),
        ("fog", 5),
        ("rain", 5),
        ("frost", 2),
        ("first_scale", 0),
        ("second_scale", 0),
    ]


def test_nothing_is_missing_once_every_criterion_is_settled():
    assert judge({**CLEAR, **SETTLED}).missing == ()


def test_an_optional_question_is_never_missing():
    assert {"secret", "looked_at"} & swings(CLEAR).keys() == set()


def test_a_settled_scale_does_not_ask_for_the_other():
    open_scales = {name: answer for name, answer in SETTLED.items() if name != "first_scale"}
    assert swings({**CLEAR, **open_scales}) == {"first_scale": 1, "second_scale": 1}
    assert swings({**CLEAR, **open_scales, "second_scale": 2}) == {}


def test_a_question_stands_for_those_that_only_it_can_bring_up():
    settled = {**SETTLED, "fog": False, "first_scale": 0}
    del settled["rain"]
    assert swings({**CLEAR, **settled}) == {"rain": 5}
    settled = {**SETTLED, "frost": False}
    del settled["winds"]
    assert swings({**CLEAR, **settled}) == {"winds": 3}


def test_a_question_that_is_asked_stands_for_itself():
    assert swings({**CLEAR, **SETTLED, "rain": True}) == {"drizzle": 3}


def test_a_question_that_does_not_apply_is_not_missing():
    assert "drizzle" not in swings({**CLEAR, "rain": False})
    assert "shelter_depth" not in swings({**CLEAR, "shelter": "roof"})


def test_an_open_discount_lists_its_question():
    answers = {**CLEAR, **SETTLED, "frost": False}
    assert swings({**answers, "winds": ("north",)}) == {"gusts": 3}
    assert swings({**answers, "winds": ("south",)}) == {"gusts": 1}


def test_a_discount_that_is_not_smaller_than_one_that_holds_lists_nothing():
    answers = {**SETTLED, "frost": False, "winds": ("south",), "gusts": ("long",)}
    assert swings({**CLEAR, **answers}) == {}
    del answers["winds"]
    assert swings({**CLEAR, **answers}) == {}


def test_a_discount_of_an_unsettled_criterion_lists_but_does_not_move():
    answers = {**CLEAR, **SETTLED, "frost": False, "winds": ("north",), "first_scale": 0}
    del answers["fog"]
    assert swings(answers) == {"fog": 5, "gusts": 0}


def test_a_swing_stops_at_the_bounds_of_a_domain():
    full_sky = {**SETTLED, "fog": True, "first_scale": 0}
    del full_sky["frost"]
    assert swings({**CLEAR, **full_sky}) == {"frost": 1}


def test_a_domain_that_cannot_change_asks_for_nothing():
    answers = {**CLEAR, "rain": True, "drizzle": False, "fog": False, "winds": (), "frost": False}
    assert swings({**answers, "shelter": "none"}) == {}


def test_a_swing_opens_the_gate_that_it_can_open():
    answers = {**CLEAR, **SETTLED, "frost": False}
    del answers["fog"]
    assert swings(answers) == {"fog": Decimal(6)}


def test_the_first_three_are_asked_first():
    assessment = judge({"age": 80, "winds": ()})
    assert assessment.ask_first == ("storms", "shelter", "fog")


def test_only_what_must_be_answered_is_asked_where_no_band_changes():
    answers = {**SETTLED, "age": 80}
    del answers["frost"]
    assessment = judge(answers)
    assert assessment.totals["sum"].band_range.least == "strong"
    assert assessment.ask_first == ("storms",)
    assert judge({**answers, "storms": ()}).ask_first == ()


def test_the_swing_is_that_of_the_banded_total_wherever_it_stands():
    (banded_total,) = SMALL.rulebook.total
    mood_total = banded_total.model_copy(
        update={"id": "mood_sum", "domains": ("mood",), "banded": False}
    )
    book = SMALL.rulebook.model_copy(update={"total": (mood_total, banded_total)})
    missing = assess(LoadedRulebook(book, SMALL.sha256), {**CLEAR, "winds": ()}).missing
    assert missing == judge({**CLEAR, "winds": ()}).missing
    assert missing[0].swing == Decimal(11)
