"""Derived values over columns: counted from answers before any rule reads them."""

from collections.abc import Mapping

import polars as pl

from schemas.rulebook import Derived, Question
from scoring.columns.conditions import MASK, Meaning, asked


def counted(derived: Derived, questions: Mapping[str, Question], meaning: Meaning) -> pl.Expr:
    """The derived value as an expression, null while a part is; a mean is in hundredths."""
    if derived.when is not None:
        return meaning.of(derived.when)
    if derived.question is None:
        if derived.sum_of:
            return _added(derived.sum_of, questions)
        return _averaged(derived.mean_of, questions)
    marked, groups = asked(derived.question), questions[derived.question].groups
    if derived.options_in is not None:
        group = meaning.mask(derived.question, frozenset(groups[derived.options_in]))
        return (marked & group).bitwise_count_ones().cast(pl.Int32)
    bits = [meaning.mask(derived.question, frozenset(groups[name])) for name in derived.groups_in]
    return sum(
        (((marked & each) != pl.lit(0, MASK)).cast(pl.Int32) for each in bits[1:]),
        start=((marked & bits[0]) != pl.lit(0, MASK)).cast(pl.Int32),
    )


def _added(parts: tuple[str, ...], questions: Mapping[str, Question]) -> pl.Expr:
    first, *others = [_whole(part, questions) for part in parts]
    return sum(others, start=first)


def _whole(part: str, questions: Mapping[str, Question]) -> pl.Expr:
    """The answer as a whole number, a decimal without its fraction."""
    answer = asked(part).cast(pl.Int32)
    if part in questions and questions[part].kind == "decimal":
        return answer.sign() * (answer.abs() // 100)
    return answer


def _averaged(parts: tuple[str, ...], questions: Mapping[str, Question]) -> pl.Expr:
    total, count = _added(parts, questions), len(parts)
    return total.sign() * ((total.abs() * 200 + count) // (2 * count))
