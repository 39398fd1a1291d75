"""The room that a Parquet file takes: its row groups in; refused, or how many rows to read at once.

A file of answers needs little: a value a row, or as many as a question has options.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.parquet_metadata import Group
from schemas.rulebook import Question

SLICE_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 32 * 1024 * 1024
WORDS_BYTES = 64 * 1024 * 1024
"""The most that the dictionaries of a row group unpack to: they are held all at once."""

_VALUE_BYTES = 16


class Room(NamedTuple):
    """The row groups of a file, and which question each column answers, if any."""

    groups: Sequence[Group]
    asked: Mapping[str, Question | None]

    @property
    def rows_each(self) -> int:
        """How many rows are a slice where the rows weigh the most."""
        return max(1, SLICE_BYTES // max(map(_row_bytes, self.groups), default=1))

    def refuse(self, most: int | None) -> None:
        """Raises UnusableInputError for what takes more room than answers can need.

        `most` is to how many bytes the whole may unpack.
        """
        for group in self.groups:
            self._refuse(group)
        size = sum(each.bytes for group in self.groups for each in group.columns.values())
        if most is not None and size > most:
            raise unpacks_to_more(most)

    def _refuse(self, group: Group) -> None:
        for name, column in group.columns.items():
            question = self.asked[name]
            several = question is not None and question.kind == "multi"
            options = len(question.options) if question is not None and several else 1
            if column.values > group.rows * options:
                told = "one value a row" if options == 1 else f"{options} values a row"
                raise UnusableInputError(f"column {name!r} must hold at most {told}")
            if column.page > PAGE_BYTES:
                raise UnusableInputError(
                    f"column {name!r}: no page must unpack to more than {PAGE_BYTES:,} bytes"
                )
        if sum(each.words for each in group.columns.values()) > WORDS_BYTES:
            raise UnusableInputError(
                f"no row group must have dictionaries of more than {WORDS_BYTES:,} bytes"
            )


def unpacks_to_more(most: int) -> UnusableInputError:
    """What is told of a file that is larger than it looks."""
    return UnusableInputError(f"it must not unpack to more than {most:,} bytes")


def _row_bytes(group: Group) -> int:
    """How much a row takes, on average; at least 1."""
    size = sum(max(each.bytes, each.values * _VALUE_BYTES) for each in group.columns.values())
    return max(1, size // max(1, group.rows))
