"""Names of columns: as a file has them in, as the rulebook has them out; others are refused."""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from api.batch_scoring.file_formats import UnusableInputError, names_told, unknown_told
from schemas.batch import PASSED_THROUGH
from scoring.compiled_rulebook import LoadedRulebook


class ColumnNames:
    """What each column of the files means. `mapping` is from their names to ours."""

    def __init__(
        self,
        loaded: LoadedRulebook,
        mapping: Mapping[str, str] | None = None,
        *,
        ignore_unknown: bool = False,
    ) -> None:
        self.questions = loaded.questions
        self.known = {*PASSED_THROUGH, *loaded.questions}
        self.mapping = dict(mapping or {})
        self.ignore_unknown = ignore_unknown
        wrong = sorted(set(self.mapping.values()) - self.known)
        if wrong:
            raise UnusableInputError(
                f"the mapping names what {loaded.name} does not ask: {names_told(wrong)}"
            )

    def kept(self, header: Sequence[str]) -> dict[int, str]:
        """The places of the columns that are read, each with our name. Or UnusableInputError.

        What is not known is told by its place: where a header is missing, it is a patient's row.
        """
        names = [self.mapping.get(name, name) for name in header]
        unknown = [place for place, name in enumerate(names) if name not in self.known]
        if unknown and not self.ignore_unknown:
            raise UnusableInputError(
                f"{unknown_told(unknown, len(names), 'columns')}; "
                "a header names questions of the rulebook",
                option="--ignore-unknown leaves them out",
            )
        kept = {place: name for place, name in enumerate(names) if name in self.known}
        if len(set(kept.values())) < len(kept):
            counted = Counter(kept.values())
            twice = sorted(name for name, count in counted.items() if count > 1)
            raise UnusableInputError(f"columns that occur twice: {names_told(twice)}")
        if not kept:
            raise UnusableInputError("no column is a question of the rulebook")
        return kept


def read_mapping(file: Path) -> dict[str, str]:
    """A TOML or JSON file with one table, from their names to ours."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        table = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UnusableInputError(f"the mapping cannot be read: {type(error).__name__}") from None
    names = table.get("columns", table) if isinstance(table, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UnusableInputError('the mapping is one table: "their name" = "our name"')
    return names
