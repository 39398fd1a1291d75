"""Record batches of Arrow are scored as files are; Spark where it is asked for (`make spark`)."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import polars as pl
import pyarrow as pa
import pytest
from support.scoring.engine_rows import frame_of, random_intake, weighed_row

from scoring.catalogue import load_catalogue
from scoring.columns.arrow import ArrowRules

LOADED = load_catalogue().find_version("nociplastic@1.0.0")


@pytest.fixture(scope="module")
def rules():
    return ArrowRules(LOADED)


def intakes(count: int) -> list[dict]:
    random = Random(8)
    return [random_intake(LOADED, random) for _ in range(count)]


def test_a_record_batch_is_scored_row_by_row_in_order(rules):
    some = intakes(200)
    batch = frame_of(LOADED, some).to_arrow().combine_chunks().to_batches()[0]
    results = rules.score_batch(batch)
    assert results.schema == rules.schema
    assert results.to_pylist() == [weighed_row(LOADED, intake) for intake in some]


def test_a_batch_without_rows_or_without_a_question_is_answered(rules):
    empty_batch = pa.RecordBatch.from_pydict({"age_years": pa.array([], pa.int64())})
    assert rules.score_batch(empty_batch).num_rows == 0
    other_batch = pa.RecordBatch.from_pydict({"x": [1, 2]})
    assert (
        ArrowRules(LOADED, ignore_unknown=True)
        .score_batch(other_batch)
        .column("status")
        .to_pylist()
        == ["insufficient_information"] * 2
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clinic", "not questions of nociplastic@1.0.0, .* set ignore_unknown=True"),
        ("Age years", "did you mean 'age_years'"),
    ],
)
def test_a_column_that_is_no_question_is_refused(rules, name, message):
    with pytest.raises(ValueError, match=message):
        rules.score_batch(pa.RecordBatch.from_pydict({name: ["44"]}))


@pytest.mark.parametrize("question", [n for n in LOADED.questions if n.startswith("rf_")])
def test_a_mistyped_red_flag_question_is_refused_even_if_unknown_columns_are_ignored(question):
    rules = ArrowRules(LOADED, ignore_unknown=True)
    for name in (question[:-1], question.upper(), f" {question} ", question.replace("_", "-")):
        with pytest.raises(ValueError, match=f"did you mean '{question}'"):
            rules.score_batch(pa.RecordBatch.from_pydict({name: ["none"]}))


def test_a_fault_is_told_in_its_row(rules):
    results = rules.score_batch(pa.RecordBatch.from_pydict({"age_years": [44, 300]})).to_pylist()
    assert [row["status"] for row in results] == ["insufficient_information", None]
    assert results[1]["problems"] == ["age_years: must be a whole number from 0 to 120"]


def test_kept_columns_are_returned_behind_the_results():
    rules = ArrowRules(LOADED, keep=["year"])
    results = rules.score_batch(pa.RecordBatch.from_pydict({"year": [2024], "age_years": [44]}))
    assert (results.schema, results.column("year").to_pylist()) == (rules.schema, ["2024"])
    with pytest.raises(ValueError, match="the results have a column 'status'"):
        ArrowRules(LOADED, keep=["status"])


@pytest.mark.skipif("TEST_SPARK" not in os.environ, reason="make spark runs it")
def test_spark_gives_the_same_rows(tmp_path, monkeypatch):
    from pyspark.sql import SparkSession

    from scoring.columns.spark import score_dataframe

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    some = intakes(500)
    for year, part in ((2024, some[:200]), (2025, some[200:])):
        folder = tmp_path / f"in/year={year}"
        folder.mkdir(parents=True)
        frame_of(LOADED, part).write_parquet(folder / "part.parquet")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        frame = spark.read.parquet(str(tmp_path / "in"))
        results = score_dataframe(frame, LOADED.name, keep=["year"]).toArrow().to_pylist()
    finally:
        spark.stop()
    results.sort(key=lambda row: row["year"])
    years = [row.pop("year") for row in results]
    assert years == ["2024"] * 200 + ["2025"] * 300
    assert results == [weighed_row(LOADED, intake) for intake in some]


@pytest.mark.skipif("TEST_SPARK" not in os.environ, reason="make spark runs it")
def test_a_spark_job_that_is_killed_continues_with_the_partitions_that_are_left(tmp_path):
    some, years = intakes(600), (2023, 2024, 2025)
    for place, year in enumerate(years):
        folder = tmp_path / f"in/year={year}"
        folder.mkdir(parents=True)
        frame_of(LOADED, some[place * 200 : place * 200 + 200]).write_parquet(folder / "a.parquet")
    with _start_job(tmp_path) as first_job:
        assert first_job.stdout.readline() == "year=2023\n"
        os.killpg(first_job.pid, signal.SIGKILL)
    assert first_job.returncode == -signal.SIGKILL
    finished = sorted((tmp_path / "out/year=2023").glob("*.parquet"))
    times = [file.stat().st_mtime_ns for file in finished]
    assert finished
    _cut_off_partition(tmp_path / "out/year=2024")
    with _start_job(tmp_path) as second_job:
        words, _ = second_job.communicate()
    assert (second_job.returncode, words.split()) == (0, ["year=2024", "year=2025"])
    assert [file.stat().st_mtime_ns for file in finished] == times
    rows = [
        row
        for year in years
        for row in pl.read_parquet(tmp_path / f"out/year={year}/*.parquet").to_dicts()
    ]
    assert rows == [weighed_row(LOADED, intake) for intake in some]


def _cut_off_partition(folder: Path) -> None:
    """Leave a partition as a kill in the midst of its commit does: a file, and no _SUCCESS."""
    folder.mkdir(exist_ok=True)
    (folder / "_SUCCESS").unlink(missing_ok=True)
    (folder / "part-00000-of-the-killed-job.snappy.parquet").write_bytes(b"PAR1")


def _start_job(folder: Path) -> subprocess.Popen[str]:
    """Start the job as a process group of its own, with its Java machine."""
    script = Path(__file__).parents[2] / "support/spark_job.py"
    words = [sys.executable, str(script), str(folder / "in"), str(folder / "out"), LOADED.name]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )
