"""Maps the column names of a file to the rulebook's questions and refuses unknown columns."""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from api.batch_scoring.file_formats import UnusableInputError, describe_unknown, join_names
from schemas.batch import PASSTHROUGH_COLUMNS
from scoring.compiled_rulebook import LoadedRulebook


class ColumnNames:
    """The column names that a rulebook accepts. `mapping` translates names of the file to them."""

    def __init__(
        self,
        loaded: LoadedRulebook,
        mapping: Mapping[str, str] | None = None,
        *,
        ignore_unknown: bool = False,
    ) -> None:
        self.questions = loaded.questions
        self.known = {*PASSTHROUGH_COLUMNS, *loaded.questions}
        self.mapping = dict(mapping or {})
        self.ignore_unknown = ignore_unknown
        unknown = sorted(set(self.mapping.values()) - self.known)
        if unknown:
            raise UnusableInputError(
                "the mapping contains names that "
                f"{loaded.name} does not have: {join_names(unknown)}"
            )

    def match_header(self, header: Sequence[str]) -> dict[int, str]:
        """Return the accepted name of each column to read, by position. Raises UnusableInputError.

        Messages give unknown columns by position: without a header, the names are a patient's row.
        """
        names = [self.mapping.get(name, name) for name in header]
        unknown = [place for place, name in enumerate(names) if name not in self.known]
        if unknown and not self.ignore_unknown:
            raise UnusableInputError(
                f"{describe_unknown(unknown, len(names), 'columns')}; "
                "the header must contain ids of the rulebook's questions",
                option="--ignore-unknown ignores them",
            )
        columns = {place: name for place, name in enumerate(names) if name in self.known}
        duplicates = sorted(name for name, count in Counter(columns.values()).items() if count > 1)
        if duplicates:
            raise UnusableInputError(f"duplicate columns: {join_names(duplicates)}")
        if not columns:
            raise UnusableInputError("no column is a question of the rulebook")
        return columns


def load_column_mapping(file: Path) -> dict[str, str]:
    """Read a TOML or JSON file with one table from column names to question ids."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        table = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UnusableInputError(f"the mapping cannot be read: {type(error).__name__}") from None
    names = table.get("columns", table) if isinstance(table, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UnusableInputError(
            'the mapping must be one table: "column in the file" = "question id"'
        )
    return names
