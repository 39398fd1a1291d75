"""File formats of a batch: detects them from names, opens inputs and compresses outputs.

UnusableInputError    the caller must act: nothing can be read from the input
"""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from api.batch_scoring.compression import Compression

BatchFormat = Literal["csv", "ndjson", "parquet"]
InputFormat = Literal[
    "csv", "ndjson", "json", "parquet", "feather", "xlsx", "xls", "ods", "sav", "dta", "sas7bdat",
    "xpt",
]  # fmt: skip
STANDARD_STREAM = "-"
OUTPUT_FORMATS = ("csv", "ndjson", "parquet", "xlsx", "sav")
MERGED_FORMATS = ("parquet", "xlsx", "sav")
"""Formats that are written from parts in Arrow IPC."""
CODEBOOK_SHEET = "Codebook"
"""The sheet of a workbook of results that explains its columns; it holds no rows."""
TEXT_FORMATS = ("csv", "ndjson", "json")
_FORMATS: dict[str, InputFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".feather": "feather",
    ".arrow": "feather",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xls",
    ".ods": "ods",
    ".sav": "sav",
    ".zsav": "sav",
    ".dta": "dta",
    ".sas7bdat": "sas7bdat",
    ".xpt": "xpt",
}
_MARKS = (
    (b"PK\x03\x04", "a ZIP archive or a workbook: name it .zip, .xlsx or .ods"),
    (b"\xd0\xcf\x11\xe0", "an Excel 97 workbook: name it .xls"),
    (b"PAR1", "a Parquet file: name it .parquet"),
    (b"ARROW1", "an Arrow file: name it .feather"),
    (b"$FL", "an SPSS file: name it .sav"),
    (b"<stata_dta>", "a Stata file: name it .dta"),
    (b"\x1f\x8b", "compressed by gzip: name it .csv.gz"),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard: name it .csv.zst"),
    (b"%PDF", "a PDF document: export the table as CSV"),
)
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

    format: InputFormat
    compression: Compression | None


def detect_format(name: str, override: str | None = None) -> FileFormat:
    """Detect format and compression from a file name, or from `override` (csv, csv.gz ...)."""
    suffixes = Path(f"x.{override}" if override else name).suffixes[-2:]
    compression = _COMPRESSIONS.get(suffixes[-1].lower()) if suffixes else None
    rest = suffixes[:-1] if compression else suffixes
    kind = _FORMATS.get(rest[-1].lower()) if rest else None
    if kind is None or (compression and kind not in TEXT_FORMATS):
        raise UnusableInputError(
            f"{name}: unknown file format. These are read: {' '.join(_FORMATS)}, text also with "
            ".gz or .zst, and .zip; --format names the format of another file"
        )
    return FileFormat(kind, compression)


def detect_output_format(name: str, override: str | None = None) -> FileFormat:
    """Return format and compression of a file to be written."""
    file_format = detect_format(name, override)
    is_alias = override is None and name.lower().endswith((".xlsm", ".zsav"))
    if file_format.format not in OUTPUT_FORMATS or is_alias:
        raise UnusableInputError(
            f"{name}: results are written as {', '.join(OUTPUT_FORMATS)}; name one of these, or "
            "pass --output-format"
        )
    return file_format


def is_readable_name(name: str) -> bool:
    """Return whether files of this name are read."""
    try:
        detect_format(name)
    except UnusableInputError:
        return False
    return True


def describe_content(start: bytes) -> str | None:
    """Return what a file is by its first bytes if it is surely no text; otherwise None."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def expand_pattern(pattern: str) -> tuple[str, ...]:
    """Return the files that a name, folder or pattern matches, sorted; `-` is standard input.

    In a folder these are all files with a known name, also in its folders, unless hidden.
    """
    if pattern == STANDARD_STREAM or Path(pattern).is_file():
        return (pattern,)
    if Path(pattern).is_dir():
        files = tuple(sorted(_list_folder(Path(pattern))))
        if not files:
            raise UnusableInputError(f"{pattern}: the folder has no file of a known format")
        return files
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - patterns may be absolute
    files = tuple(sorted(name for name in names if Path(name).is_file()))
    if not files:
        raise UnusableInputError(f"{pattern}: no such file")
    return files


def list_unread_files(folder: Path) -> Iterator[str]:
    """Yield the files in a folder whose format is unknown, unless they are hidden."""
    for file in _list_visible_files(folder):
        if not _is_read(file):
            yield str(file)


def _list_folder(folder: Path) -> Iterator[str]:
    for file in _list_visible_files(folder):
        if _is_read(file):
            yield str(file)


def _list_visible_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        steps = file.relative_to(folder).parts
        is_hidden = any(step.startswith((".", "_")) for step in steps)
        if file.is_file() and not is_hidden:
            yield file


def _is_read(file: Path) -> bool:
    return is_readable_name(file.name) or file.suffix == ".zip"


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
