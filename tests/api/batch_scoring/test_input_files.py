"""Every kind of file gives the right rows; archives and folders are read whole or refused."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyreadstat
import pytest
import xlsxwriter
from typer.testing import CliRunner

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.table_damage import refuse_cut_file
from api.batch_scoring.readers.table_sources import TableOptions, open_table
from api.cli import main

ROWS = pl.DataFrame(
    {
        "row_id": ["a", "b"],
        "age_years": [44, 45],
        "pain_duration_months": [60.5, None],
        "fatigue": ["yes", "No"],
        "pain_extent": ["An area", "spot"],
        "pain_sites": ["neck|face", "none"],
    }
)
CODED = ROWS.with_columns(
    pl.Series("fatigue", [1.0, 0.0]),
    pl.Series("pain_extent", [2.0, 1.0]),
    pl.col("age_years").cast(pl.Float64),
)
LABELS = {
    "fatigue": {1: "marked", 0: "not marked"},
    "pain_extent": {1: "one small spot", 2: "area"},
}


def nociscreen(*words: object):
    return CliRunner().invoke(main, ["batch", *map(str, words)])


def write_csv(file: Path) -> None:
    ROWS.write_csv(file)


def write_workbook(file: Path) -> None:
    ROWS.write_excel(file)


def write_old_workbook(file: Path) -> None:
    """Copy the file that xlwt 1.3 wrote from these rows; the library is no longer maintained."""
    file.write_bytes((Path(__file__).parent / "rows.xls").read_bytes())


def write_opendocument(file: Path) -> None:
    def cell(value: object) -> str:
        if value is None:
            return "<table:table-cell/>"
        if isinstance(value, int | float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        return (
            '<table:table-cell office:value-type="string">'
            f"<text:p>{value}</text:p></table:table-cell>"
        )

    lines = [ROWS.columns, *ROWS.rows()]
    rows = "".join(
        f"<table:table-row>{''.join(map(cell, line))}</table:table-row>" for line in lines
    )
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    with zipfile.ZipFile(file, "w") as archive:
        kind = "application/vnd.oasis.opendocument.spreadsheet"
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<m:file-entry m:full-path="/" m:media-type="{kind}"/></m:manifest>',
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content{spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )


def write_spss(file: Path) -> None:
    pyreadstat.write_sav(CODED, str(file), variable_value_labels=LABELS)


def write_stata(file: Path) -> None:
    pyreadstat.write_dta(CODED, str(file), variable_value_labels=LABELS)


def write_sas(file: Path) -> None:
    """Copy the file that ReadStat 1.1 wrote from these rows; SAS alone writes others."""
    file.write_bytes((Path(__file__).parent / "rows.sas7bdat").read_bytes())


def write_transport(file: Path) -> None:
    frame = CODED.select("age_years", "fatigue", "row_id")
    pyreadstat.write_xport(frame, str(file), file_format_version=8)


def write_feather(file: Path) -> None:
    ROWS.write_ipc(file)


def write_array(file: Path) -> None:
    intakes = [
        {"row_id": "a", "age_years": 44, "pain_duration_months": 60.5, "fatigue": True,
         "pain_extent": "area", "pain_sites": ["neck", "face"]},
        {"row_id": "b", "age_years": 45, "fatigue": False, "pain_extent": "spot",
         "pain_sites": []},
    ]  # fmt: skip
    file.write_text(json.dumps(intakes, indent=2), encoding="utf-8")


def write_archive(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/rows.csv", ROWS.write_csv())
        archive.writestr("__MACOSX/._rows.csv", "x")
        archive.writestr("read me.md", "x")


WRITERS: dict[str, Callable[[Path], None]] = {
    "xlsx": write_workbook,
    "xls": write_old_workbook,
    "ods": write_opendocument,
    "sav": write_spss,
    "dta": write_stata,
    "sas7bdat": write_sas,
    "feather": write_feather,
    "json": write_array,
    "zip": write_archive,
}


@pytest.fixture(scope="module")
def expected_rows(tmp_path_factory) -> list[tuple]:
    folder = tmp_path_factory.mktemp("expected")
    write_csv(folder / "in.csv")
    assert nociscreen(folder / "in.csv", "-o", folder / "out.csv").exit_code == 0
    return pl.read_csv(folder / "out.csv", infer_schema=False).rows()


@pytest.mark.parametrize("suffix", WRITERS)
def test_each_kind_of_file_gives_the_same_results(tmp_path, expected_rows, suffix):
    source, out = tmp_path / f"in.{suffix}", tmp_path / "out.csv"
    WRITERS[suffix](source)
    outcome = nociscreen(source, "-o", out)
    assert outcome.exit_code == 0, outcome.stderr
    assert pl.read_csv(out, infer_schema=False).rows() == expected_rows


def test_a_transport_file_has_codes(tmp_path):
    write_transport(tmp_path / "in.xpt")
    out = tmp_path / "out.csv"
    assert nociscreen(tmp_path / "in.xpt", "-o", out).exit_code == 0
    assert pl.read_csv(out, infer_schema=False)["row_id"].to_list() == ["a", "b"]


def test_a_sheet_and_the_line_of_its_header_are_named_and_problems_tell_its_lines(tmp_path):
    from xlsxwriter import Workbook

    source, out = tmp_path / "in.xlsx", tmp_path / "out.csv"
    with Workbook(source) as book:
        book.add_worksheet("About").write(0, 0, "Our clinic")
        sheet = book.add_worksheet("Answers")
        lines = [["Title"], [], ["row_id", "age_years"], ["Name", "Age"], ["a", 44], [], ["b", "x"]]
        for place, line in enumerate(lines):
            sheet.write_row(place, 0, line)
    words = (source, "-o", out, "--sheet", "Answers", "--header-line", "3", "--skip-rows", "1")
    outcome = nociscreen(*words)
    assert (outcome.exit_code, "line 7: age_years" in outcome.stderr) == (1, True)
    assert pl.read_csv(out, infer_schema=False)["row_id"].to_list() == ["a", "b"]
    refusal = nociscreen(source, "-o", out, "--sheet", "None")
    assert (refusal.exit_code, "it has About, Answers" in refusal.stderr) == (2, True)


def test_a_folder_is_read_whole_and_each_row_says_its_file(tmp_path):
    folder = tmp_path / "data"
    for part in ("2025/site=A", "2025/site=B", "_temporary"):
        (folder / part).mkdir(parents=True)
        ROWS.write_parquet(folder / part / "part.parquet")
    (folder / "_SUCCESS").touch()
    (folder / "notes.md").write_text("x", encoding="utf-8")
    out = tmp_path / "out.parquet"
    outcome = nociscreen(folder, "-o", out)
    assert "2 rows have a row_id that occurred before, with the same content" in outcome.stderr
    unread = str(folder / "notes.md")
    assert f"1 files were not read, of an unknown format: {unread}" in outcome.stderr
    assert pl.read_parquet(out)["source_file"].to_list() == [
        *["2025/site=A/part.parquet"] * 2,
        *["2025/site=B/part.parquet"] * 2,
    ]


def test_the_folders_of_a_data_set_name_columns_of_the_results(tmp_path):
    folder = tmp_path / "data"
    for part in ("year=2024/site=St.%20Mary", "year=2025/site=__HIVE_DEFAULT_PARTITION__"):
        (folder / part).mkdir(parents=True)
        ROWS.write_parquet(folder / part / "part.parquet")
    out, page = tmp_path / "out.parquet", tmp_path / "cohort.html"
    nociscreen(folder, "-o", out, "--report", page)
    assert pl.read_parquet(out).select("year", "site").rows() == [
        *[("2024", "St. Mary")] * 2,
        *[("2025", None)] * 2,
    ]
    assert "by year" in page.read_text(encoding="utf-8")
    (folder / "year=2024").rename(folder / "status=2024")
    refusal = nociscreen(folder, "-o", out)
    assert (refusal.exit_code, "'status'" in refusal.stderr) == (2, True)


CUT_FILES = ("xlsx", "ods", "dta", "sav", "sas7bdat", "feather", "json", "zip")


@pytest.mark.parametrize("suffix", CUT_FILES)
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path, suffix):
    source, damaged = tmp_path / f"in.{suffix}", tmp_path / f"cut.{suffix}"
    out = tmp_path / "out.csv"
    WRITERS[suffix](source)
    content = source.read_bytes()
    for end in (0, 1, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:end])
        outcome = nociscreen(damaged, "-o", out)
        assert (outcome.exit_code, outcome.stderr.startswith(f"{damaged}: ")) == (2, True)
        assert not out.exists()


def read_whole_table(file: Path, suffix: str) -> None:
    """Read the file as the service and its child process do together."""
    refuse_cut_file(file, suffix)
    open_table(str(file), TableOptions(suffix), {})


@pytest.mark.parametrize(
    ("suffix", "write_file"),
    [("dta", write_stata), ("sas7bdat", write_sas), ("sav", write_spss), ("xpt", write_transport)],
)
def test_no_row_or_label_is_missing_from_a_statistics_file_that_is_cut(
    tmp_path, suffix, write_file
):
    file = tmp_path / f"in.{suffix}"
    write_file(file)
    content = file.read_bytes()
    record = 80 if suffix == "xpt" else len(content)
    ends = [end for end in range(0, len(content), 7) if end % record]
    assert len(ends) > 100
    for end in ends:
        file.write_bytes(content[:end])
        with pytest.raises(UnusableInputError):
            read_whole_table(file, suffix)


def test_members_of_an_archive_that_are_not_read_are_named(tmp_path):
    source = tmp_path / "in.zip"
    write_archive(source)
    outcome = nociscreen(source, "-o", tmp_path / "out.csv")
    assert outcome.exit_code == 0
    assert f"1 files were not read, of an unknown format: {source}/read me.md" in outcome.stderr


def test_what_a_workbook_has_beside_its_table_is_named(tmp_path):
    source = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(source) as book:
        sheet = book.add_worksheet("Answers")
        for line, cells in enumerate((["row_id", "", "age_years"], ["a", "x", 44], [], ["b"])):
            sheet.write_row(line, 0, cells)
        sheet.write(3, 4, "said on the phone")
        book.add_worksheet("Old answers").write(0, 0, "row_id")
        book.add_worksheet("Empty")
    outcome = nociscreen(source, "-o", tmp_path / "out.csv")
    assert outcome.exit_code == 1
    assert [*outcome.stderr.splitlines()][:4] == [
        "not read: column 2, column 5: the header has no name for it",
        "not read: sheet 'Old answers'; only 'Answers' was read, unless --sheet names another one",
        "1 rows answer no question: rows 2",
        "1 blank lines were skipped",
    ]


def test_a_sheet_that_is_chosen_sets_the_others_aside(tmp_path):
    source = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(source) as book:
        for name, age in (("Answers", 44), ("Old answers", 43)):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["row_id", "age_years"])
            sheet.write_row(1, 0, ["a", age])
    command = (source, "-o", tmp_path / "out.csv")
    assert nociscreen(*command).exit_code == 1
    outcome = nociscreen(*command, "--sheet", "Old answers")
    assert outcome.exit_code == 0
    assert "only sheet 'Old answers' was read, not 'Answers'" in outcome.stderr


def test_a_panic_of_a_library_is_told_as_damage():
    content = (Path(__file__).parent / "rows.xls").read_bytes()[:3600]
    with pytest.raises(UnusableInputError, match="is not an Excel 97 workbook, or is damaged"):
        open_table(io.BytesIO(content), TableOptions("xls"), {})


@pytest.mark.parametrize("suffix", ["xlsx", "sav", "feather"])
def test_content_of_another_kind_is_named_by_its_first_bytes(tmp_path, suffix):
    WRITERS[suffix](tmp_path / f"true.{suffix}")
    source = (tmp_path / f"true.{suffix}").rename(tmp_path / "in.csv")
    outcome = nociscreen(source, "-o", tmp_path / "out.csv")
    assert (outcome.exit_code, f".{suffix}" in outcome.stderr) == (2, True)
