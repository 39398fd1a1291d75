"""The words that answer a question in a text cell, besides the ids of its options.

Labels count in every language that ships with the rulebook, in any case, as do yes and no in these
languages and the numbers that statistics programs write for them.
"""

import re
from collections.abc import Mapping
from functools import cache

from schemas.batches.batch import LIST_SEPARATOR, NONE_OF_THESE
from schemas.rulebooks.rulebook import Question, Rulebook
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import translate_rulebook

LANGUAGES = ("de", "es")
_YES = ("true", "yes", "1", "1.0", "1,0", "ja", "wahr", "s\u00ed", "si", "verdadero")
_NO = ("false", "no", "0", "0.0", "0,0", "nein", "falsch", "falso")
_NONE = ("none", "none of these", "none of the above", "nichts davon", "keine davon", "ninguna")
_BETWEEN_OPTIONS = re.compile(r"\s*\|\s*|[;,]\s+|\s*\n\s*")


class CellWords:
    """The words of one question; `parse` returns a cell as option ids, `true` or `false`."""

    def __init__(self, question: Question, labels: Mapping[str, str]) -> None:
        self.kind = question.kind
        ids = {option.id.casefold(): option.id for option in question.options}
        self.words: dict[str, str] = {**labels, **ids}
        if question.kind == "boolean":
            self.words = dict.fromkeys(_YES, "true") | dict.fromkeys(_NO, "false")
        elif question.kind == "multi":
            self.words = dict.fromkeys(_NONE, NONE_OF_THESE) | self.words
        self._longest_first = sorted(self.words, key=len, reverse=True)

    def parse(self, cell: str) -> str | None:
        """Return the cell in the words of batch files; None if it is not an answer."""
        text = _simplify(cell)
        if text in self.words:
            return self.words[text]
        return self._parse_several(text) if self.kind == "multi" else None

    def _parse_several(self, text: str) -> str | None:
        """Return several options; a label may itself contain a separator."""
        answers: list[str] = []
        while text:
            word = next(filter(text.startswith, self._longest_first), None)
            if word is None:
                return None
            text = text[len(word) :].strip(" ")
            separator = _BETWEEN_OPTIONS.match(text)
            if text and separator is None:
                return None
            text = text[separator.end() :] if separator else ""
            if separator and not text:
                return None
            answers.append(self.words[word])
        if len(set(answers)) < len(answers) or NONE_OF_THESE in answers:
            return None
        return LIST_SEPARATOR.join(answers)


@cache
def build_cell_words(loaded: LoadedRulebook) -> dict[str, CellWords]:
    """Return the words of each question of a rulebook that is answered in words."""
    translations = [translate_rulebook(loaded, language) for language in LANGUAGES]
    books = [loaded.rulebook, *filter(None, translations)]
    return {
        question.id: CellWords(question, _list_labels(books, question.id))
        for question in loaded.rulebook.question
        if question.kind in ("boolean", "choice", "multi")
    }


def _list_labels(books: list[Rulebook], question: str) -> dict[str, str]:
    """Return the option of each label; a label of two options, in two languages, is none."""
    options: dict[str, set[str]] = {}
    for book in books:
        for option in book.questions_by_id[question].options:
            options.setdefault(_simplify(option.label), set()).add(option.id)
    return {label: min(ids) for label, ids in options.items() if len(ids) == 1}


def _simplify(text: str) -> str:
    return re.sub(r"[^\S\n]+", " ", text.casefold()).strip()
