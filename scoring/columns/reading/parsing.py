"""Parses the answers in a frame, as text or typed columns, into typed answers and faults.

Text columns follow the CSV format: `|` between options, `none` for none of these, an empty cell for
not answered. Typed columns follow the JSON format. Nothing is guessed.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

import polars as pl

from schemas.batches.batch import (
    ANSWERED_ON,
    LIST_SEPARATOR,
    NONE_OF_THESE,
    PASSTHROUGH_COLUMNS,
    PROBLEMS_COLUMN,
)
from schemas.rulebooks.rulebook import Question
from schemas.text import READABLE_TEXT
from scoring.columns.conditions import MASK_TYPE
from scoring.columns.reading.cell_words import CellWords, build_cell_words
from scoring.columns.reading.expected_values import FAULT_CODES, describe_expected_value
from scoring.columns.reading.typed_answers import option_enum
from scoring.compiled_rulebook import LoadedRulebook

FAULT_SCHEMA = pl.Schema(
    {
        "row": pl.UInt32,
        "line": pl.UInt64,
        "column": pl.String,
        "code": pl.String,
        "expected": pl.String,
    }
)
"""One fault; `row` counts from 0, `column` is null for the whole row, `line` if unknown."""

LineLookup = Callable[[list[int]], list[int]]
"""Maps rows of a frame, from 0, to the lines in the file on which they begin."""

_INVALID, _CELL, _NUMBER, _ONE, _LIST, _MASK = "bad.", "cell.", "number.", "one.", "list.", "mask."
_ROW = "row.place"
_NONE_BIT = 1 << 63
_OPTION_BITS = _NONE_BIT - 1
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}$"
_FORBIDDEN_TEXT_CODE = "forbidden_character"
_FORBIDDEN_TEXT = "must not contain control characters, bidirectional overrides or non-characters"
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


class ParsedIntakes(NamedTuple):
    """Typed answers with a list column `problems`, and every fault, ordered by row."""

    intakes: pl.DataFrame
    faults: pl.DataFrame


def parse_intakes(
    frame: pl.DataFrame,
    loaded: LoadedRulebook,
    faults: pl.DataFrame | None = None,
    lines: LineLookup | None = None,
) -> ParsedIntakes:
    """Validate every answer as the answer model does and return every row; none is dropped.

    `faults` are those of earlier steps; `lines` maps rows to lines of their file. Unknown columns
    are ignored.
    """
    questions = [question for question in loaded.questions.values() if question.id in frame.columns]
    kinds = frame.schema
    columns = _parse(frame, questions)
    retried = [question for question in questions if _needs_retry(columns, question, kinds)]
    if retried:
        tidied = frame.select([_tidy(question) for question in retried])
        tidied = _read_words(columns, tidied, retried, build_cell_words(loaded))
        columns = columns.with_columns(_parse(tidied, retried).drop(_ROW))
    new_faults = [_list_faults(columns, question, kinds[question.id]) for question in questions]
    text_faults = [_list_text_faults(columns, name) for name in _list_passthrough(columns)]
    text_faults.append(_list_day_faults(frame))
    known_faults = FAULT_SCHEMA.to_frame() if faults is None else faults
    all_faults = pl.concat([known_faults, *text_faults, *new_faults])
    all_faults = _add_lines(all_faults.sort("row", maintain_order=True), lines)
    intakes = columns.select(pl.exclude(f"^{_INVALID}.*$"))
    return ParsedIntakes(_add_problems(intakes, all_faults), all_faults)


def _parse(frame: pl.DataFrame, questions: list[Question]) -> pl.DataFrame:
    """Return each typed answer, and for each question whether its cell is invalid.

    Parses in stages, so that shared intermediate columns are calculated once.
    """
    question_types = [(question, frame.schema[question.id]) for question in questions]
    passthrough = _list_passthrough(frame)
    columns = frame.lazy().select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW),
        *(pl.col(name).cast(pl.String) for name in passthrough),
        *(_is_forbidden(name).alias(_INVALID + name) for name in passthrough),
        *(pl.col(question.id).alias(_CELL + question.id) for question in questions),
    )
    for stage in (_parse_cell, _parse_list):
        columns = columns.with_columns(
            [column for question, kind in question_types for column in stage(question, kind)]
        )
    columns = columns.with_columns(
        [_answer(question, kind).alias(question.id) for question, kind in question_types]
    )
    invalid = [
        _is_invalid(question, kind).alias(_INVALID + question.id)
        for question, kind in question_types
    ]
    names = [question.id for question in questions]
    texts = [_hide_forbidden(name) for name in passthrough]
    invalid_texts = [_INVALID + name for name in passthrough]
    return columns.select(_ROW, *texts, *names, *invalid_texts, *invalid).collect(
        engine="streaming"
    )


def _list_passthrough(frame: pl.DataFrame) -> list[str]:
    return [name for name in PASSTHROUGH_COLUMNS if name in frame.columns]


def _hide_forbidden(name: str) -> pl.Expr:
    """Return the text as it is given back: null where it is forbidden."""
    return pl.when(~pl.col(_INVALID + name)).then(pl.col(name)).alias(name)


def _is_forbidden(name: str) -> pl.Expr:
    """Whether a text holds what JSON refuses too. False where there is none."""
    return ~pl.col(name).cast(pl.String).str.contains(READABLE_TEXT).fill_null(value=True)


def _parse_cell(question: Question, kind: pl.DataType) -> list[pl.Expr]:
    """Return the number in a cell, or the bit of its only word and its list of words."""
    cell = _cell(question)
    match question.kind:
        case "integer" if kind == pl.String:
            return [cell.cast(pl.Int64, strict=False).alias(_NUMBER + question.id)]
        case "decimal" if kind == pl.String:
            return [_parse_hundredths(cell).alias(_NUMBER + question.id)]
        case "integer" | "decimal" if kind.is_float() or kind.is_decimal():
            return [cell.cast(pl.Float64).alias(_NUMBER + question.id)]
        case "multi" if kind == pl.String:
            words, bits = _words_with_bits(question, with_none=True)
            one = cell.cast(pl.Enum(words), strict=False).to_physical()
            one = one.replace_strict(list(range(len(words))), bits, return_dtype=MASK_TYPE)
            parts = pl.when(cell.str.contains(LIST_SEPARATOR, literal=True)).then(cell)
            return [
                one.alias(_ONE + question.id),
                parts.str.split(LIST_SEPARATOR).alias(_LIST + question.id),
            ]
        case "multi" if _is_word_list(kind):
            list_column = cell.arr.to_list() if isinstance(kind, pl.Array) else cell
            return [list_column.cast(pl.List(pl.String)).alias(_LIST + question.id)]
    return []


def _parse_list(question: Question, kind: pl.DataType) -> list[pl.Expr]:
    """Return the sum of the bits of a list's options."""
    if question.kind != "multi" or not (kind == pl.String or _is_word_list(kind)):
        return []
    words, bits = _words_with_bits(question, with_none=False)
    element = pl.element().cast(pl.Enum(words), strict=False).to_physical()
    bit = element.replace_strict(list(range(len(words))), bits, return_dtype=MASK_TYPE)
    return [pl.col(_LIST + question.id).list.eval(bit).list.sum().alias(_MASK + question.id)]


