"""Compiles derived values into Polars expressions over the columns of answers."""

from collections.abc import Mapping

import polars as pl

from schemas.rulebooks.rulebook import Derived, Question, WholeYears
from scoring.columns.conditions import MASK_TYPE, ConditionCompiler, answer_column


def derived_expression(
    derived: Derived, questions: Mapping[str, Question], meaning: ConditionCompiler
) -> pl.Expr:
    """Return the derived value as an expression, null if a fact is unknown; means in hundredths."""
    if derived.when is not None:
        return meaning.compile(derived.when)
    if derived.whole_years is not None:
        return _count_whole_years(derived.whole_years, questions)
    if derived.question is None:
        if derived.sum_of:
            return _add(derived.sum_of, questions)
        return _average(derived.mean_of, questions)
    mask_column, groups = answer_column(derived.question), questions[derived.question].groups
    if derived.options_in is not None:
        group = meaning.option_mask(derived.question, frozenset(groups[derived.options_in]))
        return (mask_column & group).bitwise_count_ones().cast(pl.Int32)
    masks = [
        meaning.option_mask(derived.question, frozenset(groups[name])) for name in derived.groups_in
    ]
    first, *remaining = [
        ((mask_column & mask) != pl.lit(0, MASK_TYPE)).cast(pl.Int32) for mask in masks
    ]
    return sum(remaining, start=first)


def _count_whole_years(part: WholeYears, questions: Mapping[str, Question]) -> pl.Expr:
    years, months = (_hundredths(name, questions) for name in part.operands)
    return (12 * years - months) // 1200


def _hundredths(name: str, questions: Mapping[str, Question]) -> pl.Expr:
    answer = answer_column(name).cast(pl.Int32)
    return answer if questions[name].kind == "decimal" else answer * 100


def _add(ids: tuple[str, ...], questions: Mapping[str, Question]) -> pl.Expr:
    first, *remaining = [_whole_number(name, questions) for name in ids]
    return sum(remaining, start=first)


def _whole_number(name: str, questions: Mapping[str, Question]) -> pl.Expr:
    """Return the answer as a whole number; the fraction of a decimal is cut off."""
    answer = answer_column(name).cast(pl.Int32)
    if name in questions and questions[name].kind == "decimal":
        return answer.sign() * (answer.abs() // 100)
    return answer


def _average(ids: tuple[str, ...], questions: Mapping[str, Question]) -> pl.Expr:
    total, count = _add(ids, questions), len(ids)
    return total.sign() * ((total.abs() * 200 + count) // (2 * count))
