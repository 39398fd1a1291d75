"""Decodes a Parquet file in a child process of limited memory: a small file can unpack to any size.

The service sends a DecodeRequest, then the file in pieces, unless it has a path. The worker answers
with a description of each slice as JSON and its rows as Arrow IPC, or with the message
and option of an UnusableInputError. Empty messages end both.
"""

import importlib
import io
import json
import os
import pickle  # nosec B403 - read from our own parent process alone
import sys
from typing import BinaryIO

import polars as pl

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.parquet_decoder import DecodeRequest, collect_rows, decode_slices
from api.batch_scoring.readers.table_sources import load_libraries
from reports.render_worker import read_message, restrict_process, write_message


def main() -> None:
    """Apply the limits, signal readiness with an empty message, then decode one file."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _warm_up(sys.argv[2])
    restrict_process(int(sys.argv[1]))
    write_message(target, b"")
    request: DecodeRequest = pickle.loads(read_message(source) or b"")  # noqa: S301 # nosec B301 - from our own parent
    try:
        for part in decode_slices(request, request.path or _read_content(source)):
            rows = io.BytesIO()
            part.rows.write_ipc(rows, compat_level=pl.CompatLevel.oldest())
            description = part._asdict() | {"rows": part.rows.height}
            write_message(target, json.dumps(description).encode())
            write_message(target, rows.getvalue())
    except UnusableInputError as error:
        write_message(target, json.dumps([str(error), error.option]).encode())
    write_message(target, b"")


def _read_content(source: BinaryIO) -> io.BytesIO:
    content = io.BytesIO()
    while piece := read_message(source):
        content.write(piece)
    content.seek(0)
    return content


def _warm_up(kind: str) -> None:
    """Load the libraries for this kind of file, and all that Polars loads once."""
    importlib.import_module("api.batch_scoring.mapping.mapped_names")  # may be in a request
    load_libraries(kind)
    file = io.BytesIO()
    pl.DataFrame({"text": ["-"], "list": [["-"]]}).write_parquet(file)
    file.seek(0)
    collect_rows(pl.scan_parquet(file))


if __name__ == "__main__":
    main()
