"""File formats of a batch: detects them from names, opens inputs and compresses outputs.

UnusableInputError    the caller must act: nothing can be read from the input
"""

import glob
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from api.batch_scoring.compression import Compression, decompress

BatchFormat = Literal["csv", "ndjson", "parquet"]
STANDARD_STREAM = "-"
_FORMATS: dict[str, BatchFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


class UnusableInputError(Exception):
    """Input, or a file name, from which no batch can be read. The message contains no answer.

    `option` is a hint for the command line only.
    """

    def __init__(self, message: str, *, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class FileFormat(NamedTuple):
    """The format of a file and its compression."""

    format: BatchFormat
    compression: Compression | None


def detect_format(name: str, override: str | None = None) -> FileFormat:
    """Detect format and compression from a file name, or from `override` (csv, csv.gz ...)."""
    suffixes = Path(f"x.{override}" if override else name).suffixes[-2:]
    compression = _COMPRESSIONS.get(suffixes[-1].lower()) if suffixes else None
    rest = suffixes[:-1] if compression else suffixes
    kind = _FORMATS.get(rest[-1].lower()) if rest else None
    if kind is None or (compression and kind == "parquet"):
        raise UnusableInputError(
            "unknown file format: use .csv, .ndjson or .parquet (.csv and .ndjson also with .gz or "
            ".zst), or pass --format and --output-format"
        )
    return FileFormat(kind, compression)


def expand_pattern(pattern: str) -> tuple[str, ...]:
    """Return the files that a name or a pattern matches, sorted; `-` is standard input."""
    if pattern == STANDARD_STREAM or Path(pattern).is_file():
        return (pattern,)
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - patterns may be absolute
    files = tuple(sorted(name for name in names if Path(name).is_file()))
    if not files:
        raise UnusableInputError(f"{pattern}: no such file")
    return files


@contextmanager
def open_input(name: str, compression: Compression | None) -> Iterator[BinaryIO]:
    """Open a file and decompress it as it is read. Raises OSError if it cannot be opened."""
    if name == STANDARD_STREAM:
        yield decompress(sys.stdin.buffer, compression)
        return
    with Path(name).open("rb") as stream:
        yield decompress(stream, compression)


def describe_unknown(places: Sequence[int], total: int, noun: str) -> str:
    """Describe unknown names in a message by position: a name could contain patient data."""
    positions = join_first([str(place + 1) for place in places])
    return f"{len(places):,} of {total:,} {noun} are unknown (positions from 1): {positions}"


def join_names(names: Sequence[str]) -> str:
    """Return the first 20 names for a message, and how many more there are."""
    return join_first([repr(name[:80]) for name in names])


def join_first(items: Sequence[str], limit: int = 20) -> str:
    """Return the first items for a message, and how many more there are."""
    text = ", ".join(items[:limit])
    more = len(items) - limit
    return f"{text} and {more:,} more" if more > 0 else text
