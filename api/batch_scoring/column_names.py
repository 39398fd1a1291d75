"""Maps the column names of a file to the rulebook's questions and refuses unknown columns."""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from api.batch_scoring.file_formats import (
    UnusableInputError,
    describe_unknown,
    join_first,
    join_names,
)
from api.batch_scoring.mapping.missing_codes import MissingCodes
from scoring.columns.output_columns import OutputColumns
from scoring.columns.reading.question_names import QuestionNames
from scoring.compiled_rulebook import LoadedRulebook


class HeaderMatch(NamedTuple):
    """The accepted name of each column to read, by position, and the columns not read."""

    columns: dict[int, str]
    left_out: tuple[str, ...]


class ColumnNames:
    """The column names that a rulebook accepts. `mapping` translates names of the file to them.

    Columns to `keep` are not questions; they are returned with the results. A cell with a `missing`
    word or code is not answered.

    Without `may_quote`, messages give columns by position: a name may be a patient's answer.
    """

    def __init__(  # noqa: PLR0913 - what a file may have besides questions
        self,
        loaded: LoadedRulebook,
        mapping: Mapping[str, str] | None = None,
        *,
        keep: Sequence[str] = (),
        missing: Sequence[str] = (),
        ignore_unknown: bool = False,
        may_quote: bool = False,
    ) -> None:
        self.questions = loaded.questions
        self.names = QuestionNames(loaded)
        self.mapping = dict(mapping or {})
        self.keep = tuple(dict.fromkeys(keep))
        self.missing = MissingCodes(missing)
        self.ignore_unknown = ignore_unknown
        self._may_quote = may_quote
        result_names = {*OutputColumns(loaded).names_with_explanations, *loaded.questions}
        taken_names = sorted(result_names.intersection(self.keep))
        if taken_names:
            raise UnusableInputError(
                f"the results have a column {join_names(taken_names)}; rename yours to keep it"
            )
        unknown = sorted(set(self.mapping.values()) - self.names.known)
        if unknown:
            raise UnusableInputError(
                "the mapping contains names that "
                f"{loaded.name} does not have: {join_names(unknown)}"
            )

    def is_known(self, name: str) -> bool:
        """Return whether a column of this name is read."""
        return self.mapping.get(name, name) in self.names.known or name in self.keep

    def match_header(self, header: Sequence[str]) -> HeaderMatch:
        """Return the use of each column. Raises UnusableInputError.

        A column whose name is nearly that of a question is refused even if others are not.
        """
        names = [self.mapping.get(name, name) for name in header]
        unknown = [place for place, name in enumerate(names) if not self._is_read(name)]
        missing = [name for name in self.keep if name not in names]
        if missing:
            raise UnusableInputError(f"no column {join_names(missing)} to keep")
        self._refuse_mistyped(names, unknown)
        if unknown and not self.ignore_unknown:
            raise UnusableInputError(
                f"{self._describe(header, unknown)}; "
                "the header must contain ids of the rulebook's questions",
                option="--ignore-unknown ignores them",
            )
        columns = {place: name for place, name in enumerate(names) if self._is_read(name)}
        duplicates = sorted(name for name, count in Counter(columns.values()).items() if count > 1)
        if duplicates:
            raise UnusableInputError(f"duplicate columns: {join_names(duplicates)}")
        if not columns:
            raise UnusableInputError("no column is a question of the rulebook")
        return HeaderMatch(columns, tuple(header[place] for place in unknown))

    def _is_read(self, name: str) -> bool:
        return name in self.names.known or name in self.keep

    def find_nearest(self, name: str) -> str | None:
        """Return the question with the most similar name; None if no name is similar."""
        return self.names.find_nearest(name)

    def _refuse_mistyped(self, names: list[str], unknown: list[int]) -> None:
        mistyped = self.names.list_mistyped(names[place] for place in unknown)
        if not mistyped:
            return
        columns = [
            f"column {place + 1}{f' {names[place][:80]!r}' if self._may_quote else ''}: did you "
            f"mean {mistyped[names[place]]}?"
            for place in unknown
            if names[place] in mistyped
        ]
        raise UnusableInputError(f"{join_first(columns)} Rename it in the file or in the mapping")

    def _describe(self, header: Sequence[str], unknown: list[int]) -> str:
        """Describe unknown columns by name if the line is a header: if it has a known name."""
        text = describe_unknown(unknown, len(header), "columns")
        if not self._may_quote or not any(map(self.is_known, header)):
            return text
        return f"{text}: {join_names([header[place] for place in unknown])}"


def maps_questions(file: Path) -> bool:
    """Return whether a mapping file has `[[question]]` blocks, and not one table of names."""
    try:
        return "question" in tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False


def load_column_mapping(file: Path) -> dict[str, str]:
    """Read a TOML or JSON file with one table from column names to question ids."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        table = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not valid TOML or JSON"
        raise UnusableInputError(f"the mapping {file} cannot be read: {reason}") from None
    names = table.get("columns", table) if isinstance(table, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UnusableInputError(
            'the mapping must be one table: "column in the file" = "question id"'
        )
    return names
