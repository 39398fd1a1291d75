"""The bands of both ends, the needs of a band at each, and when the range is too wide."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.second_rules.band_range import BandRangeRules

SMALL = load_small_second()
CLEAR = {"age": 80, "storms": ()}
RAINLESS = {"rain": False, "winds": (), "first_scale": 0}


def judge(**answers):
    return assess(SMALL, {**CLEAR, **answers})


def band_range(assessment):
    ends = assessment.totals["sum"].band_range
    return ends.least, ends.most


def reasons(assessment):
    return [reason.id for reason in assessment.why_no_band]


def test_the_ends_are_the_bands_of_the_least_and_the_most():
    assessment = judge(**RAINLESS, fog=True)
    assert assessment.totals["sum"].range.least == -3
    assert assessment.totals["sum"].range.most == 9
    assert band_range(assessment) == ("little", "strong")


def test_the_least_band_needs_its_condition_and_the_most_band_may_still_get_it():
    answers = {**RAINLESS, "fog": True, "frost": True}
    assert judge(**answers).totals["sum"].range.most == 9
    assert band_range(judge(**answers)) == ("little", "strong")
    assert band_range(judge(**answers, shelter="none")) == ("strong", "strong")


def test_a_false_need_holds_down_both_ends():
    answers = {**RAINLESS, "fog": True, "frost": True, "shelter": "cave"}
    assert band_range(judge(**answers)) == ("little", "little")


def test_a_band_without_its_need_is_the_fallback_as_things_stand():
    sky = {"rain": False, "winds": (), "fog": True, "frost": True}
    assessment = judge(**sky, first_scale=5)
    assert assessment.totals["sum"].points == 7
    assert assessment.status == "insufficient_information"
    assessment = judge(**sky, first_scale=5, shelter="roof")
    assert (assessment.totals["sum"].points, assessment.totals["sum"].band) == (4, "some")


def test_an_equal_band_at_both_ends_is_always_given():
    assessment = judge(**RAINLESS, fog=True, frost=True, shelter="none")
    assert (assessment.status, reasons(assessment)) == ("scored", [])
    assert assessment.totals["sum"].band == "strong"


def test_two_named_ends_one_apart_are_given_without_more_answers():
    assessment = judge(rain=False, winds=(), first_scale=0, fog=False, shelter="roof")
    assert assessment.totals["sum"].range.least == -3
    assert band_range(assessment) == ("little", "little")
    assessment = judge(winds=(), first_scale=0, fog=False, frost=False, shelter="roof")
    assert band_range(assessment) == ("away", "little")
    assert (assessment.status, assessment.totals["sum"].band) == ("scored", "little")


def test_a_wide_range_is_given_where_what_decides_is_answered():
    wide = {"rain": False, "winds": ("south",), "first_scale": 0, "frost": False}
    assessment = judge(**wide, fog=True, shelter="none")
    assert band_range(assessment) == ("some", "strong")
    assert (assessment.status, assessment.totals["sum"].band) == ("scored", "strong")


@pytest.mark.parametrize("missing", ["fog", "shelter"])
def test_a_wide_range_is_not_given_where_what_decides_is_open(missing):
    wide = {"rain": False, "winds": ("south",), "first_scale": 0, "frost": False}
    answers = {"fog": True, "shelter": "none"}
    del answers[missing]
    assert reasons(judge(**wide, **answers)) == ["range_too_wide"]


def test_what_does_not_apply_need_not_be_answered():
    wide = {"rain": False, "winds": ("south",), "first_scale": 0, "frost": False, "fog": True}
    assert "shelter_depth" in judge(**wide, shelter="none").not_asked
    assert judge(**wide, shelter="none").status == "scored"


def test_open_questions_are_named_before_the_width_and_the_ends_are_still_given():
    assessment = assess(SMALL, {"rain": True})
    assert reasons(assessment) == ["storms_unanswered", "age_unanswered", "range_too_wide"]
    assert band_range(assessment) == ("away", "strong")
    total = assessment.totals["sum"]
    assert (assessment.status, total.band, total.meaning) == (
        "insufficient_information",
        None,
        None,
    )


def test_an_unanswered_must_answer_alone_keeps_the_band_back():
    answers = {**RAINLESS, "fog": True, "frost": True, "shelter": "none", "storms": ()}
    assessment = assess(SMALL, answers)
    assert reasons(assessment) == ["age_unanswered"]
    assert band_range(assessment) == ("strong", "strong")


def test_without_a_banded_total_there_is_no_band_range_and_no_distance():
    totals = tuple(total.model_copy(update={"banded": False}) for total in SMALL.rulebook.total)
    plain = LoadedRulebook(SMALL.rulebook.model_copy(update={"total": totals}), SMALL.sha256)
    assessment = assess(plain, {**CLEAR, **RAINLESS, "fog": True})
    assert {total.band_range for total in assessment.totals.values()} == {None}
    assert {total.band for total in assessment.totals.values()} == {None}
    assert BandRangeRules(plain).count_bands_apart(None) == 0
