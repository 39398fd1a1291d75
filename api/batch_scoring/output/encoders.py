"""Encodes a frame of results as CSV, NDJSON or Parquet."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from api.spreadsheets import FORMULA, encode_rows, escape_formula
from schemas.batches.batch import LIST_SEPARATOR

ROW_GROUP_ROWS = 131_072
_INTEGRAL = re.compile(rb'(?<=[,{])("[A-Za-z0-9_]+":-?[0-9]+)\.0(?=[,}])')


def encode_csv(results: pl.DataFrame, *, header: bool) -> bytes:
    """Encode as CSV: lists joined by `|`, and no text or name that a spreadsheet would run."""
    cells = results.select([_cell(name, kind) for name, kind in results.schema.items()])
    buffer = io.BytesIO()
    if header:
        buffer.write(encode_rows([cells.columns], line_end="\n"))
    cells.write_csv(buffer, include_header=False)
    return buffer.getvalue()


def encode_ndjson(results: pl.DataFrame) -> bytes:
    """Encode as NDJSON: one object per line, integral numbers without a decimal point."""
    buffer = io.BytesIO()
    results.write_ndjson(buffer)
    return _INTEGRAL.sub(rb"\1", buffer.getvalue())


def encode_ipc(results: pl.DataFrame) -> bytes:
    """Encode as Arrow IPC, the storage format of chunks."""
    buffer = io.BytesIO()
    results.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def merge_into_parquet(parts: Sequence[Path], file: Path) -> None:
    """Merge Arrow IPC files into one Parquet file, one row group at a time."""
    pl.scan_ipc(list(parts)).sink_parquet(file, row_group_size=ROW_GROUP_ROWS)


def _cell(name: str, kind: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if isinstance(kind, pl.List):
        return _escape(value.cast(pl.List(pl.String)).list.join(LIST_SEPARATOR)).alias(name)
    if kind == pl.String:
        return _escape(value).alias(name)
    if kind.is_float():
        return value.cast(pl.String).str.strip_suffix(".0")
    return value


def _escape(text: pl.Expr) -> pl.Expr:
    return text.map_batches(_escape_formulas, return_dtype=pl.String)


def _escape_formulas(texts: pl.Series) -> pl.Series:
    """Escape the formulas in a column, of which nearly all have none."""
    suspects = texts.str.contains(FORMULA).fill_null(value=False)
    if not suspects.any():
        return texts
    return texts.scatter(
        suspects.arg_true(), [escape_formula(text) for text in texts.filter(suspects)]
    )
