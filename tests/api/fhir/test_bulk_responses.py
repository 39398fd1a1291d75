"""`nociscreen batch` scores the lines of a Bulk Data export as the service scores a response."""

import json

import polars as pl
from support.builders import fhir_response
from typer.testing import CliRunner

from api.cli import main
from scoring.catalogue import load_catalogue
from scoring.engine import assess


def test_each_response_is_a_row_and_a_faulty_one_stops_no_other(tmp_path):
    other_server = "https://ehr.example/x/fhir/Questionnaire/phq4|1.0.0"
    lines = [
        fhir_response(id="a"),
        fhir_response(id="b", questionnaire=other_server),
        fhir_response(id="c", status="SECRET"),
        fhir_response(id="d", questionnaire="https://ehr.example/fhir/Questionnaire/other|1"),
        {"resourceType": "Patient", "id": "e"},
    ]
    source, out = tmp_path / "in.ndjson", tmp_path / "out.parquet"
    source.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    words = ["batch", str(source), "-o", str(out), "--rulebook", "phq4"]
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code == 1, outcome.stderr
    results = pl.read_parquet(out)
    assert results["row_id"].to_list() == ["a", "b", "c", "d", "e"]
    assert results["patient_reference"].to_list() == ["MRN-0042", "MRN-0042", None, None, None]
    answers = {"phq4_nervous": 2, "phq4_worrying": 1, "phq4_interest": 0, "phq4_down": 1}
    assessment = assess(load_catalogue().find_active("phq4"), answers)
    assert results["status"].to_list() == [assessment.status] * 2 + [None] * 3
    bands = {total.band for total in assessment.totals.values() if total.band}
    assert set(results["band"].drop_nulls()) == bands
    assert "SECRET" not in outcome.stderr
