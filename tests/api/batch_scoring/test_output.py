"""Results in every format are read back as they are in CSV."""

from pathlib import Path

import polars as pl
import pyreadstat
import pytest
from typer.testing import CliRunner

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.output import workbook
from api.batch_scoring.readers.table_sources import TableOptions, open_table
from api.cli import main
from scoring.catalogue import load_catalogue

ROWS = """\
row_id,age_years,pain_duration_months,rf_general,pain_sites,site name,Site Name
=1+1,44,60.5,none,neck|face,a,b
b,45,24,fever_or_rigors,neck,,
c,17,24,none,neck,,d
d,x,,,,,
"""


def score(source: Path, out: Path):
    words = [str(source), "-o", str(out), "--keep", "site name", "--keep", "Site Name"]
    return CliRunner().invoke(main, ["batch", *words])


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("output") / "in.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def read_results(file: Path, kind: str) -> list[tuple]:
    """Return the cells as texts, as CSV has them."""
    rows = open_table(str(file), TableOptions(kind), {}).rows.collect()
    frame = rows.select(pl.exclude("^\0.*$"))
    cells = [
        series.cast(pl.String).str.strip_suffix(".0") if series.dtype == pl.Float64 else series
        for series in frame
    ]
    return pl.DataFrame(cells).with_columns(pl.all().replace("", None)).rows()


@pytest.mark.parametrize("kind", ["xlsx", "sav"])
def test_results_with_labels_are_read_back_as_they_are_in_csv(tmp_path, source, kind):
    plain, labelled = tmp_path / "out.csv", tmp_path / f"out.{kind}"
    for out in (plain, labelled):
        assert score(source, out).exit_code == 1
    expected = pl.read_csv(plain, infer_schema=False)
    assert expected["row_id"][0] == "'=1+1"
    expected = expected.with_columns(pl.all().replace("", None).str.strip_prefix("'"))
    assert read_results(labelled, kind) == expected.rows()


def test_a_column_of_spss_has_a_label_and_its_codes_have_ids(tmp_path, source):
    out = tmp_path / "out.sav"
    score(source, out)
    _, metadata = pyreadstat.read_sav(str(out), output_format="dict")
    labels = metadata.column_names_to_labels
    assert (labels["site_name"], labels["Site_Name_2"]) == ("site name", "Site Name")
    assert labels["status"].startswith("what could be said")
    assert "scored" in metadata.variable_value_labels["status"].values()


def test_a_workbook_explains_its_columns_and_runs_no_formula(tmp_path, source):
    from python_calamine import CalamineWorkbook

    out = tmp_path / "out.xlsx"
    score(source, out)
    book = CalamineWorkbook.from_path(out)
    codebook = book.get_sheet_by_name("Codebook").to_python()
    columns = book.get_sheet_by_name("Results").to_python()[0]
    assert set(columns) - {row[0] for row in codebook} == {"site name", "Site Name"}
    assert book.get_sheet_by_name("Results").to_python()[1][0] == "=1+1"


def test_more_rows_than_a_sheet_has_are_refused_and_no_file_appears(tmp_path, monkeypatch, source):
    monkeypatch.setattr(workbook, "MAX_ROWS", 3)
    out = tmp_path / "out.xlsx"
    refusal = score(source, out)
    assert (refusal.exit_code, "at most 3 rows" in refusal.stderr) == (2, True)
    assert not out.exists()
    loaded, part = load_catalogue().find_active("phq4"), tmp_path / "part.arrow"
    pl.DataFrame({"text": ["x" * 32_768]}).write_ipc(part)
    with pytest.raises(UnusableInputError, match="32,767"):
        workbook.write_workbook([part], out, loaded)


@pytest.mark.parametrize("name", ["out.xlsm", "out.zsav", "out.ods", "out.xlsx.gz"])
def test_another_format_is_refused(tmp_path, source, name):
    assert score(source, tmp_path / name).exit_code == 2
