"""Trials of neutral answers: whatever a criterion reads beside the hidden question is drawn too."""

import pytest
from support.scoring.small_second_rulebook import read_second_table

from schemas.rulebooks.rulebook import Rulebook
from scoring.validation.neutral_trials import check_neutral_answers

DRIZZLE_FAULT = "question drizzle: its neutral moves points of criterion W1"


@pytest.fixture
def book() -> dict:
    """A rulebook in which fog alone hides drizzle, as no other of a criterion is."""
    book = read_second_table()
    question(book, "drizzle")["ask_when"] = {"question": "fog", "is": True}
    question(book, "gusts").pop("neutral")
    return book


def question(book: dict, name: str) -> dict:
    return next(table for table in book["question"] if table["id"] == name)


def read_beside_drizzle(book: dict, condition: dict) -> None:
    book["criterion"][0]["level"][0]["when"] = {
        "all": [condition, {"question": "drizzle", "is": False}]
    }


def faults(book: dict) -> list[str]:
    return list(check_neutral_answers(Rulebook.model_validate(book)))


@pytest.mark.parametrize(
    "condition",
    [
        {"question": "shelter", "is": "none"},
        {"question": "first_scale", "at_least": 10},
        {"question": "first_scale", "at_most": 0},
        {"question": "months", "at_least": 600},
    ],
)
def test_a_neutral_that_moves_points_beside_any_kind_of_answer_is_found(book, condition):
    read_beside_drizzle(book, condition)
    assert faults(book) == [DRIZZLE_FAULT]


def test_a_number_is_drawn_from_its_minimum_and_from_none_below(book):
    question(book, "first_scale")["minimum"] = 5
    read_beside_drizzle(book, {"question": "first_scale", "at_most": 4})
    assert faults(book) == []
    read_beside_drizzle(book, {"question": "first_scale", "at_most": 5})
    assert faults(book) == [DRIZZLE_FAULT]


def test_only_the_neutral_that_moves_points_is_named(book):
    question(book, "gusts")["neutral"] = []
    book["criterion"][0]["discount"] = [
        {"when": {"question": "gusts", "includes": ["long"]}, "factor": 0.5, "because": "of gusts"}
    ]
    assert faults(book) == [DRIZZLE_FAULT]


def test_a_neutral_may_give_the_points_that_are_certain_anyway(book):
    any_rain = book["criterion"][0]["level"][1]
    book["criterion"][0]["level"][0]["points"] = any_rain["points"]
    assert faults(book) == []
