"""Finds the question that a mistyped column name means, by its id or its label."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from schemas.batches.batch import ANSWERED_ON, PASSTHROUGH_COLUMNS
from scoring.compiled_rulebook import LoadedRulebook

_LONGEST_NAME = 120
_SHORTEST_GUESS = 5
_CUTOFF = 0.86


class QuestionNames:
    """The names that columns may have, and the nearest of them to any other name."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self._rulebook = loaded.name
        self.known = {*PASSTHROUGH_COLUMNS, ANSWERED_ON, *loaded.questions}
        self._by_plain_name = {
            _simplify(question.label): question.id for question in loaded.questions.values()
        } | {_simplify(name): name for name in self.known}

    def find_nearest(self, name: str) -> str | None:
        """Return the column with the most similar name; None if no name is similar."""
        plain = _simplify(name[:_LONGEST_NAME])
        exact = self._by_plain_name.get(plain)
        if exact is not None or len(plain) < _SHORTEST_GUESS:
            return exact
        names = self._by_plain_name
        near = [name for name in names if abs(len(name) - len(plain)) <= 2]
        matches = get_close_matches(plain, near, n=1, cutoff=_CUTOFF)
        return names[matches[0]] if matches else None

    def list_mistyped(self, names: Iterable[str]) -> dict[str, str]:
        """Return the names that are similar to that of a column, each with that column."""
        nearest = {name: self.find_nearest(name) for name in names if name not in self.known}
        return {name: column for name, column in nearest.items() if column is not None}

    def refuse_unknown(self, names: Iterable[str], *, ignore_unknown: bool) -> None:
        """Raise ValueError for columns that are not questions, and for those that nearly are."""
        names = list(names)
        for name, question in self.list_mistyped(names).items():
            raise ValueError(f"column {name!r}: did you mean {question!r}? Rename or drop it")
        unknown = [name for name in names if name not in self.known]
        if unknown and not ignore_unknown:
            raise ValueError(
                f"{len(unknown)} columns are not questions of {self._rulebook}, such as "
                f"{unknown[0]!r}; drop them, or set ignore_unknown=True"
            )


def _simplify(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
