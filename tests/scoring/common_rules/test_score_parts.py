"""What a hundredth of a point does: it has a direction, and a question that moves it is asked."""

import tomllib
from decimal import Decimal

import pytest
from support.scoring.small_rulebook import SMALL

from schemas.rulebooks.rulebook import Rulebook
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess


def load_weather(points):
    text = SMALL.replace("points = 4", f"points = {points}").replace("points = -1", "points = 0")
    table = tomllib.loads(text.replace('must_answer = ["rain"]', ""), parse_float=Decimal)
    return LoadedRulebook(Rulebook.model_validate(table), "0" * 64)


@pytest.mark.parametrize(
    ("points", "verdict"), [("0.01", "for"), ("0", "neutral"), ("-0.01", "against")]
)
def test_the_smallest_points_speak_for_or_against(points, verdict):
    criterion = assess(load_weather(points), {"rain": True}).criteria[0]
    assert (criterion.points, criterion.verdict) == (Decimal(points), verdict)


@pytest.mark.parametrize(("points", "is_missing"), [("0.01", True), ("0", False)])
def test_a_question_that_moves_one_hundredth_is_missing(points, is_missing):
    missing = assess(load_weather(points), {}).missing
    swings = [("rain", Decimal(points)), ("winds", Decimal(points))]
    assert [(it.question, it.swing) for it in missing] == (swings if is_missing else [])
