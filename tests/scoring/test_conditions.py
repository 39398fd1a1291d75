"""The words of a condition, in three-valued logic: true, false or unknown."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from support.scoring.small_rulebook import SMALL

from schemas.rulebooks.conditions import Condition
from schemas.rulebooks.rulebook import Question
from scoring import conditions
from scoring.catalogue import read_rulebook

READ = TypeAdapter(Condition)
TRUTHS = (True, False, None)


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    path = tmp_path_factory.mktemp("rulebook") / "weather.toml"
    path.write_text(SMALL, encoding="utf-8")
    return read_rulebook(path).questions


def holds(table, facts, questions: dict[str, Question] | None = None):
    return conditions.compile_condition(READ.validate_python(table), questions or {})(facts)


def part(name):
    return {"question": name, "is": True}


@pytest.mark.parametrize("answer", [True, False])
def test_is_compares_a_truth_value(answer):
    assert holds({"question": "rain", "is": True}, {"rain": answer}) is answer
    assert holds({"question": "rain", "is": False}, {"rain": answer}) is not answer


def test_is_compares_an_option():
    assert holds({"question": "extent", "is": "spot"}, {"extent": "spot"}) is True
    assert holds({"question": "extent", "is": "spot"}, {"extent": "area"}) is False


@pytest.mark.parametrize(("answer", "claim"), [("a", True), ("b", True), ("c", False)])
def test_one_of_holds_for_any_of_its_options(answer, claim):
    assert holds({"question": "extent", "one_of": ["a", "b"]}, {"extent": answer}) is claim


@pytest.mark.parametrize(("number", "claim"), [(2, False), (3, True), (4, True)])
def test_at_least_holds_on_the_line(number, claim):
    assert holds({"derived": "count", "at_least": 3}, {"count": number}) is claim


@pytest.mark.parametrize(("number", "claim"), [(2, True), (3, True), (4, False)])
def test_at_most_holds_on_the_line(number, claim):
    assert holds({"derived": "count", "at_most": 3}, {"count": number}) is claim


@pytest.mark.parametrize(("options", "claim"), [((), False), (("a",), False), (("a", "b"), True)])
def test_counts_at_least_counts_marked_options(options, claim):
    assert holds({"question": "winds", "counts_at_least": 2}, {"winds": options}) is claim


def test_nothing_marked_is_an_answer_and_not_unknown():
    assert holds({"question": "winds", "counts_at_least": 1}, {"winds": ()}) is False


@pytest.mark.parametrize(
    ("options", "claim"), [(("north",), False), (("west",), True), (("north", "south"), True)]
)
def test_includes_opens_a_group(questions, options, claim):
    assert (
        holds({"question": "winds", "includes": ["mild"]}, {"winds": options}, questions) is claim
    )


def test_includes_takes_options_beside_groups(questions):
    table = {"question": "winds", "includes": ["mild", "north"]}
    assert holds(table, {"winds": ("north",)}, questions) is True
    assert holds(table, {"winds": ()}, questions) is False


@pytest.mark.parametrize(
    "table",
    [
        {"question": "winds", "is": True},
        {"question": "winds", "is": False},
        {"question": "winds", "one_of": ["north"]},
        {"derived": "winds", "at_least": 0},
        {"derived": "winds", "at_most": 9},
        {"question": "winds", "counts_at_least": 1},
        {"question": "winds", "includes": ["north"]},
    ],
)
@pytest.mark.parametrize("facts", [{}, {"winds": None}])
def test_what_is_not_answered_is_unknown_in_every_word(questions, table, facts):
    assert holds(table, facts, questions) is None
    assert holds({"not": table}, facts, questions) is None


@pytest.mark.parametrize(("first", "second"), list(product(TRUTHS, TRUTHS)))
def test_joining_follows_kleene(first, second):
    """The tables written out: false settles all, true settles any."""
    both = {
        (True, True): True,
        (True, None): None,
        (None, True): None,
        (None, None): None,
    }.get((first, second), False)
    either = {
        (False, False): False,
        (False, None): None,
        (None, False): None,
        (None, None): None,
    }.get((first, second), True)
    facts = {"one": first, "other": second}
    assert holds({"all": [part("one"), part("other")]}, facts) is both
    assert holds({"any": [part("one"), part("other")]}, facts) is either


@pytest.mark.parametrize(("first", "second"), list(product(TRUTHS, TRUTHS)))
def test_either_needs_one_known_part_alone(first, second):
    expected = True if True in (first, second) else False if False in (first, second) else None
    facts = {"one": first, "other": second}
    assert holds({"either": [part("one"), part("other")]}, facts) is expected


@pytest.mark.parametrize("truths", list(product(TRUTHS, repeat=3)))
@pytest.mark.parametrize("least", [1, 2, 3])
def test_at_least_so_many_are_true_or_can_no_longer_be(truths, least):
    facts = dict(zip("abc", truths, strict=True))
    known_true, unknown = truths.count(True), truths.count(None)
    expected = True if known_true >= least else None if known_true + unknown >= least else False
    table = {"at_least_of": least, "of": [part(name) for name in "abc"]}
    assert holds(table, facts) is expected


@given(st.lists(st.sampled_from(TRUTHS), min_size=1, max_size=5))
def test_at_least_one_and_all_are_the_words_for_any_and_all(truths):
    facts = {f"q{number}": truth for number, truth in enumerate(truths)}
    parts = [part(name) for name in facts]
    assert holds({"at_least_of": 1, "of": parts}, facts) is holds({"any": parts}, facts)
    all_of = {"at_least_of": len(parts), "of": parts}
    assert holds(all_of, facts) is holds({"all": parts}, facts)


@pytest.mark.parametrize(
    ("facts", "claim"),
    [({}, False), ({"x": None}, False), ({"x": False}, True), ({"x": ()}, True), ({"x": 0}, True)],
)
def test_answered_is_true_or_false_and_never_unknown(facts, claim):
    assert holds({"question": "x", "answered": True}, facts) is claim
    assert holds({"derived": "x", "answered": True}, facts) is claim
    assert holds({"not": {"question": "x", "answered": True}}, facts) is not claim


@pytest.mark.parametrize(
    ("word", "result", "claim"),
    [
        ({"is": "scored"}, "scored", True),
        ({"is": "scored"}, "out_of_scope", False),
        ({"is": "scored"}, None, None),
        ({"one_of": ["some", "many"]}, "many", True),
        ({"at_least": 6}, 6, True),
        ({"at_most": 5}, 6, False),
        ({"is": True}, False, False),
    ],
)
def test_a_result_is_read_as_a_fact_of_its_own(word, result, claim):
    table = {"result": "it", **word}
    assert holds(table, {"result.it": result, "it": "another"}) is claim


@pytest.mark.parametrize(("truth", "negated"), [(True, False), (False, True), (None, None)])
def test_not_turns_true_and_false_and_leaves_unknown(truth, negated):
    assert holds({"not": part("one")}, {"one": truth}) is negated


@given(st.lists(st.sampled_from(TRUTHS), min_size=1, max_size=6))
def test_de_morgan_holds_for_any_number_of_parts(truths):
    names = [f"q{number}" for number in range(len(truths))]
    facts = dict(zip(names, truths, strict=True))
    parts = [part(name) for name in names]
    negated = [{"not": part} for part in parts]
    assert holds({"not": {"all": parts}}, facts) is holds({"any": negated}, facts)
    assert holds({"not": {"any": parts}}, facts) is holds({"all": negated}, facts)


def test_always_holds_whatever_was_answered():
    assert holds({"always": True}, {}) is True


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"question": "a"},
        {"is": True},
        {"question": "a", "derived": "b", "is": True},
        {"question": "a", "is": True, "at_least": 1},
        {"question": "a", "is": True, "because": "x"},
        {"question": "a", "equals": 1},
        {"question": "a", "is": 1},
        {"question": "a", "at_least": "3"},
        {"question": "a", "at_least": True},
        {"question": "a", "one_of": []},
        {"question": "a", "includes": []},
        {"question": "a", "counts_at_least": 0},
        {"all": []},
        {"any": []},
        {"not": {}},
        {"always": False},
        {"either": [{"question": "a", "is": True}]},
        {"at_least_of": 1},
        {"of": [{"question": "a", "is": True}]},
        {"at_least_of": 0, "of": [{"question": "a", "is": True}]},
        {"at_least_of": 2, "of": [{"question": "a", "is": True}]},
        {"question": "a", "answered": False},
        {"question": "a", "result": "b", "is": True},
        {"derived": "a", "result": "b", "is": True},
        "rain",
        None,
    ],
)
def test_anything_else_is_no_condition(table):
    with pytest.raises(ValidationError):
        READ.validate_python(table)


def test_found_names_the_marked_options_that_matter(questions):
    table = {"any": [{"question": "winds", "includes": ["mild"]}, part("rain")]}
    facts = {"winds": ("north", "west"), "rain": True}
    matching = conditions.find_matching_options(READ.validate_python(table), facts, questions)
    assert list(matching) == [("winds", "west")]


@pytest.mark.parametrize("word", ["either", "any", "of"])
def test_options_are_found_in_every_word_that_joins(questions, word):
    parts = [{"question": "winds", "includes": ["mild"]}, part("rain")]
    table = {word: parts, **({"at_least_of": 1} if word == "of" else {})}
    matching = conditions.find_matching_options(
        READ.validate_python(table), {"winds": ("west",)}, questions
    )
    assert list(matching) == [("winds", "west")]
