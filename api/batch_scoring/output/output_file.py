"""Writes the output file of a run: encodes its parts, and puts them together."""

import os
from pathlib import Path

import polars as pl

from api.batch_scoring.checkpoints import Checkpoints, read_files, sync_folder
from api.batch_scoring.compression import compress_member
from api.batch_scoring.file_formats import FileFormat
from api.batch_scoring.output.encoders import (
    encode_csv,
    encode_ipc,
    encode_ndjson,
    merge_into_parquet,
)
from api.batch_scoring.output.spss import write_spss
from api.batch_scoring.output.workbook import write_workbook
from scoring.compiled_rulebook import LoadedRulebook


def encode_part(results: pl.DataFrame, output: FileFormat, *, first: bool) -> bytes:
    """Return the results of one part, of which the first has the header."""
    match output.format:
        case "csv":
            return compress_member(encode_csv(results, header=first), output.compression)
        case "ndjson":
            return compress_member(encode_ndjson(results), output.compression)
        case _:
            return encode_ipc(results)


def merge_parts(output: FileFormat, parts: Checkpoints, out: Path, loaded: LoadedRulebook) -> None:
    """Put the parts together in a file that appears when it is complete.

    Raises UnusableInputError for results that the format cannot hold.
    """
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        match output.format:
            case "parquet":
                merge_into_parquet(parts.list_files(), unfinished)
            case "xlsx":
                write_workbook(parts.list_files(), unfinished, loaded)
            case "sav":
                write_spss(parts.list_files(), unfinished, loaded)
            case _:
                with unfinished.open("wb") as stream:
                    stream.writelines(read_files(parts.list_files()))
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(out.parent)
