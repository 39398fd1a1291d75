"""The ranges of criteria in the worked cases; every other figure of theirs is a vignette."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from support.scoring.vignettes import SECOND, SECOND_FOLDER, load_vignettes

from scoring.engine import weigh_answers
from scoring.weighing import to_points

FILE = Path(__file__).with_name("worked_ranges.toml")
RANGES = tomllib.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal)
CASES = {
    vignette.name: vignette.answers
    for vignette in load_vignettes(SECOND_FOLDER, SECOND)
    if vignette.file == "worked_cases"
}


def test_seven_of_the_eight_cases_have_points():
    assert len(CASES) == 8
    assert RANGES.keys() < CASES.keys()
    assert len(RANGES) == 7


@pytest.mark.parametrize("name", RANGES)
def test_only_the_criteria_named_have_a_range_and_it_is_the_one_named(name):
    weights = weigh_answers(SECOND, CASES[name]).criteria
    ranges = {
        criterion.id: [to_points(weight.least), to_points(weight.most)]
        for criterion, weight in zip(SECOND.rulebook.criterion, weights, strict=True)
        if weight.least != weight.most
    }
    assert ranges == RANGES[name]
