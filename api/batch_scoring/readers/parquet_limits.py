"""Limits on the memory that a Parquet file takes: refuses a file, or returns the rows per slice.

A file of answers needs little: one value per row, or as many as a question has options.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.parquet_metadata import RowGroup
from schemas.rulebook import Question

SLICE_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 32 * 1024 * 1024
DICTIONARY_BYTES = 64 * 1024 * 1024
"""The most that the dictionaries of a row group may unpack to: all are in memory at once."""

_VALUE_BYTES = 16


class ParquetLimits(NamedTuple):
    """The row groups of a file, and the question that each column answers, if any."""

    groups: Sequence[RowGroup]
    questions: Mapping[str, Question | None]

    @property
    def rows_per_slice(self) -> int:
        """The rows of a slice, sized for the row group with the largest rows."""
        return max(1, SLICE_BYTES // max(map(_row_bytes, self.groups), default=1))

    def check(self, limit: int | None) -> None:
        """Check that the file needs no more memory than answers can need.

        `limit` is the number of bytes to which the file may unpack. Raises UnusableInputError.
        """
        for group in self.groups:
            self._check_group(group)
        size = sum(
            column.unpacked_bytes for group in self.groups for column in group.columns.values()
        )
        if limit is not None and size > limit:
            raise unpacked_size_error(limit)

    def _check_group(self, group: RowGroup) -> None:
        for name, column in group.columns.items():
            question = self.questions[name]
            is_multi = question is not None and question.kind == "multi"
            options = len(question.options) if question is not None and is_multi else 1
            if column.values > group.rows * options:
                allowed = "one value a row" if options == 1 else f"{options} values a row"
                raise UnusableInputError(f"column {name!r} must hold at most {allowed}")
            if column.largest_page_bytes > PAGE_BYTES:
                raise UnusableInputError(
                    f"column {name!r}: no page must unpack to more than {PAGE_BYTES:,} bytes"
                )
        if sum(column.dictionary_bytes for column in group.columns.values()) > DICTIONARY_BYTES:
            raise UnusableInputError(
                f"no row group must have dictionaries of more than {DICTIONARY_BYTES:,} bytes"
            )


def unpacked_size_error(limit: int) -> UnusableInputError:
    """Return the error for a file that unpacks to more than `limit` bytes."""
    return UnusableInputError(f"it must not unpack to more than {limit:,} bytes")


def _row_bytes(group: RowGroup) -> int:
    """Return the average bytes of a row, at least 1."""
    size = sum(
        max(column.unpacked_bytes, column.values * _VALUE_BYTES)
        for column in group.columns.values()
    )
    return max(1, size // max(1, group.rows))
