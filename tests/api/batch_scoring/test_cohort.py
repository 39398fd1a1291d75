"""A cohort counts what the rows say, withholds small counts, and its page needs nothing else."""

import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import polars as pl
import pytest
from support.scoring.engine_rows import random_intake
from support.scoring.second_rulebook import load_second
from typer.testing import CliRunner

from api.batch_scoring.cohort.small_counts import withhold_small_counts
from api.cli import main

LOADED = load_second()
CLINICS = ("North", "South", "West <b>")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of a batch of 300 rows, three of them of a tiny clinic, in two files."""
    folder, random = tmp_path_factory.mktemp("cohort"), Random(5)
    rows = [
        {
            "clinic": "Tiny" if number < 3 else random.choice(CLINICS),
            **{
                name: "|".join(answer) or "none" if isinstance(answer, list) else str(answer)
                for name, answer in random_intake(LOADED, random).items()
            },
        }
        for number in range(300)
    ]
    for number in range(2):
        part = rows[number * 150 : number * 150 + 150]
        pl.DataFrame(part, infer_schema_length=None).write_csv(folder / f"in{number}.csv")
    words = ["batch", f"{folder}/in*.csv", "-o", folder / "out.parquet", "--keep", "clinic",
             "--report", folder / "cohort.html", "--summary-json", folder / "s.json"]  # fmt: skip
    assert CliRunner().invoke(main, [*map(str, words)]).exit_code in {0, 1}
    return folder


def cohort_of(folder: Path) -> dict:
    return json.loads((folder / "s.json").read_text(encoding="utf-8"))["cohort"]


def test_every_count_is_that_of_the_rows(run):
    results, cohort = pl.read_parquet(run / "out.parquet"), cohort_of(run)
    tables = {table["id"]: table["counts"] for table in cohort["tables"]}
    assert [*tables][:4] == ["tier", "flags", "not_asked", "status"]
    columns = [name for name in tables if name in results.columns]
    assert len(columns) > 10
    for name in columns:
        values = results[name].explode() if results[name].dtype == pl.List else results[name]
        expected = Counter(str(value) for value in values.drop_nulls())
        assert {count["id"]: count["rows"] for count in tables[name]} == expected, name
    assert cohort["rows"] == results.height
    assert cohort["rows_not_all_asked"] == (~results["all_asked"]).sum()
    points = sum(count["rows"] for count in tables["distribution"])
    assert points == (results["status"] == "scored").sum()


def test_small_counts_by_clinic_are_withheld_and_the_others_are_true(run):
    results = pl.read_parquet(run / "out.parquet")
    tables = {table["title"]: table for table in cohort_of(run)["cross_tables"]}
    status = {row["value"]: row["counts"] for row in tables["Status"]["rows"]}
    assert [*status] == ["North", "South", "Tiny", "West <b>"]
    withheld = 0
    for clinic, counts in status.items():
        of_clinic = results.filter(pl.col("clinic") == clinic)
        for count in counts:
            rows = (of_clinic["status"] == count["id"]).sum()
            withheld += count["rows"] is None
            assert count["rows"] in {rows, None}
            assert count["rows"] is None or count["rows"] == 0 or count["rows"] >= 5
    assert withheld > 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[10, 20], [30, 40]], [[10, 20], [30, 40]]),
        ([[4, 20], [30, 40]], [[None, None], [None, None]]),
        ([[5, 0], [30, 40]], [[5, 0], [30, 40]]),
        ([[3, 40], [0, 50], [0, 60]], [[None, None], [None, None], [0, 60]]),
        ([[1, 2, 9], [3, 4, 9]], [[None, None, 9], [None, None, 9]]),
        ([[1, 8, 9], [7, 6, 5]], [[None, None, 9], [None, None, 5]]),
    ],
)
def test_no_withheld_count_follows_from_sums(counts, expected):
    assert withhold_small_counts(counts) == expected


def test_the_page_stands_alone_and_says_each_chart_in_words(run):
    page = (run / "cohort.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|url\(|@import|src=", page)
    assert set(re.findall(r'https?://[^"\s<]+', page)) == {"http://www.w3.org/2000/svg"}
    charts = re.findall(r'<svg role="img" aria-labelledby="([^"]+)"', page)
    assert len(charts) == len(cohort_of(run)["tables"])
    for name in charts:
        assert re.search(rf'<title id="{name}">[^<]+, of 300 rows: [^<]+</title>', page)
    assert page.index("Rows with red flags") < page.index("<h2>")
    assert "West &lt;b&gt;" in page
    assert "West <b>" not in page