def _answer(question: Question, kind: pl.DataType) -> pl.Expr:
    if kind == pl.Null:
        return _cell(question)
    return _parse_text(question) if kind == pl.String else _check_typed(question, kind)


def _is_invalid(question: Question, kind: pl.DataType) -> pl.Expr:
    cell = _cell(question)
    is_filled = (cell.is_not_null() & (cell != "")) if kind == pl.String else cell.is_not_null()
    return is_filled & pl.col(question.id).is_null()


def _parse_text(question: Question) -> pl.Expr:
    cell, number = _cell(question), pl.col(_NUMBER + question.id)
    match question.kind:
        case "boolean":
            true, false = _case_variants(_TRUE), _case_variants(_FALSE)
            word = cell.cast(pl.Enum([*true, *false]), strict=False)
            return word.to_physical() < len(true)
        case "integer":
            return _limit(question, number).cast(pl.Int32)
        case "decimal":
            return _limit(question, number, scale=100).cast(pl.Float64) / 100
        case "choice":
            return cell.cast(option_enum(question), strict=False)
        case "multi":
            return pl.coalesce(
                pl.col(_ONE + question.id) & _OPTION_BITS, _distinct_options(question)
            )


def _check_typed(question: Question, kind: pl.DataType) -> pl.Expr:  # noqa: PLR0911 - one case for each kind
    cell, number = _cell(question), pl.col(_NUMBER + question.id)
    match question.kind:
        case "boolean" if kind == pl.Boolean:
            return cell
        case "integer" if kind.is_integer():
            return _limit(question, cell).cast(pl.Int32)
        case "integer" if kind.is_float() or kind.is_decimal():
            return _limit(question, pl.when(number == number.round(0)).then(number)).cast(pl.Int32)
        case "boolean" if kind.is_numeric():
            return pl.when((cell == 0) | (cell == 1)).then(cell == 1)
        case "decimal" if kind.is_integer():
            return _limit(question, cell).cast(pl.Float64)
        case "decimal" if kind.is_float() or kind.is_decimal():
            return _limit(question, pl.when(number == number.round(2)).then(number))
        case "choice" if kind in (pl.Enum, pl.Categorical):
            return cell.cast(pl.String).cast(option_enum(question), strict=False)
        case "multi" if _is_word_list(kind):
            return _distinct_options(question)
    return pl.when(cell.is_null()).then(None)


