"""A fault says what its column takes: as a cell of text, and as a typed value."""

import pytest
from support.scoring.small_second_rulebook import load_small_second, read_second_table

from schemas.rulebooks.rulebook import Question
from scoring.columns.reading.expected_values import describe_expected_value


@pytest.mark.parametrize(
    ("name", "as_text", "as_value"),
    [
        ("rain", "must be true, false, yes, no, 1 or 0", "must be true or false"),
        ("age", "must be a whole number from 0 to 120", None),
        ("months", "must be a number from 0 to 1200 with at most two decimals", None),
        ("shelter", "must be one of roof, cave, none", None),
        (
            "winds",
            "must be any of north, south, west, without repeats and separated by |, or none",
            "must be any of north, south, west, without repeats",
        ),
    ],
)
def test_each_kind_of_question_says_what_it_takes(name, as_text, as_value):
    question = load_small_second().questions[name]
    assert describe_expected_value(question, as_text=True) == as_text
    assert describe_expected_value(question, as_text=False) == (as_value or as_text)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (8, "must be one of o1, o2, o3, o4, o5, o6, o7, o8"),
        (9, "must be one of the options of shelter (listed in the codebook)"),
    ],
)
def test_up_to_eight_options_are_listed(count, expected):
    shelter = next(table for table in read_second_table()["question"] if table["id"] == "shelter")
    options = [{"id": f"o{number}", "label": "It"} for number in range(1, count + 1)]
    question = Question.model_validate(shelter | {"options": options})
    assert describe_expected_value(question, as_text=True) == expected
