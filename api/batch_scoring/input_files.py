"""Finds the input files of a run and reads them in pieces."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.compression import DamagedInputError
from api.batch_scoring.file_formats import (
    STANDARD_STREAM,
    FileFormat,
    UnusableInputError,
    detect_format,
    expand_pattern,
    open_input,
)
from api.batch_scoring.readers.base import FilePiece
from api.batch_scoring.readers.csv import CsvOptions, read_csv_pieces
from api.batch_scoring.readers.ndjson import read_ndjson_pieces
from api.batch_scoring.readers.parquet import read_parquet_pieces
from scoring.compiled_rulebook import LoadedRulebook


class InputFile(NamedTuple):
    """One input; `label` is its name in problems, None if it is the only input."""

    name: str
    file_format: FileFormat
    label: str | None


class ReadOptions(NamedTuple):
    """How input files are read; sizes that are None are the usual ones."""

    csv: CsvOptions = CsvOptions()
    block_bytes: int | None = None
    record_bytes: int | None = None


def find_input_files(source: str, input_format: str | None) -> list[InputFile]:
    """Return the files that a name or pattern matches. Raises UnusableInputError."""
    names = expand_pattern(source)
    several = len(names) > 1
    return [
        InputFile(name, detect_format(name, input_format), Path(name).name if several else None)
        for name in names
    ]


def read_pieces(
    files: list[InputFile], loaded: LoadedRulebook, names: ColumnNames, options: ReadOptions
) -> Iterator[tuple[InputFile, FilePiece]]:
    """Yield the pieces of all files. Raises OSError, UnusableInputError (which names it)."""
    for file in files:
        with _naming_file(file):
            for piece in _read_file(file, loaded, names, options):
                yield file, piece


def refuse_same_files(read_files: list[str], written_files: list[str]) -> None:
    """Raise UnusableInputError if a file to be written is also read, or written twice."""
    for number, name in enumerate(written_files):
        for other in (*read_files, *written_files[:number]):
            if _is_same_file(name, other):
                use = "read" if other in read_files else "written"
                raise UnusableInputError(
                    f"{name}: is also a file to be {use} ({other}); give another name"
                )


def _is_same_file(name: str, other: str) -> bool:
    if STANDARD_STREAM in (name, other):
        return False
    try:
        return os.path.samefile(name, other)  # noqa: PTH121 - follows links on both sides
    except OSError:
        return Path(name).resolve() == Path(other).resolve()


@contextmanager
def _naming_file(file: InputFile) -> Iterator[None]:
    name = "standard input" if file.name == STANDARD_STREAM else file.name
    try:
        yield
    except UnusableInputError as error:
        raise UnusableInputError(f"{name}: {error}", option=error.option) from None
    except DamagedInputError as error:
        raise UnusableInputError(f"{name}: {error}") from None


def _read_file(
    file: InputFile, loaded: LoadedRulebook, names: ColumnNames, options: ReadOptions
) -> Iterator[FilePiece]:
    if file.file_format.format == "parquet":
        yield from _read_parquet(file, names)
        return
    sizes = {"block_bytes": options.block_bytes, "record_bytes": options.record_bytes}
    with open_input(file.name, file.file_format.compression) as stream:
        if file.file_format.format == "csv":
            yield from read_csv_pieces(stream, names, options.csv, **sizes)
        else:
            yield from read_ndjson_pieces(stream, loaded, names, **sizes)


def _read_parquet(file: InputFile, names: ColumnNames) -> Iterator[FilePiece]:
    if file.name != STANDARD_STREAM:
        size = Path(file.name).stat().st_size
        yield from read_parquet_pieces(file.name, names, size=size)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "in.parquet"
        with copy.open("wb") as stream:
            while piece := sys.stdin.buffer.read(1024 * 1024):
                stream.write(piece)
        yield from read_parquet_pieces(str(copy), names, size=copy.stat().st_size)
