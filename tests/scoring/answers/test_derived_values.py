"""Derived values: counted once all they need is known, and unknown until then."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from schemas.rulebooks.rulebook import Derived, Question
from scoring.answers.derived_values import compile_derived_value

SITES = Question.model_validate(
    {
        "id": "sites",
        "topic": "where",
        "who": "patient",
        "kind": "multi",
        "label": "Sites",
        "text": "Where?",
        "options": [{"id": name, "label": name} for name in ("a", "b", "c", "d")],
        "groups": {"left": ["a", "b"], "right": ["c"], "all": ["a", "b", "c"]},
    }
)


def value(facts, **way):
    derived = Derived.model_validate({"id": "x", "label": "X", **way})
    return compile_derived_value(derived, {"sites": SITES})(facts)


@pytest.mark.parametrize(("options", "count"), [((), 0), (("a",), 1), (("a", "c", "d"), 2)])
def test_marked_options_of_a_group_are_counted(options, count):
    assert value({"sites": options}, question="sites", options_in="all") == count


@pytest.mark.parametrize(
    ("options", "count"), [((), 0), (("a", "b"), 1), (("b", "c"), 2), (("d",), 0)]
)
def test_groups_that_hold_a_marked_option_are_counted(options, count):
    assert value({"sites": options}, question="sites", groups_in=["left", "right"]) == count


def test_a_sum_counts_true_as_one_and_false_as_nothing():
    assert value({"a": 3, "b": True, "c": False}, sum_of=["a", "b", "c"]) == 4


def test_a_sum_of_zeros_is_zero_and_not_unknown():
    assert value({"a": 0, "b": False}, sum_of=["a", "b"]) == 0


@pytest.mark.parametrize("facts", [{}, {"a": 3}, {"b": 3}, {"a": 3, "b": None}])
def test_a_sum_or_mean_with_an_open_part_is_unknown(facts):
    assert value(facts, sum_of=["a", "b"]) is None
    assert value(facts, mean_of=["a", "b"]) is None


def test_a_question_not_asked_leaves_its_counts_unknown():
    assert value({}, question="sites", options_in="all") is None
    assert value({}, question="sites", groups_in=["left"]) is None


@pytest.mark.parametrize(
    ("parts", "mean"),
    [((0, 0, 0), "0.00"), ((3, 3, 4), "3.33"), ((3, 4, 4), "3.67"), ((10, 10, 10), "10.00")],
)
def test_a_mean_has_two_decimals(parts, mean):
    facts = dict(zip("abc", parts, strict=True))
    assert value(facts, mean_of=["a", "b", "c"]) == Decimal(mean)


def test_a_mean_half_way_goes_up():
    facts = {name: int(name == "q0") for name in (f"q{number}" for number in range(8))}
    assert value(facts, mean_of=list(facts)) == Decimal("0.13")


WHOLE_YEARS = {"years": "age", "less_months": "months"}


@pytest.mark.parametrize(
    ("age", "months", "years"),
    [
        (40, 0, 40),
        (40, Decimal("0.01"), 39),
        (40, 12, 39),
        (40, Decimal("12.01"), 38),
        (40, Decimal("11.99"), 39),
        (1, 24, -1),
        (0, 1, -1),
        (0, 12, -1),
        (0, Decimal("12.5"), -2),
    ],
)
def test_whole_years_are_rounded_down_and_may_be_negative(age, months, years):
    assert value({"age": age, "months": months}, whole_years=WHOLE_YEARS) == years


@pytest.mark.parametrize("facts", [{}, {"age": 40}, {"months": Decimal(3)}, {"age": None}])
def test_whole_years_are_unknown_until_both_are_answered(facts):
    assert value(facts, whole_years=WHOLE_YEARS) is None


@pytest.mark.parametrize(("rain", "claim"), [(True, True), (False, False), (None, None)])
def test_a_condition_is_counted_as_true_false_or_unknown(rain, claim):
    assert value({"rain": rain}, when={"question": "rain", "is": True}) is claim


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"sum_of": ["a"], "mean_of": ["a"]},
        {"question": "sites"},
        {"options_in": "all"},
        {"question": "sites", "sum_of": ["a"]},
        {"question": "sites", "options_in": "all", "groups_in": ["left"]},
        {"whole_years": WHOLE_YEARS, "sum_of": ["a"]},
        {"whole_years": {"years": "age"}},
    ],
)
def test_a_derived_value_is_counted_in_exactly_one_way(way):
    with pytest.raises(ValidationError):
        Derived.model_validate({"id": "x", "label": "X", **way})


@pytest.mark.parametrize(("facts", "truth"), [({}, None), ({"sites": ("a",)}, True)])
def test_a_condition_may_name_a_group_of_options(facts, truth):
    assert value(facts, when={"question": "sites", "includes": ["left"]}) is truth


def test_a_condition_on_a_group_is_false_where_none_of_it_is_marked():
    assert value({"sites": ("c",)}, when={"question": "sites", "includes": ["left"]}) is False
