"""Parses the cells of another tool into answers. Unanswered never means no.

CellError    the cell is not an answer; the message says what was expected, never the cell
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from api.importing.mapping import QuestionMap
from schemas.base import to_json_number
from schemas.rulebook import Question

YES = ("yes", "true", "1", "y", "checked")
NO = ("no", "false", "0", "n")
UNCHECKED = ("", "0", "no", "false", "unchecked")
UNANSWERED = object()
"""The row does not answer the question."""


class CellError(ValueError):
    """The cell cannot be an answer to its question."""


def parse_answer(question_map: QuestionMap, question: Question, row: Mapping[str, str]) -> Any:
    """Return the answer in the row, or UNANSWERED. Raises CellError."""
    if question_map.columns:
        return _parse_checkboxes(question_map, row)
    cell = row[question_map.column or ""].strip()
    text = cell.casefold()
    if not cell or text in {word.casefold() for word in question_map.unanswered}:
        return UNANSWERED
    words = {word.casefold(): value for word, value in _known_words(question_map, question).items()}
    if question.kind == "multi":
        return _parse_several(question_map, cell, words)
    if text in words:
        return words[text]
    if question.kind in ("integer", "decimal"):
        return _parse_number(cell, question_map.times)
    raise CellError(f"expected one of {', '.join(sorted(words))}")


def _known_words(question_map: QuestionMap, question: Question) -> dict[str, Any]:
    """Return the answer for each word: labels and ids of options, and words of the mapping."""
    values: dict[str, Any] = dict(question_map.values)
    if question.kind == "boolean":
        return dict.fromkeys(YES, True) | dict.fromkeys(NO, False) | values
    if question.kind in ("multi", "choice"):
        ids = {option.id: option.id for option in question.options}
        return ids | {option.label: option.id for option in question.options} | values
    return values


def _parse_checkboxes(question_map: QuestionMap, row: Mapping[str, str]) -> Any:
    """Parse one column for each option; if nothing is options, the question is not answered."""
    options = [value for column, value in question_map.columns.items() if _is_checked(row[column])]
    none_column = question_map.none_column
    is_none = none_column is not None and _is_checked(row[none_column])
    if options and is_none:
        raise CellError("expected either an option or none of them, not both")
    return options if options or is_none else UNANSWERED


def _is_checked(cell: str) -> bool:
    text = cell.strip().casefold()
    if text in UNCHECKED:
        return False
    if text in YES:
        return True
    raise CellError("expected 1 or 0 in every column of its options")


def _parse_several(question_map: QuestionMap, cell: str, words: Mapping[str, Any]) -> list[Any]:
    """Parse several words in one cell; a word may itself contain the separator."""
    none_words = {word.casefold() for word in question_map.none}
    all_words = sorted({*words, *none_words}, key=len, reverse=True)
    rest, separator, cell_words = cell.casefold(), question_map.split.casefold(), []
    while rest:
        word = next((w for w in all_words if rest == w or rest.startswith(w + separator)), None)
        if word is None:
            raise CellError(f"expected words from {', '.join(sorted(all_words))}")
        cell_words.append(word)
        rest = rest[len(word) :].removeprefix(separator).strip()
    if not none_words.isdisjoint(cell_words):
        if len(cell_words) > 1:
            raise CellError("expected either an option or none of them, not both")
        return []
    return list(dict.fromkeys(words[word] for word in cell_words))


def _parse_number(cell: str, times: int) -> Any:
    try:
        number = Decimal(cell.replace(",", ".")) if len(cell) <= 12 else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise CellError("expected a number")
    return to_json_number(round(number * times, 2))
