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
from scoring.columns.conditions import MASK
from scoring.columns.expected_values import CODES, expected
from scoring.columns.typed_answers import options_of
from scoring.compiled_rulebook import LoadedRulebook

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

_BAD, _CELL, _NUMBER, _ONE, _LIST, _MASK = "bad.", "cell.", "number.", "one.", "list.", "mask."
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
    read = _read(frame, asked)
    doubted = [each for each in asked if _doubted(read, each, kinds[each.id])]
    if doubted:
        again = _read(frame.select([_tidied(each) for each in doubted]), doubted)
        read = read.with_columns(again.drop(_ROW))
    found = [_faults(read, each, kinds[each.id]) for each in asked]
    told = pl.concat(
        [
            FAULTS.to_frame() if faults is None else faults,
            *[each for each in found if each is not None],
        ]
    )
    told = _with_lines(told.sort("row", maintain_order=True), lines)
    return Read(_with_problems(read.select(pl.exclude(f"^{_BAD}.*$")), told), told)


def _read(frame: pl.DataFrame, asked: list[Question]) -> pl.DataFrame:
    """Each typed answer, and whether something stood there that is none.

    In stages, so that what is read twice is worked out once.
    """
    kinds = frame.schema
    cells = [pl.col(each.id).alias(_CELL + each.id) for each in asked]
    stages = [
        [expr for each in asked for expr in stage(each, kinds[each.id])]
        for stage in (_first, _second)
    ]
    answers = [_answer(each, kinds[each.id]).alias(each.id) for each in asked]
    passed = [pl.col(name).cast(pl.String) for name in PASSED_THROUGH if name in kinds]
    bad = [_bad(each, kinds[each.id]).alias(_BAD + each.id) for each in asked]
    kept = [each.id for each in asked]
    row = pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW)
    read = frame.lazy().select(row, *passed, *cells)
    for stage in stages:
        read = read.with_columns(stage)
    read = read.with_columns(answers)
    return read.select(_ROW, *[each.meta.output_name() for each in passed], *kept, *bad).collect(
        engine="streaming"
    )


def _first(question: Question, kind: pl.DataType) -> list[pl.Expr]:
    """The number in a cell; or the bit of its one word, and what must be split."""
    cell = _cell(question)
    match question.kind:
        case "integer" if kind == pl.String:
            return [cell.cast(pl.Int64, strict=False).alias(_NUMBER + question.id)]
        case "decimal" if kind == pl.String:
            return [_hundredths(cell).alias(_NUMBER + question.id)]
        case "integer" | "decimal" if kind.is_float() or kind.is_decimal():
            return [cell.cast(pl.Float64).alias(_NUMBER + question.id)]
        case "multi" if kind == pl.String:
            words, bits = _words(question, with_none=True)
            one = cell.cast(pl.Enum(words), strict=False).to_physical()
            one = one.replace_strict(list(range(len(words))), bits, return_dtype=MASK)
            parts = pl.when(cell.str.contains(JOINED_BY, literal=True)).then(cell)
            return [
                one.alias(_ONE + question.id),
                parts.str.split(JOINED_BY).alias(_LIST + question.id),
            ]
        case "multi" if _lists_words(kind):
            listed = cell.arr.to_list() if isinstance(kind, pl.Array) else cell
            return [listed.cast(pl.List(pl.String)).alias(_LIST + question.id)]
    return []


def _second(question: Question, kind: pl.DataType) -> list[pl.Expr]:
    """The bits of a list's options, added up."""
    if question.kind != "multi" or not (kind == pl.String or _lists_words(kind)):
        return []
    words, bits = _words(question, with_none=False)
    element = pl.element().cast(pl.Enum(words), strict=False).to_physical()
    bit = element.replace_strict(list(range(len(words))), bits, return_dtype=MASK)
    return [pl.col(_LIST + question.id).list.eval(bit).list.sum().alias(_MASK + question.id)]


def _answer(question: Question, kind: pl.DataType) -> pl.Expr:
    if kind == pl.Null:
        return _cell(question)
    return _of_text(question) if kind == pl.String else _of_typed(question, kind)


def _bad(question: Question, kind: pl.DataType) -> pl.Expr:
    cell = _cell(question)
    stood = (cell.is_not_null() & (cell != "")) if kind == pl.String else cell.is_not_null()
    return stood & pl.col(question.id).is_null()


def _of_text(question: Question) -> pl.Expr:
    cell, number = _cell(question), pl.col(_NUMBER + question.id)
    match question.kind:
        case "boolean":
            true, false = _in_any_case(_TRUE), _in_any_case(_FALSE)
            spelled = cell.cast(pl.Enum([*true, *false]), strict=False)
            return spelled.to_physical() < len(true)
        case "integer":
            return _within(question, number).cast(pl.Int32)
        case "decimal":
            return _within(question, number, scale=100).cast(pl.Float64) / 100
        case "choice":
            return cell.cast(options_of(question), strict=False)
        case "multi":
            return pl.coalesce(pl.col(_ONE + question.id) & _OPTION_BITS, _marked(question))


def _of_typed(question: Question, kind: pl.DataType) -> pl.Expr:  # noqa: PLR0911 - one a kind
    given, number = _cell(question), pl.col(_NUMBER + question.id)
    match question.kind:
        case "boolean" if kind == pl.Boolean:
            return given
        case "integer" if kind.is_integer():
            return _within(question, given).cast(pl.Int32)
        case "integer" if kind.is_float() or kind.is_decimal():
            return _within(question, pl.when(number == number.round(0)).then(number)).cast(pl.Int32)
        case "decimal" if kind.is_integer():
            return _within(question, given).cast(pl.Float64)
        case "decimal" if kind.is_float() or kind.is_decimal():
            return _within(question, pl.when(number == number.round(2)).then(number))
        case "choice" if kind in (pl.Enum, pl.Categorical):
            return given.cast(pl.String).cast(options_of(question), strict=False)
        case "multi" if _lists_words(kind):
            return _marked(question)
    return pl.when(given.is_null()).then(None)


def _cell(question: Question) -> pl.Expr:
    return pl.col(_CELL + question.id)


def _lists_words(kind: pl.DataType) -> bool:
    words = (pl.String, pl.Enum, pl.Categorical, pl.Null)
    return isinstance(kind, pl.List | pl.Array) and kind.inner in words


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


def _marked(question: Question) -> pl.Expr:
    """The mask of a list; null where an option is unknown or named twice.

    Powers of two add up to a number with as many bits as there are of them only if all differ.
    """
    mask, listed = pl.col(_MASK + question.id), pl.col(_LIST + question.id)
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


def _tidied(question: Question) -> pl.Expr:
    cell = pl.col(question.id).str.strip_chars()
    match question.kind:
        case "integer":
            return cell.str.replace(r"^([+-]?\d+)[.,]0*$", "$1").str.strip_prefix("+")
        case "multi":
            return cell.str.replace_all(r"\s*\|\s*", JOINED_BY).str.replace(
                "(?i)^none$", NONE_OF_THESE
            )
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
    return intakes.join(by_row, left_on=_ROW, right_on="row", how="left", maintain_order="left")
