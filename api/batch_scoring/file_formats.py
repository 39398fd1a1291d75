"""Files of a batch: names in, formats and streams out.

UnusableInputError    the caller must act: nothing can be read from what was given
"""

import glob
import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

Format = Literal["csv", "ndjson", "parquet"]
Packing = Literal["gzip", "zstd"]
STANDARD = "-"
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PACKINGS: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd"}


class UnusableInputError(Exception):
    """Input, or a name of one, from which no batch can be read. The message holds no answer.

    `option` is what helps on the command line, and there alone.
    """

    def __init__(self, message: str, *, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class Named(NamedTuple):
    """What a name tells: the format and how it is packed."""

    format: Format
    packing: Packing | None


def told_by(name: str, given: str | None = None) -> Named:
    """Format and packing of a file by its name; `given` (csv, csv.gz ...) goes before it."""
    suffixes = Path(f"x.{given}" if given else name).suffixes[-2:]
    packing = _PACKINGS.get(suffixes[-1].lower()) if suffixes else None
    rest = suffixes[:-1] if packing else suffixes
    kind = _FORMATS.get(rest[-1].lower()) if rest else None
    if kind is None or (packing and kind == "parquet"):
        raise UnusableInputError(
            "the format is not told by the name: it ends with .csv, .ndjson or .parquet "
            "(the first two also with .gz or .zst behind), or is named by --format and --to"
        )
    return Named(kind, packing)


def found(pattern: str) -> tuple[str, ...]:
    """The files that a name or a pattern means, sorted; `-` is standard input."""
    if pattern == STANDARD or Path(pattern).is_file():
        return (pattern,)
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - patterns may be absolute
    files = tuple(sorted(name for name in names if Path(name).is_file()))
    if not files:
        raise UnusableInputError("there is no file of that name")
    return files


@contextmanager
def opened(name: str, packing: Packing | None) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked as they are read. OSError where it cannot be opened."""
    if name == STANDARD:
        yield unpacked(sys.stdin.buffer, packing)
        return
    with Path(name).open("rb") as plain:
        yield unpacked(plain, packing)


def unpacked(plain: BinaryIO, packing: Packing | None) -> BinaryIO:
    """The stream, unpacked as it is read."""
    match packing:
        case "gzip":
            return cast("BinaryIO", gzip.GzipFile(fileobj=plain))
        case "zstd":
            import zstandard

            reader = zstandard.ZstdDecompressor().stream_reader(
                plain, read_across_frames=True, closefd=False
            )
            return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader)))
        case None:
            return plain


def packed(content: bytes, packing: Packing | None) -> bytes:
    """The content as one member: members one after another unpack to their contents in order."""
    match packing:
        case "gzip":
            return gzip.compress(content, compresslevel=6, mtime=0)
        case "zstd":
            import zstandard

            return zstandard.ZstdCompressor(level=3).compress(content)
        case None:
            return content


def unknown_told(places: Sequence[int], of: int, what: str) -> str:
    """Which of so many are not known, for a message: a name could be anybody's words."""
    return f"{len(places):,} of {of:,} {what} are not known, counted from 1: {places_told(places)}"


def places_told(places: Sequence[int], most: int = 20) -> str:
    """Places of columns, counted from 0, for a message that counts from 1 and names none."""
    shown = ", ".join(str(place + 1) for place in places[:most])
    more = len(places) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def names_told(names: Sequence[str], most: int = 20) -> str:
    """Names for a message: the first of them, and how many more there are."""
    shown = ", ".join(repr(name[:80]) for name in names[:most])
    more = len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown
