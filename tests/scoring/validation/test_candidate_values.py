"""What is tried for a condition lies on both sides of each edge, and within the limits."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter
from support.scoring.small_second_rulebook import read_second_table

from schemas.rulebooks.conditions import Condition, Statement, iterate_statements
from schemas.rulebooks.rulebook import Rulebook
from scoring.validation.candidate_values import list_candidates

CONDITION = TypeAdapter(Condition)
OTHER = "another result"


@pytest.fixture
def book() -> dict:
    return read_second_table()


def question(book: dict, name: str) -> dict:
    return next(table for table in book["question"] if table["id"] == name)


def candidates(book: dict, kind: str, subject: str, *words: dict) -> list:
    claims: list[Statement] = []
    for word in words:
        claims += iterate_statements(CONDITION.validate_python({kind: subject} | word))
    return list_candidates(subject, claims, Rulebook.model_validate(book))


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("first_scale", {"at_least": 5}, [0, 4, 5, 6, 10]),
        ("first_scale", {"at_most": 0}, [0, 1, 10]),
        ("first_scale", {"at_least": 10}, [0, 9, 10]),
        ("months", {"at_most": 3}, [0, Decimal("2.99"), 3, Decimal("3.01"), 1200]),
    ],
)
def test_a_number_is_tried_at_and_next_to_each_edge_within_its_limits(book, name, word, expected):
    assert candidates(book, "question", name, word) == expected


def test_options_that_no_claim_tells_apart_are_tried_as_one(book):
    tried_options = candidates(book, "question", "winds", {"includes": ["mild"]})
    assert tried_options == [
        (),
        ("north",),
        ("west",),
        ("north", "west"),
        ("north", "south", "west"),
    ]


def test_as_many_options_are_tried_as_a_count_names_and_one_fewer(book):
    tried_options = candidates(book, "question", "storms", {"counts_at_least": 3})
    assert [len(options) for options in tried_options] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("kinds", "most"), [(5, 5), (6, 2)])
def test_up_to_five_kinds_of_options_are_tried_in_every_combination_and_of_more_pairs(
    book, kinds, most
):
    names = [f"storm_{number}" for number in range(7)]
    storms = {"kind": "multi", "id": "many", "topic": "sky", "who": "patient", "label": "Many"}
    options = [{"id": name, "label": name} for name in names]
    book["question"].append(storms | {"text": "Which?", "options": options})
    claims = [{"includes": [name]} for name in names[: kinds - 1]]
    *combinations, all_options = candidates(book, "question", "many", *claims)
    assert max(len(combination) for combination in combinations) == most
    assert len(combinations) == {5: 32, 6: 1 + 6 + 15}[kinds]
    assert all_options == tuple(names)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([{"is": True}], [None, True, False, OTHER]),
        ([{"is": "a"}, {"one_of": ["b", "c"]}, {"is": "d"}], [None, "a", "b", "c", "d", OTHER]),
        ([{"at_least": 3}, {"at_most": 7}], [None, 2, 3, 4, 6, 7, 8]),
    ],
)
def test_every_result_that_a_claim_names_is_tried_beside_another_and_none(book, words, expected):
    assert candidates(book, "result", "anything", *words) == expected


@pytest.mark.parametrize(
    ("youngest", "longest", "least"),
    [(0, 1200, -101), (10, 1199, -90), (10, 0, 9)],
)
def test_whole_years_are_tried_from_one_below_the_fewest(book, youngest, longest, least):
    question(book, "age")["minimum"] = youngest
    question(book, "months")["maximum"] = longest
    years = candidates(book, "derived", "onset_age", {"at_least": 18})
    assert years == [least, 17, 18, 19, 120]


@pytest.mark.parametrize(
    ("calculation", "edge", "expected"),
    [
        ({"sum_of": ["first_scale", "rain"]}, 5, [0, 4, 5, 6, 11]),
        (
            {"mean_of": ["first_scale", "rain"]},
            Decimal("5.5"),
            [0, Decimal("5.49"), Decimal("5.5")],
        ),
        (
            {"mean_of": ["first_scale", "shelter_depth", "rain"]},
            1,
            [0, Decimal("0.99"), 1, Decimal("1.01"), Decimal("6.67")],
        ),
    ],
)
def test_sums_and_means_are_tried_up_to_the_largest_they_can_be(book, calculation, edge, expected):
    book["derived"].append({"id": "it", "label": "It"} | calculation)
    assert candidates(book, "derived", "it", {"at_least": edge}) == expected
