"""Each word of a condition means over columns what it means of one intake, however it is joined."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from support.scoring.answer_strategies import answer_to
from support.scoring.engine_rows import frame_of

from schemas.rulebooks.conditions import Condition
from schemas.rulebooks.rulebook import Derived, Question
from scoring.answers.derived_values import compile_derived_value
from scoring.catalogue import load_catalogue
from scoring.columns.conditions import ConditionCompiler, answer_column
from scoring.columns.derived_values import derived_expression as counted_columns
from scoring.columns.reading.typed_answers import compact_answers
from scoring.conditions import compile_condition as meaning_of_one

NOCIPLASTIC = load_catalogue().find_version("nociplastic@1.0.0")
IDS = ("fatigue", "pain_extent", "age_years", "pain_duration_months", "diagnoses", "medicines")
QUESTIONS = {name: NOCIPLASTIC.questions[name] for name in IDS}
CONDITION = TypeAdapter(Condition)
numbers = st.decimals(-2, 40, places=2, allow_nan=False)


def said_of(question: Question) -> st.SearchStrategy[dict]:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            words = [st.booleans().map(lambda value: {"is": value})]
        case "choice":
            some = st.lists(st.sampled_from(options), min_size=1, unique=True)
            words = [
                st.sampled_from(options).map(lambda option: {"is": option}),
                some.map(lambda options: {"one_of": options}),
            ]
        case "multi":
            names = [*options, *question.groups]
            some = st.lists(st.sampled_from(names), min_size=1, unique=True, max_size=4)
            words = [
                some.map(lambda options: {"includes": options}),
                st.integers(1, 5).map(lambda count: {"counts_at_least": count}),
            ]
        case _:
            words = [
                numbers.map(lambda edge: {"at_least": edge}),
                numbers.map(lambda edge: {"at_most": edge}),
            ]
    words.append(st.just({"answered": True}))
    return st.one_of(words).map(lambda word: {"question": question.id, **word})


conditions = st.recursive(
    st.one_of([said_of(question) for question in QUESTIONS.values()] + [st.just({"always": True})]),
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        part.map(lambda inner: {"not": inner}),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: {"either": parts}),
        st.lists(part, min_size=1, max_size=4).flatmap(
            lambda parts: st.integers(1, len(parts)).map(
                lambda least: {"at_least_of": least, "of": parts}
            )
        ),
    ),
    max_leaves=8,
).map(CONDITION.validate_python)
some_answers = st.fixed_dictionaries({}, optional={n: answer_to(q) for n, q in QUESTIONS.items()})


def in_columns(expr: pl.Expr, answers: dict) -> object:
    frame = frame_of(NOCIPLASTIC, [answers]).lazy()
    read = frame.select(*compact_answers(NOCIPLASTIC.questions, frame.collect_schema()))
    return read.select(expr.alias("said")).collect().item()


@given(conditions, some_answers)
def test_any_condition_holds_in_columns_where_it_holds_of_one_intake(condition, answers):
    in_one = meaning_of_one(condition, QUESTIONS)(answers)
    assert in_columns(ConditionCompiler(QUESTIONS, {}).compile(condition), answers) is in_one


PARTS = ("peg_pain", "peg_enjoyment", "age_years", "pain_duration_months", "fatigue")
parts_answered = st.fixed_dictionaries(
    {}, optional={name: answer_to(NOCIPLASTIC.questions[name]) for name in PARTS}
)


@given(st.lists(st.sampled_from(PARTS), min_size=1, unique=True), parts_answered, st.booleans())
def test_sums_and_means_are_counted_alike(parts, answers, is_mean):
    way = {"mean_of" if is_mean else "sum_of": tuple(parts)}
    derived = Derived.model_validate({"id": "it", "label": "It", **way})
    meaning = ConditionCompiler(NOCIPLASTIC.questions, {"it": derived})
    truths = in_columns(counted_columns(derived, NOCIPLASTIC.questions, meaning), answers)
    in_one = compile_derived_value(derived, NOCIPLASTIC.questions)(answers)
    assert in_one == (truths if truths is None or not is_mean else Decimal(truths) / 100)


@pytest.mark.parametrize(
    ("answers", "hundredths"),
    [((10, 10), 1000), ((0, 0), 0), ((4, 3), 350), ((1, 0, 0), 33), ((1, 1, 0), 67)],
)
def test_a_mean_is_rounded_to_the_nearest_hundredth(answers, hundredths):
    parts = ("peg_pain", "peg_enjoyment", "peg_activity")[: len(answers)]
    derived = Derived.model_validate({"id": "it", "label": "It", "mean_of": parts})
    meaning = ConditionCompiler(NOCIPLASTIC.questions, {"it": derived})
    mean = counted_columns(derived, NOCIPLASTIC.questions, meaning)
    assert in_columns(mean, dict(zip(parts, answers, strict=True))) == hundredths


@given(
    st.sampled_from([("age_years", "pain_duration_months"), ("pain_duration_months", "age_years")]),
    parts_answered,
)
def test_whole_years_are_counted_alike(operands, answers):
    way = dict(zip(("years", "less_months"), operands, strict=True))
    derived = Derived.model_validate({"id": "it", "label": "It", "whole_years": way})
    meaning = ConditionCompiler(NOCIPLASTIC.questions, {"it": derived})
    in_one = compile_derived_value(derived, NOCIPLASTIC.questions)(answers)
    years = counted_columns(derived, NOCIPLASTIC.questions, meaning)
    assert in_columns(years, answers) == in_one


def test_a_condition_over_a_mean_is_read_in_hundredths():
    derived = Derived.model_validate({"id": "it", "label": "It", "mean_of": ("peg_pain",)})
    meaning = ConditionCompiler(NOCIPLASTIC.questions, {"it": derived})
    edge = CONDITION.validate_python({"derived": "it", "at_least": Decimal("2.5")})
    results = pl.DataFrame({"answer.it": [249, 250, None]}).select(
        meaning.compile(edge).alias("said")
    )
    assert results["said"].to_list() == [False, True, None]
    assert answer_column("it").meta.output_name() == "answer.it"
