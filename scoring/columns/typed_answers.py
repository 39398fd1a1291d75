"""Answers as rules read them: any typed column of a question in, one compact column out.

A choice becomes the place of its option, a marked list a mask of bits, a decimal whole hundredths.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from schemas.rulebook import Question
from scoring.columns.conditions import MASK, OPTIONS, answer


def typed(questions: Mapping[str, Question], schema: pl.Schema) -> Iterator[pl.Expr]:
    """One column for each question, null where `schema` has none of its name."""
    for question in questions.values():
        kind = schema.get(question.id, pl.Null())
        yield _compact(question, kind).alias(answer(question.id))


def options_of(question: Question) -> pl.Enum:
    """The options of a question in questionnaire order."""
    return pl.Enum([option.id for option in question.options])


def mask_of(marked: pl.Expr, question: Question) -> pl.Expr:
    """Lists of the question's options, each once, as masks."""
    count = len(question.options)
    if count > OPTIONS:
        raise ValueError(f"question {question.id}: over {OPTIONS} options cannot be a mask")
    bits = (
        pl.element()
        .to_physical()
        .replace_strict(
            list(range(count)), [1 << place for place in range(count)], return_dtype=MASK
        )
    )
    return marked.cast(pl.List(options_of(question))).list.eval(bits).list.sum()


def _compact(question: Question, kind: pl.DataType) -> pl.Expr:  # noqa: PLR0911 - one a kind
    given = pl.col(question.id)
    match question.kind:
        case "boolean":
            return _null(pl.Boolean()) if kind == pl.Null else given.cast(pl.Boolean)
        case "integer":
            return _null(pl.Int32()) if kind == pl.Null else given.cast(pl.Int32)
        case "decimal":
            return _null(pl.Int32()) if kind == pl.Null else _hundredths(given, kind)
        case "choice":
            if kind == pl.Null:
                return _null(pl.UInt8())
            options = options_of(question)
            named = given if kind == options else given.cast(pl.String).cast(options)
            return named.to_physical().cast(pl.UInt8)
        case "multi":
            if kind == pl.Null:
                return _null(MASK())
            return given.cast(MASK) if kind.is_integer() else mask_of(given, question)


def _null(kind: pl.DataType) -> pl.Expr:
    return pl.lit(None, kind)


def _hundredths(given: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind.is_integer():
        return given.cast(pl.Int32) * 100
    return (given.cast(pl.Float64) * 100).round().cast(pl.Int32)
