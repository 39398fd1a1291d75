"""Results out: a frame of results in, the bytes of CSV or NDJSON, or a Parquet file, out."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from schemas.batch import JOINED_BY

_FORMULA = r"^(?:\s*[=+\-@＝＋－＠]|[\t\r\n])"  # noqa: RUF001 - spreadsheets read the wide forms too
_NUMBER = r"^\s*[+-]?[0-9]+(?:[.,][0-9]+)?\s*$"
_WHOLE = re.compile(rb'(?<=[,{])("[A-Za-z0-9_]+":-?[0-9]+)\.0(?=[,}])')


def as_csv(results: pl.DataFrame, *, header: bool) -> bytes:
    """The results as CSV: lists joined by `|`, no text that a spreadsheet would run."""
    told = results.select([_cell(name, kind) for name, kind in results.schema.items()])
    buffer = io.BytesIO()
    told.write_csv(buffer, include_header=header)
    return buffer.getvalue()


def as_ndjson(results: pl.DataFrame) -> bytes:
    """The results as NDJSON: one object a line, whole numbers without a point."""
    buffer = io.BytesIO()
    results.write_ndjson(buffer)
    return _WHOLE.sub(rb"\1", buffer.getvalue())


def as_part(results: pl.DataFrame) -> bytes:
    """The results as they wait to become a part of one Parquet file."""
    buffer = io.BytesIO()
    results.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def parquet_of(parts: Sequence[Path], file: Path) -> None:
    """One Parquet file of all parts, in their order, a row group of bounded size at a time."""
    pl.scan_ipc(list(parts)).sink_parquet(file, row_group_size=ROW_GROUP)


ROW_GROUP = 131_072


def _cell(name: str, kind: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if isinstance(kind, pl.List):
        return _harmless(value.cast(pl.List(pl.String)).list.join(JOINED_BY)).alias(name)
    if kind == pl.String:
        return _harmless(value).alias(name)
    if kind.is_float():
        return value.cast(pl.String).str.strip_suffix(".0")
    return value


def _harmless(text: pl.Expr) -> pl.Expr:
    """With an apostrophe before what a spreadsheet would take for a formula; -1.5 is none."""
    runs = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(runs).then("'" + text).otherwise(text)
