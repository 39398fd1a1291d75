"""Files of nociplastic 2.0.0: the new columns in every format, as a single intake has them."""

import io
import json

import polars as pl
import pytest
from support.batch_files import csv, results, send, work
from support.builders import clinic
from support.callers import calling
from support.second_release import SECOND, WORKED_CASES, assess_case

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.local_run import BatchRun, run_batch
from scoring.columns import compile_column_rules

NEW_COLUMNS = ("band_least", "band_most", "ask_first", "alternatives", "contradictions")
CASES = [
    case._replace(name=f"case {number}", clinician_named=False)
    for number, case in enumerate(WORKED_CASES)
]
"""In a batch no clinician is named."""

ROWS = csv(*({"row_id": case.name} | json.loads(case.intake) for case in CASES))


def expect_row(case) -> list[object]:
    """Return the new columns as the assessment of the single intake has them."""
    assessment = assess_case(case)
    total = (assessment.totals or {}).get("predominance")
    ends = (total.band_range.least, total.band_range.most) if total else (None, None)
    ask_first = None if assessment.ask_first is None else list(assessment.ask_first)
    return [
        *ends,
        ask_first,
        [row.id for row in assessment.alternatives],
        [row.id for row in assessment.contradictions],
    ]


EXPECTED = {case.name: expect_row(case) for case in CASES}


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
def test_the_new_columns_reach_every_format(tmp_path, to):
    source, out = tmp_path / "in.csv", tmp_path / f"out.{to}"
    source.write_text(ROWS, encoding="utf-8")
    rules = compile_column_rules(SECOND)
    summary = run_batch(BatchRun(str(source), str(out), rules, ColumnNames(SECOND)))
    assert (summary.rows, summary.rows_with_problems) == (8, 0)
    if to == "csv":
        table = pl.read_csv(out, infer_schema=False, empty_string_is_null=False)
        expected = {
            name: ["|".join(cell) if isinstance(cell, list) else cell or "" for cell in row]
            for name, row in EXPECTED.items()
        }
    else:
        table = pl.read_parquet(out) if to == "parquet" else pl.read_ndjson(out)
        expected = EXPECTED
    rows = {row["row_id"]: [row[name] for name in NEW_COLUMNS] for row in table.to_dicts()}
    assert rows == expected


def test_the_new_columns_reach_results_over_http(second_service):
    caller = calling(second_service, clinic(second_service.services.store, "Batches"))
    batch = send(caller, ROWS, "?rulebook=nociplastic@2.0.0")
    work(second_service)
    table = results(caller, batch)
    rows = {row["row_id"]: [row[name] for name in NEW_COLUMNS] for row in table.to_dicts()}
    assert rows == EXPECTED
    text = caller.get(batch["links"]["results"], headers={"Accept": "text/csv"}).text
    header = pl.read_csv(io.StringIO(text), infer_schema=False).columns
    assert [name for name in NEW_COLUMNS if name not in header] == []
