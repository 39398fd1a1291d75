"""Names the columns of a file that a mapping reads."""

from collections.abc import Sequence

from api.batch_scoring.column_names import ColumnNames, HeaderMatch
from api.batch_scoring.file_formats import UnusableInputError, join_first
from api.batch_scoring.mapping.mapping_file import IGNORED, ImportMapping
from scoring.compiled_rulebook import LoadedRulebook


class MappedNames(ColumnNames):
    """The columns of a file that a mapping reads, by the names that they have there."""

    def __init__(
        self,
        loaded: LoadedRulebook,
        mapping: ImportMapping,
        *,
        ignore_unknown: bool = False,
        reads_ignored: bool = False,
        may_quote: bool = True,
    ) -> None:
        super().__init__(loaded, keep=mapping.keep, may_quote=may_quote)
        self.questions = {}
        self.ignore_unknown = ignore_unknown or mapping.ignore_rest
        self._reads_ignored = reads_ignored
        self._uses = mapping.column_uses
        self.uses = {name: use for name, use in self._uses.items() if use != IGNORED}

    def is_known(self, name: str) -> bool:
        """Return whether the mapping contains a column of this name."""
        return name in self._uses

    def match_header(self, header: Sequence[str]) -> HeaderMatch:
        """Return the columns to read. Raises UnusableInputError.

        A column of the file is named only if the line has a column of the mapping, so that it is a
        header and no patient's row.
        """
        faults = [f"column {name!r} is not in the file" for name in self.uses if name not in header]
        may_quote = self._may_quote and any(map(self.is_known, header))
        if not self.ignore_unknown:
            faults += [
                f"column {repr(name) if may_quote else place} is not in the mapping: map it, or "
                "list it under `ignore`"
                for place, name in enumerate(header, 1)
                if name and name not in self._uses
            ]
        faults += [f"column {name!r} occurs twice" for name in self.uses if header.count(name) > 1]
        if faults:
            raise UnusableInputError(join_first(faults))
        left_out = tuple(name for name in header if name not in self.uses)
        if self._reads_ignored:
            places = {name: place for place, name in enumerate(header) if name}
            return HeaderMatch({place: name for name, place in places.items()}, left_out)
        columns = {place: name for place, name in enumerate(header) if name in self.uses}
        return HeaderMatch(columns, left_out)
