"""Every entrance gives for the same answers what the engine gives, row by row.

`make entrances` draws 20,000 intakes.
"""

import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pyreadstat
import pytest
from support.batch_files import complete_batch, csv, results
from support.scoring.engine_rows import Row, frame_of, random_intake, weighed_row
from typer.testing import CliRunner

from api.batch_scoring.input_files import ReadOptions
from api.batch_scoring.readers.answers import restore_answers
from api.cli import main
from api.fhir.elements import CanonicalUrls
from api.fhir.questionnaire_catalogue import list_questionnaire_forms
from api.fhir.resources.questionnaire_response import build_items
from api.importing.import_reader import ImportReader
from scoring.catalogue import load_catalogue
from scoring.columns.arrow import ArrowRules
from scoring.columns.frames import score_frame
from scoring.columns.reading.parsing import parse_intakes

COUNT = int(os.environ.get("TEST_ENTRANCES", "60"))
CATALOGUE = load_catalogue()
LOADED = CATALOGUE.find_active("nociplastic")
IDENTIFIERS = ("row_id", "patient_reference")


@pytest.fixture(scope="module")
def intakes() -> list[Row]:
    random = Random(20)
    return [_plain(random_intake(LOADED, random)) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def engine_rows(intakes) -> list[Row]:
    return [_without_identifiers(weighed_row(LOADED, intake)) for intake in intakes]


def _plain(intake: Row) -> Row:
    """Return the answers as JSON has them."""
    return {
        name: float(answer) if isinstance(answer, Decimal) else answer
        for name, answer in intake.items()
    }


def _without_identifiers(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in IDENTIFIERS}


def _number(intakes: list[Row]) -> list[Row]:
    return [
        {"row_id": f"r{number}", "patient_reference": "P-1", **intake}
        for number, intake in enumerate(intakes)
    ]


def _cells(intakes: list[Row]) -> pl.DataFrame:
    """Return the answers as the texts of CSV."""
    return pl.read_csv(csv(*_number(intakes)).encode(), infer_schema=False)


def write_csv(file: Path, intakes: list[Row]) -> None:
    file.write_text(csv(*_number(intakes)), encoding="utf-8")


def write_ndjson(file: Path, intakes: list[Row]) -> None:
    rows = [row if place % 2 else {"answers": row} for place, row in enumerate(intakes)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_array(file: Path, intakes: list[Row]) -> None:
    file.write_text(json.dumps(intakes), encoding="utf-8")


def write_parquet(file: Path, intakes: list[Row]) -> None:
    frame_of(LOADED, intakes).write_parquet(file)


def write_feather(file: Path, intakes: list[Row]) -> None:
    frame_of(LOADED, intakes).write_ipc(file)


def write_workbook(file: Path, intakes: list[Row]) -> None:
    _cells(intakes).write_excel(file)


def write_spss(file: Path, intakes: list[Row]) -> None:
    pyreadstat.write_sav(_cells(intakes).fill_null(""), str(file))


def write_bulk_export(file: Path, intakes: list[Row]) -> None:
    forms = list_questionnaire_forms(CATALOGUE, CanonicalUrls("https://clinic.example"))
    form = next(it for it in forms if it.loaded == LOADED and not it.for_patient)
    lines = [
        {
            "resourceType": "QuestionnaireResponse",
            "id": f"r{number}",
            "status": "completed",
            "questionnaire": form.canonical,
            "item": build_items(form, intake),
        }
        for number, intake in enumerate(intakes)
    ]
    for line in lines:
        if not line["item"]:
            del line["item"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


FILES: dict[str, tuple[str, Callable[[Path, list[Row]], None]]] = {
    "CSV": ("in.csv", write_csv),
    "NDJSON": ("in.ndjson", write_ndjson),
    "JSON": ("in.json", write_array),
    "Parquet": ("in.parquet", write_parquet),
    "Feather": ("in.feather", write_feather),
    "workbook": ("in.xlsx", write_workbook),
    "SPSS": ("in.sav", write_spss),
    "FHIR": ("in.ndjson", write_bulk_export),
}


@pytest.mark.parametrize("entrance", FILES)
def test_a_file_is_scored_as_the_engine_scores(tmp_path, intakes, engine_rows, entrance):
    name, write_file = FILES[entrance]
    source, out = tmp_path / name, tmp_path / "out.parquet"
    write_file(source, intakes)
    outcome = CliRunner().invoke(main, ["batch", str(source), "-o", str(out)])
    assert "had problems" not in outcome.stderr
    rows = pl.read_parquet(out).drop(IDENTIFIERS).to_dicts()
    assert rows == engine_rows


def test_columns_are_scored_as_the_engine_scores(intakes, engine_rows):
    frame = frame_of(LOADED, intakes)
    by_arrow = ArrowRules(LOADED).score_batches(frame.to_arrow().to_batches())
    rows = pa.Table.from_batches(by_arrow).to_pylist()
    assert [_without_identifiers(row) for row in rows] == engine_rows
    assert score_frame(frame).drop(IDENTIFIERS).to_dicts() == engine_rows


def test_a_batch_over_http_is_scored_as_the_engine_scores(kept_client, intakes, engine_rows):
    batch = complete_batch(kept_client, csv(*_number(intakes)))
    assert results(kept_client, batch).drop(IDENTIFIERS).to_dicts() == engine_rows


@pytest.mark.parametrize("entrance", ["CSV", "workbook", "SPSS"])
def test_an_import_reads_the_answers_that_were_sent(tmp_path, intakes, entrance):
    name, write_file = FILES[entrance]
    source = tmp_path / name
    write_file(source, intakes)
    rows = list(ImportReader(str(source), LOADED, ReadOptions()).read_rows())
    assert [_dump_answers(row.intake) for row in rows] == intakes


def _dump_answers(intake: Any) -> Row:
    return _plain(intake.answers.model_dump(mode="json", exclude_none=True))


def test_a_number_with_hundredths_is_restored_as_it_was_written():
    numbers = [number / 100 for number in range(300, 700)]
    cells = pl.DataFrame({"pain_duration_months": [f"{number:.2f}" for number in numbers]})
    typed_rows = parse_intakes(cells, LOADED).intakes.iter_rows(named=True)
    answers = [restore_answers(LOADED, row, row) for row in typed_rows]
    assert [row["pain_duration_months"] for row in answers] == numbers
