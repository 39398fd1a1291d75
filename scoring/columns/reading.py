"""Answers as they stand in files: texts or typed columns in; typed answers and faults out.

A text is read as CSV writes it (`|` between options, `none` for none of these, an empty cell for
not answered); anything typed is taken as JSON would be, and nothing is guessed.
"""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import polars as pl

from schemas.batch import JOINED_BY, NONE_OF_THESE, PASSED_THROUGH, PROBLEMS
from schemas.rulebook import Question
from scoring.columns.answers import options_of
from scoring.columns.conditions import MASK
from scoring.columns.expected import CODES, expected
from scoring.loaded import LoadedRulebook

FAULTS = pl.Schema(
    {
        "row": pl.UInt32,
        "line": pl.UInt64,
        "column": pl.String,
        "code": pl.String,
        "expected": pl.String,
    }
)
"""Each fault by row, from 0; `column` is null where the whole row is meant, `line` if unknown."""

Lines = Callable[[list[int]], list[int]]
"""Rows of a frame, from 0, to the lines on which they begin."""

_BAD = "bad."
_ROW = "row.place"
_NONE_BIT = 1 << 63
_OPTION_BITS = _NONE_BIT - 1
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


class Read(NamedTuple):
    """Typed answers with a list column `problems`, and every fault in order of rows."""

    intakes: pl.DataFrame
    faults: pl.DataFrame


def intakes_of(
    frame: pl.DataFrame,
    loaded: LoadedRulebook,
    faults: pl.DataFrame | None = None,
    lines: Lines | None = None,
) -> Read:
    """Every row with its answers checked as the answer model checks them; no row is dropped.

    `faults` are what was found wrong before; `lines` tells where rows begin in their file. Columns
    that are no question are left out.
    """
    asked = [each for each in loaded.questions.values() if each.id in frame.columns]
    kinds = frame.schema
    read = (
        frame.lazy()
        .select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW),
            *[pl.col(name).cast(pl.String) for name in PASSED_THROUGH if name in kinds],
            *[each for question in asked for each in _read(question, kinds[question.id])],
        )
        .collect(engine="streaming")
    )
    doubted = [each for each in asked if _doubted(read, each, kinds[each.id])]
    if doubted:
        read = read.with_columns(_read_again(frame, doubted))
    found = [_faults(read, each, kinds[each.id]) for each in asked]
    told = pl.concat([FAULTS.to_frame() if faults is None else faults, *[each for each in found if each is not None]])
    told = _with_lines(told.sort("row", maintain_order=True), lines)
    return Read(_with_problems(read.select(pl.exclude(f"^{_BAD}.*$")), told), told)


