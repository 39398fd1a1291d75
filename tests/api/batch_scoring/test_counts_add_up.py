"""Each row of a damaged file is scored, set aside or reported; written results are read again."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.local_run import BatchRun, run_batch
from api.batch_scoring.output.results_codebook import render_results_codebook_csv
from api.cli import main
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules

LOADED = load_catalogue().find_active("phq4")
RULES = compile_column_rules(LOADED)
LINES = [
    b"row_id,phq4_nervous,phq4_worrying",
    *(b"r%d,%d,%d" % (number, number % 4, (number + 1) % 4) for number in range(8)),
    b"x,9,1",
    b"y,,",
    "\u00fcber,1,2".encode(),
]


@st.composite
def damaged_files(draw) -> bytes:
    """A file whose lines were repeated, moved, cut, or changed in a byte."""
    rows = draw(st.permutations(LINES[1:]))
    repeats = draw(st.lists(st.sampled_from([*rows, b"", b",,"]), max_size=4))
    content = bytearray(b"\n".join([LINES[0], *rows, *repeats, b""]))
    header = len(LINES[0]) + 1
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(header, len(content) - 1))
        content[place] ^= draw(st.integers(1, 255))
    return bytes(content[: draw(st.integers(header, len(content)))])


@given(damaged_files())
def test_rows_in_are_results_or_told(content):
    with TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.csv", Path(folder) / "out.parquet"
        source.write_bytes(content)
        try:
            summary = run_batch(BatchRun(str(source), str(out), RULES, ColumnNames(LOADED)))
        except UnusableInputError:
            assert [file.name for file in Path(folder).iterdir()] == ["in.csv"]
            return
        results = pl.read_parquet(out)
    assert summary.rows == results.height
    assert summary.rows_with_problems == results["status"].null_count()
    assert sum(summary.by_status.values()) + summary.rows_with_problems == summary.rows
    assert sum(summary.by_tier.values()) + summary.rows_with_problems == summary.rows
    assert (summary.rows_with_problems > 0) == bool(summary.problems_total)
    assert sum(group.rows for group in summary.faults) >= summary.rows_with_problems
    if b'"' not in content and b"\r" not in content and b"\x1a" not in content:
        lines = content.rstrip(b"\n").split(b"\n")[1:]
        assert summary.rows == sum(1 for line in lines if line)
        identifiers = [line.split(b",")[0] for line in lines if line.count(b",") == 2]
        repeats = len(identifiers) - len(set(identifiers))
        notices = [it for it in summary.notices if it.code.endswith("row_id")]
        assert bool(notices) <= bool(repeats)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst", "ndjson", "parquet"])
def test_results_can_be_read_again_as_a_batch(tmp_path, suffix):
    source, out = tmp_path / "in.csv", tmp_path / f"out.{suffix}"
    source.write_bytes(b"\n".join(LINES))
    words = ["--rulebook", "phq4"]
    assert CliRunner().invoke(main, ["batch", str(source), "-o", str(out), *words]).exit_code == 1
    again = tmp_path / "again.parquet"
    command = ["batch", str(out), "-o", str(again), "--ignore-unknown", *words]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert pl.read_parquet(again)["row_id"].to_list() == pl.read_csv(source)["row_id"].to_list()


def test_the_codebook_of_results_has_every_column_and_every_value_that_occurs():
    loaded = load_catalogue().find_active("nociplastic")
    rows = [*csv.DictReader(io.StringIO(render_results_codebook_csv(loaded)))]
    columns = [*dict.fromkeys(row["column"] for row in rows)]
    assert columns == [*compile_column_rules(loaded).columns, "source_file", "source_line"]
    assert [row["column"] for row in rows if not row["meaning"]] == []
    tiers = [row["value"] for row in rows if row["column"] == "tier"]
    assert tiers == [*(tier.id for tier in loaded.rulebook.tier), "none", "not_all_asked"]
    outcome = CliRunner().invoke(main, ["batch", "--results-codebook"])
    assert len([*csv.DictReader(io.StringIO(outcome.stdout))]) == len(rows)