def _cell(question: Question) -> pl.Expr:
    return pl.col(_CELL + question.id)


def _is_word_list(kind: pl.DataType) -> bool:
    words = (pl.String, pl.Enum, pl.Categorical, pl.Null)
    return isinstance(kind, pl.List | pl.Array) and kind.inner in words


def _case_variants(words: tuple[str, ...]) -> list[str]:
    return [
        "".join(letters)
        for word in words
        for letters in product(*({letter, letter.upper()} for letter in word))
    ]


def _limit(question: Question, number: pl.Expr, scale: int = 1) -> pl.Expr:
    """Return the number, or null if it is outside the limits of the question."""
    least, most = question.minimum or 0, question.maximum or 0
    if scale == 1 and question.kind == "decimal":
        return pl.when(number.is_between(float(least), float(most))).then(number)
    return pl.when(number.is_between(int(least * scale), int(most * scale))).then(number)


def _parse_hundredths(cell: pl.Expr) -> pl.Expr:
    """Return a number with at most two decimals after a point or comma, in hundredths.

    Three digits after the mark are rejected: 12.500 could mean thousands.
    """
    parts = cell.str.extract_groups(r"^([+-]?)(\d{1,9})(?:[.,](\d{1,2}))?$")
    fraction = parts.struct[2].fill_null("").str.pad_end(2, "0").cast(pl.Int64, strict=False)
    size = parts.struct[1].cast(pl.Int64, strict=False) * 100 + fraction
    return pl.when(parts.struct[0] == "-").then(-size).otherwise(size)


def _distinct_options(question: Question) -> pl.Expr:
    """Return the mask of a list, or null if an option is unknown or repeated.

    A sum of powers of two has as many bits as powers only if all differ.
    """
    mask, list_column = pl.col(_MASK + question.id), pl.col(_LIST + question.id)
    return pl.when(mask.bitwise_count_ones() == list_column.list.len()).then(mask)


