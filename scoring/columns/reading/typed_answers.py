"""Converts typed columns of answers into the compact columns that expressions use.

A choice becomes the index of its option, a list of marked options a bit mask, and a decimal whole
hundredths.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from schemas.rulebooks.rulebook import Question
from scoring.columns.conditions import MASK_TYPE, MAX_MASK_OPTIONS, answer_column_name


def compact_answers(questions: Mapping[str, Question], schema: pl.Schema) -> Iterator[pl.Expr]:
    """Yield one column for each question, null if `schema` has no column of that name."""
    for question in questions.values():
        kind = schema.get(question.id, pl.Null())
        yield _compact(question, kind).alias(answer_column_name(question.id))


def option_enum(question: Question) -> pl.Enum:
    """Return the options of a question as an Enum, in questionnaire order."""
    return pl.Enum([option.id for option in question.options])


def encode_mask(options: pl.Expr, question: Question) -> pl.Expr:
    """Return lists of options as masks. No option may occur twice in a list."""
    count = len(question.options)
    if count > MAX_MASK_OPTIONS:
        raise ValueError(
            f"question {question.id}: over {MAX_MASK_OPTIONS} options cannot be a mask"
        )
    bits = (
        pl.element()
        .to_physical()
        .replace_strict(
            list(range(count)), [1 << index for index in range(count)], return_dtype=MASK_TYPE
        )
    )
    return options.cast(pl.List(option_enum(question))).list.eval(bits).list.sum()


def _compact(question: Question, kind: pl.DataType) -> pl.Expr:  # noqa: PLR0911 - one case for each kind
    cell = pl.col(question.id)
    match question.kind:
        case "boolean":
            return _null(pl.Boolean()) if kind == pl.Null else cell.cast(pl.Boolean)
        case "integer":
            return _null(pl.Int32()) if kind == pl.Null else cell.cast(pl.Int32)
        case "decimal":
            return _null(pl.Int32()) if kind == pl.Null else _hundredths(cell, kind)
        case "choice":
            if kind == pl.Null:
                return _null(pl.UInt8())
            options = option_enum(question)
            option = cell if kind == options else cell.cast(pl.String).cast(options)
            return option.to_physical().cast(pl.UInt8)
        case "multi":
            if kind == pl.Null:
                return _null(MASK_TYPE())
            return cell.cast(MASK_TYPE) if kind.is_integer() else encode_mask(cell, question)


def _null(kind: pl.DataType) -> pl.Expr:
    return pl.lit(None, kind)


def _hundredths(cell: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind.is_integer():
        return cell.cast(pl.Int32) * 100
    return (cell.cast(pl.Float64) * 100).round().cast(pl.Int32)
