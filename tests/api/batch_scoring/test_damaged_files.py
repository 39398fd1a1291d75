"""Each row of a file of any kind that is damaged is scored, set aside or reported."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.table_files import TABLE_ENCODERS, TEXT_ENCODERS, Row

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.local_run import BatchRun, run_batch
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules

LOADED = load_catalogue().find_active("phq4")
RULES = compile_column_rules(LOADED)
ROWS: list[Row] = [*((f"r{n}", n % 4, (n + 1) % 4) for n in range(8)), ("x", 9, 1)]
CHECKED_KINDS = {"csv.gz", "csv.zst", "xlsx", "ods"}
"""Kinds of files with checksums of their whole content: what is read is what was written."""

TABLE_EXAMPLES = max(2, settings.default.max_examples // 25)
"""A table is read in a process of its own, which takes a second."""


class Damage(NamedTuple):
    """Rows in some order, some of them twice; bytes to change, and where to cut, as fractions."""

    rows: list[Row]
    flips: list[tuple[float, int]]
    end: float | None

    def apply(self, content: bytes) -> bytes:
        damaged = bytearray(content)
        for place, change in self.flips:
            damaged[int(place * len(content))] ^= change
        return bytes(damaged if self.end is None else damaged[: int(self.end * len(content))])


@st.composite
def damages(draw) -> Damage:
    fractions = st.floats(0, 1, exclude_max=True)
    rows = draw(st.permutations(ROWS))
    repeats = draw(st.lists(st.sampled_from(ROWS), max_size=3))
    flips = draw(st.lists(st.tuples(fractions, st.integers(1, 255)), max_size=2))
    return Damage([*rows, *repeats], flips, draw(st.none() | fractions))


@pytest.mark.parametrize("kind", TEXT_ENCODERS)
@given(damage=damages())
def test_rows_of_a_text_are_results_or_told(kind, damage):
    check_rows(kind, damage, TEXT_ENCODERS[kind](damage.rows))


@pytest.mark.parametrize("kind", TABLE_ENCODERS)
@settings(max_examples=TABLE_EXAMPLES)
@given(damage=damages())
def test_rows_of_a_table_are_results_or_told(kind, damage):
    check_rows(kind, damage, TABLE_ENCODERS[kind](damage.rows))


@pytest.mark.parametrize("kind", [*TEXT_ENCODERS, *TABLE_ENCODERS])
def test_rows_that_are_moved_and_repeated_keep_their_order_and_are_counted(kind):
    rows = [*reversed(ROWS), ROWS[3]]
    content = {**TEXT_ENCODERS, **TABLE_ENCODERS}[kind](rows)
    check_rows(kind, Damage(rows, [], None), content)


def check_rows(kind: str, damage: Damage, content: bytes) -> None:
    damaged = damage.apply(content)
    with TemporaryDirectory() as folder:
        source, out = Path(folder) / f"in.{kind}", Path(folder) / "out.parquet"
        source.write_bytes(damaged)
        try:
            summary = run_batch(BatchRun(str(source), str(out), RULES, ColumnNames(LOADED)))
        except UnusableInputError:
            assert damaged != content
            assert [file.name for file in Path(folder).iterdir()] == [source.name]
            return
        results = pl.read_parquet(out)
    assert summary.rows == results.height
    assert summary.rows_with_problems == results["status"].null_count()
    assert sum(summary.by_status.values()) + summary.rows_with_problems == summary.rows
    assert sum(group.rows for group in summary.faults) >= summary.rows_with_problems
    lost_rows = count_rows(kind, damaged, damage.rows) - summary.rows
    assert bool(lost_rows) <= bool(summary.notes)
    if damaged == content or kind in CHECKED_KINDS:
        assert results["row_id"].to_list() == [name for name, *_ in damage.rows]
        repeats = sum(notice.rows for notice in summary.notices if "row_id" in notice.code)
        assert repeats == len(damage.rows) - len(ROWS)
        assert summary.rows_with_problems == sum(name == "x" for name, *_ in damage.rows)


def count_rows(kind: str, damaged: bytes, rows: list[Row]) -> int:
    """Return how many rows the damaged file has."""
    if kind == "ndjson":
        return sum(1 for line in damaged.split(b"\n") if line.strip(b"\r\t "))
    return len(json.loads(damaged)) if kind == "json" else len(rows)
