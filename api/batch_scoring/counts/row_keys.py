"""Finds rows whose `row_id` occurred before in the run, with the same or with other content."""

import io
from collections.abc import Callable, Sequence

import polars as pl

from api.batch_scoring.counts.part_counts import count_tiers
from schemas.batches.batch import MAX_NOTICE_ROWS, ROW_ID, TIER_COLUMN, NoticeCode, RowNotice

MAX_ROWS = 20_000_000
"""Rows of which keys are compared, with about 20 bytes of memory each."""


def encode_row_keys(rows: pl.DataFrame, results: pl.DataFrame | None = None) -> bytes:
    """Return the keys of a part: hashes of each `row_id` and row, and the tier if it is known."""
    if ROW_ID not in rows.columns or rows[ROW_ID].null_count() == rows.height:
        return b""
    keys = pl.DataFrame(
        {
            "key": rows[ROW_ID].cast(pl.String).hash(),
            "content": rows.hash_rows(),
            TIER_COLUMN: _list_tiers(results, rows.height),
            "row": pl.Series(range(rows.height), dtype=pl.UInt32),
        }
    ).filter(rows[ROW_ID].is_not_null())
    buffer = io.BytesIO()
    keys.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def _list_tiers(results: pl.DataFrame | None, height: int) -> pl.Series:
    if results is None:
        return pl.Series([None] * height, dtype=pl.Categorical)
    return results[TIER_COLUMN].cast(pl.String).cast(pl.Categorical)


def find_repeated_rows(parts: Sequence[tuple[int, Callable[[], bytes]]]) -> list[RowNotice]:
    """Return notices of rows with a known `row_id`.

    Each part comes with the rows before it and a function that reads its keys. Of all parts only
    the hashes of ids are in memory together.
    """
    readers = [part for part in parts if part[0] < MAX_ROWS]
    ids = [pl.read_ipc(io.BytesIO(content))["key"] for _, read in readers if (content := read())]
    if not ids:
        return []
    all_ids = pl.concat(ids)
    repeated_ids = all_ids.filter(all_ids.is_duplicated()).unique()
    if repeated_ids.is_empty():
        return []
    frames = [
        pl.read_ipc(io.BytesIO(content))
        .filter(pl.col("key").is_in(repeated_ids.implode()))
        .with_columns(
            pl.col("row").cast(pl.UInt64) + rows_before + 1, pl.col(TIER_COLUMN).cast(pl.String)
        )
        for rows_before, read in readers
        if (content := read())
    ]
    repeated = pl.concat(frames).with_columns(
        (~pl.col("key").is_first_distinct()).alias("is_later"),
        (pl.col("content") != pl.col("content").first().over("key")).alias("is_other"),
    )
    later = repeated.filter(pl.col("is_later"))
    kinds: tuple[tuple[NoticeCode, pl.DataFrame], ...] = (
        ("conflicting_row_id", later.filter(pl.col("is_other"))),
        ("repeated_row_id", later.filter(~pl.col("is_other"))),
    )
    return [
        RowNotice(
            code=code,
            rows=rows.height,
            first_rows=tuple(rows["row"].head(MAX_NOTICE_ROWS)),
            tiers=count_tiers(rows),
        )
        for code, rows in kinds
        if rows.height
    ]