def _read(question: Question, kind: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """The typed answer, and whether something stood there that is none."""
    given = pl.col(question.id)
    if kind == pl.Null:
        return given, pl.lit(value=False).alias(_BAD + question.id)
    answer = _of_text(question, given) if kind == pl.String else _of_typed(question, given, kind)
    stood = given.is_not_null() & (given != "") if kind == pl.String else given.is_not_null()
    return answer.alias(question.id), (stood & answer.is_null()).alias(_BAD + question.id)


def _of_text(question: Question, cell: pl.Expr) -> pl.Expr:
    match question.kind:
        case "boolean":
            true, false = _in_any_case(_TRUE), _in_any_case(_FALSE)
            spelled = cell.cast(pl.Enum([*true, *false]), strict=False)
            return spelled.to_physical() < len(true)
        case "integer":
            return _within(question, cell.cast(pl.Int64, strict=False)).cast(pl.Int32)
        case "decimal":
            hundredths = _within(question, _hundredths(cell), scale=100)
            return hundredths.cast(pl.Float64) / (hundredths * 0 + 100)
        case "choice":
            return cell.cast(options_of(question), strict=False)
        case "multi":
            return _marked_text(question, cell)


def _of_typed(question: Question, given: pl.Expr, kind: pl.DataType) -> pl.Expr:  # noqa: PLR0911
    match question.kind:
        case "boolean" if kind == pl.Boolean:
            return given
        case "integer" if kind.is_integer():
            return _within(question, given).cast(pl.Int32)
        case "integer" if kind.is_float() or kind.is_decimal():
            number = given.cast(pl.Float64)
            whole = pl.when(number == number.round(0)).then(number)
            return _within(question, whole).cast(pl.Int32)
        case "decimal" if kind.is_integer():
            return _within(question, given).cast(pl.Float64)
        case "decimal" if kind.is_float() or kind.is_decimal():
            number = given.cast(pl.Float64)
            return _within(question, pl.when(number == number.round(2)).then(number))
        case "choice" if kind in (pl.Enum, pl.Categorical):
            return given.cast(pl.String).cast(options_of(question), strict=False)
        case "multi" if isinstance(kind, pl.List) and kind.inner in _WORDS:
            return _marked(question, given.cast(pl.List(pl.String)))
        case "multi" if isinstance(kind, pl.Array) and kind.inner in _WORDS:
            listed = given.arr.to_list().cast(pl.List(pl.String))
            return _marked(question, listed)
    return pl.when(given.is_null()).then(None)


_WORDS = (pl.String, pl.Enum, pl.Categorical, pl.Null)


def _in_any_case(words: tuple[str, ...]) -> list[str]:
    return [
        "".join(letters)
        for word in words
        for letters in product(*({letter, letter.upper()} for letter in word))
    ]


def _within(question: Question, number: pl.Expr, scale: int = 1) -> pl.Expr:
    """The number where it lies within the question's limits."""
    least, most = question.minimum or 0, question.maximum or 0
    if scale == 1 and question.kind == "decimal":
        return pl.when(number.is_between(float(least), float(most))).then(number)
    return pl.when(number.is_between(int(least * scale), int(most * scale))).then(number)


def _hundredths(cell: pl.Expr) -> pl.Expr:
    """A number with a point or a comma before its two decimals at most; 12.500 could be either.

    Three digits after the mark are not read: they may have been thousands.
    """
    parts = cell.str.extract_groups(r"^([+-]?)(\d{1,9})(?:[.,](\d{1,2}))?$")
    fraction = parts.struct[2].fill_null("").str.pad_end(2, "0").cast(pl.Int64, strict=False)
    size = parts.struct[1].cast(pl.Int64, strict=False) * 100 + fraction
    return pl.when(parts.struct[0] == "-").then(-size).otherwise(size)


def _marked_text(question: Question, cell: pl.Expr) -> pl.Expr:
    """The mask of a cell. Most hold one word; only the others are split."""
    words, bits = _words(question, with_none=True)
    one = cell.cast(pl.Enum(words), strict=False).to_physical()
    one = one.replace_strict(list(range(len(words))), bits, return_dtype=MASK)
    several = pl.when(one.is_null() & (cell != "")).then(cell).str.split(JOINED_BY)
    return pl.coalesce(one & _OPTION_BITS, _marked(question, several))


def _marked(question: Question, listed: pl.Expr) -> pl.Expr:
    """The mask of a list of options; null where one is unknown or named twice.

    Powers of two add up to a number with as many bits as there are of them only if all differ.
    """
    words, bits = _words(question, with_none=False)
    element = pl.element().cast(pl.Enum(words), strict=False).to_physical()
    mask = listed.list.eval(
        element.replace_strict(list(range(len(words))), bits, return_dtype=MASK)
    ).list.sum()
    return pl.when(mask.bitwise_count_ones() == listed.list.len()).then(mask)


def _words(question: Question, *, with_none: bool) -> tuple[list[str], list[int]]:
    """The words that a part of a cell may be, each with its bit."""
    words = [each.id for each in question.options]
    bits = [1 << place for place in range(len(words))]
    if with_none and NONE_OF_THESE not in words:
        return [*words, NONE_OF_THESE], [*bits, _NONE_BIT]
    return words, bits


def _doubted(read: pl.DataFrame, question: Question, kind: pl.DataType) -> bool:
    return kind == pl.String and bool(read[_BAD + question.id].any())


def _read_again(frame: pl.DataFrame, questions: list[Question]) -> list[pl.Series]:
    """Texts that were not read at first, without what people leave around and within them."""
    return [
        column
        for question in questions
        for column in frame.lazy()
        .select(_tidied(question))
        .select(*_read(question, pl.String()))
        .collect()
    ]


def _tidied(question: Question) -> pl.Expr:
    cell = pl.col(question.id).str.strip_chars()
    match question.kind:
        case "integer":
            return cell.str.replace(r"^([+-]?\d+)[.,]0*$", "$1").str.strip_prefix("+")
        case "multi":
            return cell.str.replace_all(r"\s*\|\s*", JOINED_BY).str.replace("(?i)^none$", NONE_OF_THESE)
    return cell


def _faults(read: pl.DataFrame, question: Question, kind: pl.DataType) -> pl.DataFrame | None:
    rows = read[_BAD + question.id].arg_true()
    if rows.is_empty():
        return None
    return pl.DataFrame(
        {
            "row": rows,
            "line": None,
            "column": question.id,
            "code": CODES[question.kind],
            "expected": expected(question, as_text=kind == pl.String),
        },
        schema=FAULTS,
    )


def _with_lines(faults: pl.DataFrame, lines: Lines | None) -> pl.DataFrame:
    if lines is None or faults.is_empty():
        return faults
    return faults.with_columns(pl.Series("line", lines(faults["row"].to_list()), pl.UInt64))


def _with_problems(intakes: pl.DataFrame, faults: pl.DataFrame) -> pl.DataFrame:
    if faults.is_empty():
        return intakes.with_columns(pl.lit(None, pl.List(pl.String)).alias(PROBLEMS))
    line = "line " + pl.col("line").cast(pl.String)
    said = pl.concat_str([line, "column", "expected"], separator=": ", ignore_nulls=True)
    by_row = faults.group_by("row").agg(said.alias(PROBLEMS))
    return intakes.join(
        by_row, left_on=_ROW, right_on="row", how="left", maintain_order="left"
    )
