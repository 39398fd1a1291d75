"""Finds the input files of a run and reads them in pieces."""

import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple, cast

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.compression import DamagedInputError, decompress
from api.batch_scoring.file_formats import (
    STANDARD_STREAM,
    TEXT_FORMATS,
    FileFormat,
    UnusableInputError,
    detect_format,
    expand_pattern,
    is_readable_name,
    join_first,
    list_unread_files,
)
from api.batch_scoring.mapping.mapped_rows import MappedPiece, RowMapper
from api.batch_scoring.mapping.mapping_file import ImportMapping
from api.batch_scoring.readers.base import FilePiece
from api.batch_scoring.readers.csv import CsvOptions, read_csv_pieces
from api.batch_scoring.readers.json_array import open_json_array
from api.batch_scoring.readers.ndjson import ResourceTranslator, read_ndjson_pieces
from api.batch_scoring.readers.parquet import read_parquet_pieces
from api.batch_scoring.readers.partitions import Partitions, parse_partitions
from api.batch_scoring.readers.table_damage import remove_spss_count
from api.batch_scoring.readers.table_sources import TableOptions
from scoring.compiled_rulebook import LoadedRulebook


class InputFile(NamedTuple):
    """One input; `label` is its name in problems, None if it is the only input.

    `member` is its name in a ZIP archive, `partitions` are the columns that its folders name.
    """

    name: str
    file_format: FileFormat
    label: str | None
    member: str | None = None
    partitions: Partitions = ()


class ReadOptions(NamedTuple):
    """How input files are read; sizes that are None are the usual ones."""

    csv: CsvOptions = CsvOptions()
    sheet: str | None = None
    mapping: ImportMapping | None = None
    translate_resource: ResourceTranslator | None = None
    block_bytes: int | None = None
    record_bytes: int | None = None


def find_input_files(source: str, input_format: str | None) -> list[InputFile]:
    """Return the files of a name, folder, pattern or ZIP archive. Raises UnusableInputError."""
    files = [
        InputFile(name, detect_format(member or name, input_format), None, member)
        for name in expand_pattern(source)
        for member in _list_members(name)
    ]
    root = Path(source) if Path(source).is_dir() else None
    if root is not None:
        files = [
            file._replace(partitions=parse_partitions(Path(file.name).relative_to(root)))
            for file in files
        ]
    if len(files) == 1:
        return files
    return [file._replace(label=_label(file, root)) for file in files]


def describe_unread_files(source: str) -> list[str]:
    """Return a sentence about the files in folders and ZIP archives that are not read, if any."""
    names = [
        f"{name}/{member}"
        for name in expand_pattern(source)
        if _is_archive(name)
        for member in _list_visible_members(name)
        if not is_readable_name(member)
    ]
    if Path(source).is_dir():
        names += list_unread_files(Path(source))
    if not names:
        return []
    return [f"{len(names):,} files were not read, of an unknown format: {join_first(names)}"]


def _list_members(name: str) -> list[str | None]:
    """Return the readable members of a ZIP archive; of another file None."""
    if not _is_archive(name):
        return [None]
    members = [member for member in _list_visible_members(name) if is_readable_name(member)]
    if not members:
        raise UnusableInputError(f"{name}: the archive has no file of a known format")
    return [*members]


def _is_archive(name: str) -> bool:
    return name.lower().endswith(".zip")


def _list_visible_members(name: str) -> list[str]:
    try:
        with zipfile.ZipFile(name) as archive:
            return [
                member
                for member in archive.namelist()
                if not member.startswith(("__MACOSX", ".")) and not member.endswith("/")
            ]
    except zipfile.BadZipFile:
        raise UnusableInputError(
            f"{name}: is not a ZIP archive, or is cut off or damaged"
        ) from None


def _label(file: InputFile, root: Path | None) -> str:
    path = Path(file.name)
    name = path.relative_to(root).as_posix() if root else path.name
    return f"{name}/{file.member}" if file.member else name


def add_file_options(options: ReadOptions, mapping: ImportMapping) -> ReadOptions:
    """Return the options with those of the mapping where the command line gives none."""
    csv = options.csv
    return options._replace(
        mapping=mapping,
        csv=csv._replace(
            encoding=csv.encoding or (None if mapping.encoding == "utf-8" else mapping.encoding),
            delimiter=csv.delimiter or (None if mapping.delimiter == "," else mapping.delimiter),
            header_line=mapping.header_line if csv.header_line == 1 else csv.header_line,
            skip_rows=csv.skip_rows or mapping.skip_rows,
        ),
    )


def read_pieces(
    files: list[InputFile], loaded: LoadedRulebook, names: ColumnNames, options: ReadOptions
) -> Iterator[tuple[InputFile, FilePiece]]:
    """Yield the pieces of all files. Raises OSError, UnusableInputError (which names it)."""
    mapper = None if options.mapping is None else RowMapper(loaded, options.mapping)
    for file in files:
        with _naming_file(file):
            if mapper is not None and file.file_format.format in {"ndjson", "json"}:
                raise UnusableInputError("a mapping with questions reads tables, not JSON")
            for piece in _read_file(file, loaded, names, options):
                yield file, piece if mapper is None else MappedPiece(piece, mapper)


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
    except (zipfile.BadZipFile, zlib.error):
        raise UnusableInputError(f"{name}: is cut off or damaged; fetch it again") from None


def _read_file(
    file: InputFile, loaded: LoadedRulebook, names: ColumnNames, options: ReadOptions
) -> Iterator[FilePiece]:
    if file.file_format.format not in TEXT_FORMATS:
        yield from _read_table(file, names, options)
        return
    sizes = {"block_bytes": options.block_bytes, "record_bytes": options.record_bytes}
    json_options: dict[str, Any] = {**sizes, "translate_resource": options.translate_resource}
    with _open_member(file) as raw:
        stream = decompress(raw, file.file_format.compression)
        match file.file_format.format:
            case "csv":
                yield from read_csv_pieces(stream, names, options.csv, **sizes)
            case "json":
                lines = open_json_array(stream)
                yield from read_ndjson_pieces(lines, loaded, names, **json_options)
            case _:
                yield from read_ndjson_pieces(stream, loaded, names, **json_options)


def _read_table(file: InputFile, names: ColumnNames, options: ReadOptions) -> Iterator[FilePiece]:
    kind = file.file_format.format
    table = TableOptions(kind, options.sheet, options.csv.header_line, options.csv.skip_rows)
    if file.name != STANDARD_STREAM and file.member is None and kind != "sav":
        size = Path(file.name).stat().st_size
        yield from read_parquet_pieces(file.name, names, size=size, table=table)
        return
    with TemporaryDirectory() as folder, _open_member(file) as source:
        copy = Path(folder) / f"in.{kind}"
        with copy.open("wb") as stream:
            shutil.copyfileobj(source, stream)
        if kind == "sav":
            table = table._replace(height=remove_spss_count(copy))
        yield from read_parquet_pieces(str(copy), names, size=copy.stat().st_size, table=table)


@contextmanager
def _open_member(file: InputFile) -> Iterator[BinaryIO]:
    """Open a file, a member of a ZIP archive, or standard input."""
    if file.name == STANDARD_STREAM:
        yield sys.stdin.buffer
    elif file.member is None:
        with Path(file.name).open("rb") as stream:
            yield stream
    else:
        with zipfile.ZipFile(file.name) as archive, archive.open(file.member) as member:
            yield cast("BinaryIO", member)
