"""Cells: what a tool wrote for one question in, an answer out. Unanswered is never no.

CellError    the cell cannot be an answer; the message says what was expected, never the cell
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from api.importing.mapping import QuestionMap
from schemas.base import plain_number
from schemas.rulebook import Question

YES = ("yes", "true", "1", "y", "checked")
NO = ("no", "false", "0", "n")
UNCHECKED = ("", "0", "no", "false", "unchecked")
NOT_SAID = object()
"""A question that the row says nothing to."""


class CellError(ValueError):
    """The cell cannot be an answer to its question."""


def answer(each: QuestionMap, question: Question, row: Mapping[str, str]) -> Any:
    """The answer that the row gives, or NOT_SAID. Raises CellError."""
    if each.columns:
        return _checked(each, row)
    cell = row[each.column or ""].strip()
    if not cell or cell.casefold() in {word.casefold() for word in each.unanswered}:
        return NOT_SAID
    words = {word.casefold(): value for word, value in _words(each, question).items()}
    if question.kind == "multi":
        return _several(each, cell, words)
    if cell.casefold() in words:
        return words[cell.casefold()]
    if question.kind in ("integer", "decimal"):
        return _number(cell, each.times)
    raise CellError(f"expected one of {', '.join(sorted(words))}")


def _words(each: QuestionMap, question: Question) -> dict[str, Any]:
    """Every word that there is for an answer: labels and ids of options, and the mapping's own."""
    own: dict[str, Any] = dict(each.values)
    if question.kind == "boolean":
        return dict.fromkeys(YES, True) | dict.fromkeys(NO, False) | own
    if question.kind in ("multi", "choice"):
        known = {option.id: option.id for option in question.options}
        return known | {option.label: option.id for option in question.options} | own
    return own


def _checked(each: QuestionMap, row: Mapping[str, str]) -> Any:
    """A column for each option; nothing checked at all says nothing."""
    marked = [value for column, value in each.columns.items() if _is_checked(row[column])]
    none = each.none_column is not None and _is_checked(row[each.none_column])
    if marked and none:
        raise CellError("expected either an option or none of them, not both")
    return marked if marked or none else NOT_SAID


def _is_checked(cell: str) -> bool:
    text = cell.strip().casefold()
    if text in UNCHECKED:
        return False
    if text in YES:
        return True
    raise CellError("expected 1 or 0 in every column of its options")


def _several(each: QuestionMap, cell: str, words: Mapping[str, Any]) -> list[Any]:
    """Several words in one cell; a word may hold what they are joined by."""
    none = {word.casefold() for word in each.none}
    known = sorted({*words, *none}, key=len, reverse=True)
    rest, joined, found = cell.casefold(), each.split.casefold(), []
    while rest:
        word = next((w for w in known if rest == w or rest.startswith(w + joined)), None)
        if word is None:
            raise CellError(f"expected words out of {', '.join(sorted(known))}")
        found.append(word)
        rest = rest[len(word) :].removeprefix(joined).strip()
    if not none.isdisjoint(found):
        if len(found) > 1:
            raise CellError("expected either an option or none of them, not both")
        return []
    return list(dict.fromkeys(words[each] for each in found))


def _number(cell: str, times: int) -> Any:
    try:
        number = Decimal(cell.replace(",", ".")) if len(cell) <= 12 else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise CellError("expected a number")
    return plain_number(round(number * times, 2))