def _words_with_bits(question: Question, *, with_none: bool) -> tuple[list[str], list[int]]:
    """Return the words allowed in a cell, and the bit of each."""
    words = [option.id for option in question.options]
    bits = [1 << index for index in range(len(words))]
    if with_none and NONE_OF_THESE not in words:
        return [*words, NONE_OF_THESE], [*bits, _NONE_BIT]
    return words, bits


def _needs_retry(columns: pl.DataFrame, question: Question, kinds: pl.Schema) -> bool:
    return kinds[question.id] == pl.String and bool(columns[_INVALID + question.id].any())


def _tidy(question: Question) -> pl.Expr:
    cell = pl.col(question.id).str.strip_chars()
    match question.kind:
        case "integer":
            return cell.str.replace(r"^([+-]?\d+)[.,]0*$", "$1").str.strip_prefix("+")
        case "multi":
            return cell.str.replace_all(r"\s*\|\s*", LIST_SEPARATOR).str.replace(
                "(?i)^none$", NONE_OF_THESE
            )
    return cell


def _read_words(
    columns: pl.DataFrame,
    cells: pl.DataFrame,
    questions: list[Question],
    cell_words: Mapping[str, CellWords],
) -> pl.DataFrame:
    """Replace the words of invalid cells, such as labels, by those that are read."""
    replaced = []
    for question in questions:
        if question.id in cell_words:
            texts = cells[question.id].filter(columns[_INVALID + question.id]).unique().drop_nulls()
            answers = {text: cell_words[question.id].parse(text) for text in texts}
            words = {text: word for text, word in answers.items() if word is not None}
            if words:
                replaced.append(pl.col(question.id).replace(words))
    return cells.with_columns(replaced)


def _list_text_faults(columns: pl.DataFrame, name: str) -> pl.DataFrame:
    return _build_faults(columns, name, _FORBIDDEN_TEXT_CODE, _FORBIDDEN_TEXT)


def _list_day_faults(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose day of the answers is not a date, or not written as one."""
    if ANSWERED_ON not in frame.columns:
        return FAULT_SCHEMA.to_frame()
    cells = frame[ANSWERED_ON].cast(pl.String)
    days = cells.str.to_date("%Y-%m-%d", strict=False)
    is_day = cells.str.contains(_ISO_DAY) & days.is_not_null()
    is_invalid = ((cells != "") & ~is_day).fill_null(value=False)
    columns = is_invalid.alias(_INVALID + ANSWERED_ON).to_frame()
    return _build_faults(columns, ANSWERED_ON, "invalid_date", "must be a date as YYYY-MM-DD")


def _list_faults(columns: pl.DataFrame, question: Question, kind: pl.DataType) -> pl.DataFrame:
    expected = describe_expected_value(question, as_text=kind == pl.String)
    return _build_faults(columns, question.id, FAULT_CODES[question.kind], expected)


def _build_faults(columns: pl.DataFrame, name: str, code: str, expected: str) -> pl.DataFrame:
    rows = columns[_INVALID + name].arg_true()
    if rows.is_empty():
        return FAULT_SCHEMA.to_frame()
    return pl.DataFrame(
        {"row": rows, "line": None, "column": name, "code": code, "expected": expected},
        schema=FAULT_SCHEMA,
    )


def _add_lines(faults: pl.DataFrame, lines: LineLookup | None) -> pl.DataFrame:
    if lines is None or faults.is_empty():
        return faults
    return faults.with_columns(pl.Series("line", lines(faults["row"].to_list()), pl.UInt64))


def _add_problems(intakes: pl.DataFrame, faults: pl.DataFrame) -> pl.DataFrame:
    if faults.is_empty():
        return intakes.with_columns(pl.lit(None, pl.List(pl.String)).alias(PROBLEMS_COLUMN))
    line = "line " + pl.col("line").cast(pl.String)
    message = pl.concat_str([line, "column", "expected"], separator=": ", ignore_nulls=True)
    by_row = faults.group_by("row").agg(message.alias(PROBLEMS_COLUMN))
    return intakes.join(by_row, left_on=_ROW, right_on="row", how="left", maintain_order="left")
