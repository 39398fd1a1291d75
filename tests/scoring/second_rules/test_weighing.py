"""What is certain counts: the points of a criterion that is not settled."""

from decimal import Decimal

import pytest
from support.scoring.small_second_rulebook import load_small_second

from schemas.rulebooks.conditions import Always, Includes
from schemas.rulebooks.scale import Discount
from scoring.engine import assess, weigh_answers
from scoring.weighing import compile_criterion

SMALL = load_small_second()
PLACES = {criterion.id: index for index, criterion in enumerate(SMALL.rulebook.criterion)}


def ends(criterion, answers):
    weight = weigh_answers(SMALL, answers).criteria[PLACES[criterion]]
    return weight.points, weight.least, weight.most


@pytest.mark.parametrize(
    ("criterion", "answers", "points"),
    [
        ("W1", {"rain": True}, (-200, -500, -200)),
        ("W1", {}, (0, -500, 0)),
        ("W1", {"rain": True, "drizzle": True}, (-200, -200, -200)),
        ("W2", {}, (0, -100, 400)),
        ("W3", {}, (100, 100, 300)),
        ("H1", {}, (0, -800, 300)),
    ],
)
def test_points_now_are_nought_or_the_end_nearer_to_it(criterion, answers, points):
    assert ends(criterion, answers) == points


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        ({"fog": True}, (400, 100, 400)),
        ({"fog": True, "winds": ("south",)}, (200, 100, 200)),
        ({"fog": True, "winds": ("south",), "gusts": ("long",)}, (100, 100, 100)),
        ({"fog": True, "winds": ("north",), "gusts": ("short",)}, (400, 400, 400)),
        ({"fog": True, "winds": ()}, (400, 400, 400)),
    ],
)
def test_a_discount_that_may_hold_lowers_the_least_alone(answers, points):
    assert ends("W2", answers) == points


@pytest.mark.parametrize(
    ("points", "factor", "discounted"),
    [(0.01, 0.5, 0), (0.03, 0.5, 1), (0.03, 0.75, 2), (1, 0.33, 33), (-0.03, 0.5, -3), (0, 0.5, 0)],
)
def test_a_discount_leaves_whole_hundredths_and_lowers_no_negative_points(
    points, factor, discounted
):
    fog = SMALL.rulebook.criterion[PLACES["W2"]]
    changed = fog.model_copy(
        update={
            "level": tuple(
                level.model_copy(update={"points": Decimal(str(points))}) for level in fog.level
            ),
            "discount": (Discount(when=Always(always=True), factor=factor, because="it may"),),
        }
    )
    weight = compile_criterion(changed, SMALL.questions)({"fog": True})
    assert (weight.points, type(weight.points)) == (discounted, int)


@pytest.mark.parametrize(
    ("winds", "points"),
    [(("south",), 400), (("north", "west"), 400), (("north",), -100), (None, 0)],
)
def test_a_level_may_read_a_group_of_options(winds, points):
    fog = SMALL.rulebook.criterion[PLACES["W2"]]
    mild = Includes(question="winds", includes=("mild",))
    levels = (fog.level[0].model_copy(update={"when": mild}), fog.level[1])
    weigh = compile_criterion(fog.model_copy(update={"level": levels}), SMALL.questions)
    assert weigh({"winds": winds, "gusts": (), "fog": False}).full_points == points


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        ({}, (0, 0, 100)),
        ({"first_scale": 5}, (100, 100, 100)),
        ({"first_scale": 4}, (0, 0, 0)),
        ({"first_scale": 4, "second_scale": 5}, (100, 100, 100)),
        ({"first_scale": 4, "second_scale": 4}, (0, 0, 0)),
    ],
)
def test_one_of_two_scales_settles_the_criterion(answers, points):
    assert ends("M1", answers) == points


def test_an_unsettled_criterion_gives_its_certain_points_and_no_level():
    assessment = assess(SMALL, {"age": 40, "storms": (), "rain": True})
    criterion = assessment.criteria[PLACES["W1"]]
    assert (criterion.level, criterion.full_points, criterion.discount) == (None, None, None)
    assert (criterion.points, criterion.verdict) == (-2, "unanswered")
    assert criterion.because == "Open (drizzle): -2 points now, -5 to -2."


def test_an_unsettled_criterion_without_certain_points_gives_nought():
    criterion = assess(SMALL, {"age": 40, "storms": ()}).criteria[PLACES["W2"]]
    assert (criterion.points, criterion.verdict) == (0, "unanswered")


def test_a_question_that_does_not_apply_is_never_printed_as_no():
    assessment = assess(SMALL, {"age": 40, "storms": (), "rain": False, "shelter": "none"})
    rain, shelter = assessment.criteria[PLACES["W1"]], assessment.criteria[PLACES["H1"]]
    assert rain.answers == {"rain": False, "drizzle": None}
    assert rain.because == "No rain, drizzle: not asked: 0 points."
    assert shelter.because == "No shelter, not asked deep: +3 points."


def test_what_is_certain_can_be_taken_away_in_the_analysis():
    assessment = assess(SMALL, {"age": 40, "storms": (), "rain": True})
    totals = {change.criterion: change.points for change in assessment.what_if}
    assert assessment.totals["sum"].points == -1
    assert totals == {"W1": 1, "W3": -2}
