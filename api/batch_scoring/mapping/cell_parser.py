"""Parses the cells of another tool into answers. Unanswered never means no.

CellError    the cell is not an answer; the message says what was expected, never the cell
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from api.batch_scoring.mapping.mapping_file import ImportMapping, QuestionMap
from schemas.base import to_json_number
from schemas.batches.batch import LIST_SEPARATOR, NONE_OF_THESE
from schemas.rulebooks.rulebook import Question
from scoring.columns.reading.cell_words import CellWords, build_cell_words
from scoring.compiled_rulebook import LoadedRulebook

YES = ("yes", "true", "1", "1.0", "y", "checked")
NO = ("no", "false", "0", "0.0", "n")
UNCHECKED = ("", "0", "0.0", "no", "false", "unchecked")
UNANSWERED = object()
"""The row does not answer the question."""

MAX_LISTED_WORDS = 12
MAX_REMEMBERED_CELLS = 10_000
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:[.,](?:\d{1,2}|0+))?")
_EXACT_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d{1,9})?")


class CellError(ValueError):
    """The cell cannot be an answer to its question."""


class CellRules(NamedTuple):
    """What holds for all cells of a file: words for no answer, and the marks in numbers.

    `words` are those of each question in every language.
    """

    missing: frozenset[str] = frozenset()
    decimal: str | None = None
    thousands: str | None = None
    words: Mapping[str, CellWords] = MappingProxyType({})


NO_RULES = CellRules()


class AnswerParser:
    """Parses the answers to one question; each distinct cell is parsed once."""

    def __init__(
        self, question_map: QuestionMap, question: Question, rules: CellRules = NO_RULES
    ) -> None:
        self._map, self._question, self._rules = question_map, question, rules
        self._unanswered = rules.missing | {word.casefold() for word in question_map.unanswered}
        self._cell_words = rules.words.get(question.id)
        self._words = _known_words(question_map, question, self._cell_words)
        self._answers: dict[str, Any] = {}

    def parse(self, row: Mapping[str, str]) -> Any:
        """Return the answer in the row, or UNANSWERED. Raises CellError."""
        if self._map.columns:
            return _parse_checkboxes(self._map, row, self._unanswered, self._cell_words)
        cell = row[self._map.column or ""].strip()
        if cell in self._answers:
            return self._answers[cell]
        answer = self._parse_cell(cell)
        if len(self._answers) < MAX_REMEMBERED_CELLS:
            self._answers[cell] = answer
        return answer

    def _parse_cell(self, cell: str) -> Any:
        text = cell.casefold()
        if not cell or text in self._unanswered:
            return UNANSWERED
        if self._question.kind == "multi":
            return _parse_several(self._map, cell, self._words)
        if text in self._words:
            return self._words[text]
        if self._question.kind in ("integer", "decimal"):
            return _parse_number(cell, self._map.times, self._rules)
        raise CellError(f"expected {_describe_words(self._words)}")


def build_cell_rules(mapping: ImportMapping, loaded: LoadedRulebook) -> CellRules:
    """Return what holds for all cells of a file with this mapping."""
    return CellRules(
        frozenset(word.casefold() for word in mapping.missing),
        mapping.decimal,
        mapping.thousands,
        build_cell_words(loaded),
    )


def parse_answer(
    question_map: QuestionMap,
    question: Question,
    row: Mapping[str, str],
    rules: CellRules = NO_RULES,
) -> Any:
    """Return the answer in the row, or UNANSWERED. Raises CellError."""
    return AnswerParser(question_map, question, rules).parse(row)


def _known_words(
    question_map: QuestionMap, question: Question, cell_words: CellWords | None
) -> dict[str, Any]:
    """Return the answer for each word: labels and ids of options, and words of the mapping."""
    words: dict[str, Any] = {}
    if question.kind == "boolean":
        words = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
    elif question.kind in ("multi", "choice"):
        words = {option.label: option.id for option in question.options}
        words |= {option.id: option.id for option in question.options}
    if cell_words is not None:
        truth = {"true": True, "false": False} if question.kind == "boolean" else {}
        words = {word: truth.get(value, value) for word, value in cell_words.words.items()} | words
    if question.kind == "multi":
        words |= dict.fromkeys(question_map.none, NONE_OF_THESE)
    return {word.casefold(): value for word, value in (words | question_map.values).items()}


def _parse_checkboxes(
    question_map: QuestionMap,
    row: Mapping[str, str],
    unanswered: frozenset[str],
    cell_words: CellWords | None,
) -> Any:
    """Parse one column for each option; if nothing is checked, the question is not answered."""

    def is_checked(column: str, option: str) -> bool:
        text = row[column].strip().casefold()
        if text in UNCHECKED or text in unanswered:
            return False
        if text in YES or text == column.casefold():
            return True
        if cell_words is not None and cell_words.words.get(text) == option:
            return True
        raise CellError("expected 1 or 0 in every column of its options")

    columns = question_map.columns.items()
    options = [option for column, option in columns if is_checked(column, option)]
    none_column = question_map.none_column
    is_none = none_column is not None and is_checked(none_column, NONE_OF_THESE)
    if options and is_none:
        raise CellError("expected either an option or none of them, not both")
    return options if options or is_none else UNANSWERED


def _parse_several(question_map: QuestionMap, cell: str, words: Mapping[str, Any]) -> list[Any]:
    """Parse several words in one cell; a word may itself contain the separator."""
    longest_first = sorted(words, key=len, reverse=True)
    rest, separator, cell_words = cell.casefold(), question_map.split.casefold(), []
    while rest:
        starts = (it for it in longest_first if rest == it or rest.startswith(
            (it + separator, it + LIST_SEPARATOR)))  # fmt: skip
        word = next(starts, None)
        if word is None:
            raise CellError(f"expected {_describe_words(words)}, separated by {separator!r}")
        cell_words.append(word)
        rest = rest[len(word) :].removeprefix(separator).removeprefix(LIST_SEPARATOR).strip()
    answers = list(dict.fromkeys(words[word] for word in cell_words))
    if NONE_OF_THESE not in answers:
        return answers
    if len(answers) > 1:
        raise CellError("expected either an option or none of them, not both")
    return []


def _describe_words(words: Mapping[str, Any]) -> str:
    """Return the list of words, or a reference to the codebook if there are many."""
    if len(words) > MAX_LISTED_WORDS:
        return "a label or id of its options (`nociscreen batch --codebook` lists them)"
    return f"one of {', '.join(sorted(words))}"


def _parse_number(cell: str, times: int, rules: CellRules) -> Any:
    """Return a number times a factor. Without marks, `1,080` may be two numbers and is refused."""
    text = cell
    if rules.decimal or rules.thousands:
        text = text.replace(rules.thousands or "", "") if rules.thousands else text
        text = text.replace(rules.decimal or ".", ".")
    pattern = _EXACT_NUMBER if rules.decimal or rules.thousands else _NUMBER
    if not pattern.fullmatch(text):
        raise CellError("expected a number; the mapping can state `decimal` and `thousands`")
    number = Decimal(text.replace(",", ".")) * times
    if times == 1 and number != round(number, 2):
        raise CellError("expected a number with at most two decimals")
    return to_json_number(round(number, 2))
