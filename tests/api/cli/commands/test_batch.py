"""`nociscreen batch`: every pair of formats, row problems, exit statuses, resuming."""

import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from api.batch_scoring import local_run as runs
from api.batch_scoring.checkpoints import Checkpoints
from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.input_files import ReadOptions
from api.batch_scoring.local_run import BatchRun, run_batch
from api.batch_scoring.readers.csv import CsvOptions
from api.cli import main
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules

LOADED = load_catalogue().find_active("nociplastic")
FIRST_VERSION = load_catalogue().find_version("nociplastic@1.0.0")
"""What a file is and how it is read does not depend on the version, and this one is quicker."""
GOOD = (
    "row_id,patient_reference,age_years,fatigue,pain_sites\na,P1,44,yes,neck|face\nb,P2,45,,none\n"
)
TYPED_ROWS = pl.DataFrame(
    {
        "row_id": ["a", "b"],
        "patient_reference": ["P1", "P2"],
        "age_years": [44, 45],
        "fatigue": [True, None],
        "pain_sites": [["neck", "face"], []],
    }
)


def nociscreen(*words: object, stdin: bytes | None = None):
    return CliRunner().invoke(main, ["batch", *map(str, words)], input=stdin)


def batch(source: Path | str, out: Path, **options) -> BatchRun:
    names = ColumnNames(FIRST_VERSION, ignore_unknown=options.pop("ignore_unknown", False))
    csv = CsvOptions(encoding=options.pop("encoding", None))
    sizes = {name: options.pop(name, None) for name in ("block_bytes", "record_bytes")}
    read_options = ReadOptions(csv, **sizes)
    return BatchRun(
        str(source),
        str(out),
        compile_column_rules(FIRST_VERSION),
        names,
        read_options=read_options,
        **options,
    )


def write_input(file: Path, how: str) -> Path:
    match how:
        case "csv":
            file.write_text(GOOD, encoding="utf-8")
        case "csv.gz":
            file.write_bytes(gzip.compress(GOOD.encode()))
        case "csv.zst":
            TYPED_ROWS.with_columns(
                pl.col("fatigue").cast(pl.String),
                pl.when(pl.col("pain_sites").list.len() == 0)
                .then(pl.lit("none"))
                .otherwise(pl.col("pain_sites").list.join("|"))
                .alias("pain_sites"),
            ).write_csv(file, compression="zstd")
        case "parquet":
            TYPED_ROWS.write_parquet(file)
        case "ndjson":
            flat = {"row_id": "a", "patient_reference": "P1", "age_years": 44, "fatigue": True}
            body = {"rulebook": "nociplastic", "patient": {"reference": "P2"}, "row_id": "b"}
            lines = [
                flat | {"pain_sites": ["neck", "face"]},
                body | {"answers": {"age_years": 45, "pain_sites": []}},
            ]
            file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def read(file: Path) -> list[dict]:
    """The results, lists joined and numbers as floats, whatever the format."""
    name = file.name
    if name.endswith(".parquet"):
        frame = pl.read_parquet(file)
    elif "ndjson" in name:
        frame = pl.read_ndjson(io.BytesIO(_plain(file)), infer_schema_length=None)
    else:
        frame = pl.read_csv(io.BytesIO(_plain(file)), infer_schema=False)
    rows = frame.to_dicts()
    return [{name: _alike(value) for name, value in row.items()} for row in rows]


def _plain(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def _alike(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "|".join(value) or None
    try:
        return float(value)
    except (TypeError, ValueError):
        return value or None


@pytest.fixture(scope="module")
def expected_rows(tmp_path_factory):
    """The rows of a run from CSV to CSV."""
    folder = tmp_path_factory.mktemp("expected")
    run_batch(batch(write_input(folder / "in.csv", "csv"), folder / "out.csv"))
    return read(folder / "out.csv")


@pytest.mark.parametrize("source", ["csv", "csv.gz", "csv.zst", "ndjson", "parquet"])
@pytest.mark.parametrize("to", ["csv", "csv.gz", "ndjson", "parquet"])
def test_every_format_goes_into_every_format(tmp_path, expected_rows, source, to):
    out = tmp_path / f"out.{to}"
    summary = run_batch(batch(write_input(tmp_path / f"in.{source}", source), out))
    assert (summary.rows, summary.rows_with_problems) == (2, 0)
    rows = read(out)
    assert rows == expected_rows
    assert [(row["row_id"], row["patient_reference"], row["A1"]) for row in rows] == [
        ("a", "P1", 2),
        ("b", "P2", -3),
    ]
    assert [name for name in tmp_path.iterdir() if name.name.startswith(".")] == []


def test_a_bad_row_is_told_by_line_and_column_and_stops_no_other(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text('row_id,age_years\na,"4\n4"\nb,SECRET\nc,45\nd,46,9\n', encoding="utf-8")
    out, summary_file = tmp_path / "out.csv", tmp_path / "summary.json"
    outcome = nociscreen(source, "-o", out, "--summary-json", summary_file)
    assert outcome.exit_code == 1
    assert "line 4: age_years: must be a whole number from 0 to 120" in outcome.stderr
    assert "line 6: must have 2 cells" in outcome.stderr
    assert "SECRET" not in outcome.stderr + out.read_text() + summary_file.read_text()
    rows = read(out)
    assert [row["row_id"] for row in rows] == ["a", "b", "c", None]
    assert [row["status"] for row in rows] == [None, None, "insufficient_information", None]
    assert [bool(row["problems"]) for row in rows] == [True, True, False, True]
    summary = json.loads(summary_file.read_text())
    assert (summary["rows"], summary["rows_with_problems"]) == (4, 3)
    assert [problem["line"] for problem in summary["problems"]] == [2, 4, 6]


@pytest.mark.parametrize(
    ("text", "encoding", "rows"),
    [
        (b"\xef\xbb\xbfrow_id,age_years\r\na,44\r\n", "utf-8", [("a", 44)]),
        (b"row_id;age_years;pain_duration_months\na;44;1,5\n", "utf-8", [("a", 44)]),
        (b"sep=;\nrow_id;age_years\na;44\n", "utf-8", [("a", 44)]),
        (b"row_id\tage_years\na\t44\n", "utf-8", [("a", 44)]),
        (b'row_id,age_years\n"a\r\nb",44\n', "utf-8", [("a\r\nb", 44)]),
        (b"row_id,age_years\nM\xfcller,44\n", "latin-1", [("M\u00fcller", 44)]),
        (b"row_id,age_years\na,44\n\nb,45\n\n\n", "utf-8", [("a", 44), ("b", 45)]),
        (b"row_id,age_years\r\n\r\na,44\r\n\r\nb,45\r\n", "utf-8", [("a", 44), ("b", 45)]),
        (b"row_id,age_years\na,44\n,\nb,45\n", "utf-8", [("a", 44), (None, None), ("b", 45)]),
        (b'row_id,age_years\n"a\n\nb",44\n\nc,45\n', "utf-8", [("a\n\nb", 44), ("c", 45)]),
        (b'row_id\n"a"\n\nb\n', "utf-8", [("a", None), ("b", None)]),
        (b'row_id,age_years\n"a",44,\n\nb,45\n', "utf-8", [("a", 44), ("b", 45)]),
        (b"row_id,age_years\n\n\n", "utf-8", []),
    ],
)
def test_files_as_they_come_are_read(tmp_path, text, encoding, rows):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(text)
    assert nociscreen(source, "-o", out, "--encoding", encoding).exit_code == 0
    assert [row["row_id"] for row in pl.read_csv(out, infer_schema=False).to_dicts()] == [
        name for name, _ in rows
    ]


@pytest.mark.parametrize(("newline", "quote"), [("\n", '"'), ("\r\n", "")])
@pytest.mark.parametrize("block_bytes", [None, 9, 10, 12, 13, 25, 40])
def test_blank_lines_are_no_rows_wherever_a_file_is_cut(tmp_path, block_bytes, newline, quote):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    lines = ["row_id;age_years", "", f"{quote}a{quote};44", "", "", "b;x", "", "c;46;1", ""] * 2
    del lines[9]
    source.write_bytes((newline.join(lines) + newline * 2).encode())
    summary = run_batch(batch(source, out, block_bytes=block_bytes))
    assert (summary.rows, summary.rows_with_problems) == (6, 4)
    assert [problem.line for problem in summary.problems] == [6, 8, 14, 16]
    names = pl.read_csv(out, infer_schema=False)["row_id"].to_list()
    assert names == ["a", "b", None] * 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"M\xfcller,45", "line 7: must be UTF-8"),
        (b"a\0,45", "line 7: must not contain a NUL character"),
        (b"c,45,9", "line 7: must have 2 cells"),
    ],
)
def test_one_damaged_row_spoils_one_row(tmp_path, row, message):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    umlauts = "\u00e4,43\n\u00f6,43\n".encode()
    source.write_bytes(b"row_id,age_years\n\n" + umlauts + b"\n\n" + row + b"\nd,46\n\x1a")
    outcome = nociscreen(source, "-o", out)
    assert (outcome.exit_code, outcome.stderr.count(message)) == (1, 1)
    rows = read(out)
    assert [row["row_id"] for row in rows] == ["\u00e4", "\u00f6", None, "d"]
    assert [bool(row["status"]) for row in rows] == [True, True, False, True]
    assert "3 blank lines were skipped" in outcome.stderr


def test_lines_are_told_behind_newlines_in_cells_whatever_separates_these(tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('row_id;age_years\nx;44\ny;"4\n4"\nz;x\n', encoding="utf-8")
    assert [problem.line for problem in run_batch(batch(source, out)).problems] == [3, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the header is missing"),
        (
            b"row_id,clinic\na,1\n",
            "1 of 2 columns are unknown (positions from 1): 2: 'clinic'; the header must contain",
        ),
        (b"4,Smith\na,1\n", "2 of 2 columns are unknown (positions from 1): 1, 2; the header"),
        (b"row_id,age\na,1\n", "column 2 'age': did you mean age_years?"),
        (b"Our export\n\nrow_id,age_years\na,1\n", "the header seems to be in line 3"),
        (b"age_years,age_years\n1,2\n", "duplicate columns: 'age_years'"),
        (b"row_id,age_\0years\na,44\n", "line 1: must not contain a NUL character"),
        (b'row_id,age_years\na,44\nb,"45\n', "a quotation mark is never closed"),
    ],
)
def test_unusable_input_ends_with_status_2_and_leaves_nothing(tmp_path, text, message):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(text)
    answer = nociscreen(source, "-o", out)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["in.csv"]


def test_ten_thousand_unknown_columns_are_refused_by_place_or_left_out(tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    unknown = ",".join(f"x{n}" for n in range(10_000))
    source.write_text(f"age_years,{unknown}\n44{',' * 10_000}\n", encoding="utf-8")
    refusal = nociscreen(source, "-o", out)
    assert refusal.exit_code == 2
    assert "20, 21 and 9,980 more: 'x0', 'x1'" in refusal.stderr
    assert "--ignore-unknown ignores them" in refusal.stderr
    outcome = nociscreen(source, "-o", out, "--ignore-unknown")
    assert outcome.exit_code == 0
    assert "10,000 columns were not read: x0, x1" in outcome.stderr


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_line_too_long_is_refused_before_it_fills_the_memory(tmp_path, suffix):
    source, out = tmp_path / f"in.{suffix}", tmp_path / "out.csv"
    source.write_text("row_id,age_years\na,44\n" + "9" * 5000, encoding="utf-8")
    with pytest.raises(UnusableInputError, match="must not be longer than 1,000 bytes"):
        run_batch(batch(source, out, block_bytes=100, record_bytes=1000))
    assert not out.exists()


def test_no_text_in_csv_is_a_formula(tmp_path):
    cells = {
        "=1+1": "'=1+1",
        "+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0",
        "-2+3": "'-2+3",
        "@SUM(A1)": "'@SUM(A1)",
        "\t=1": "'\t'=1",
        "A;=1+1": "A;'=1+1",
        " =1": "' =1",
        "-1.5": "-1.5",
        "+49": "+49",
        "MRN-1": "MRN-1",
    }
    source, out = tmp_path / "in.parquet", tmp_path / "out.csv"
    pl.DataFrame({"row_id": list(cells), "age_years": [44] * len(cells)}).write_parquet(source)
    run_batch(batch(source, out))
    results = pl.read_csv(out, infer_schema=False)["row_id"].to_list()
    assert dict(zip(cells, results, strict=True)) == cells


def test_lines_of_json_are_read_as_strictly_as_requests(tmp_path):
    source, out = tmp_path / "in.ndjson", tmp_path / "out.ndjson"
    lines = [
        '{"row_id": "a", "age_years": "44"}',
        '{"row_id": "b", "age_years": 44, "age_years": 45}',
        '{"row_id": "c", "age_years": NaN}',
        '{"row_id": "d", "age": 44}',
        '{"row_id": "e", "rulebook": "phq4", "answers": {}}',
        "not json",
        "[1]",
        '{"row_id": "f", "age_years": 1e-99999999999999999999}',
        '{"row_id": "g", "age_years": 44.0}',
    ]
    source.write_text("\n".join(lines), encoding="utf-8")
    summary = run_batch(batch(source, out))
    assert [problem.line for problem in summary.problems] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert summary.problems[0].expected == "must be a whole number from 0 to 120"
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in rows] == [None] * 8 + ["insufficient_information"]
    assert rows[8]["row_id"] == "g"


def test_a_mapping_names_members_of_json_too_and_none_twice(tmp_path):
    source, out, names = tmp_path / "in.ndjson", tmp_path / "out.csv", tmp_path / "names.toml"
    names.write_text('Id = "row_id"\nAge = "age_years"\n', encoding="utf-8")
    source.write_text('{"Id": "a", "Age": 44}\n{"Age": 44, "age_years": 45}\n', encoding="utf-8")
    outcome = nociscreen(source, "-o", out, "--mapping", names)
    assert (
        "line 2: must not contain a name twice, nor two names of the same question"
        in outcome.stderr
    )
    rows = read(out)
    assert [row["row_id"] for row in rows] == ["a", None]
    assert [row["status"] for row in rows] == ["insufficient_information", None]


def test_a_line_that_is_no_json_tells_the_column_of_that_line(tmp_path):
    source, out = tmp_path / "in.ndjson", tmp_path / "out.csv"
    source.write_text('{"age_years": 44}\n{"age_years" 44}\n', encoding="utf-8")
    assert "line 2: is not JSON: column 14" in nociscreen(source, "-o", out).stderr


def test_an_interrupted_run_goes_on_and_repeats_nothing(tmp_path, monkeypatch):
    source, full_output, out = tmp_path / "in.csv", tmp_path / "whole.csv", tmp_path / "out.csv"
    body = "".join(f"r{n},{n % 90}\n" for n in range(200)) + "bad,x\n"
    source.write_text("row_id,age_years\n" + body, encoding="utf-8")
    small = {"block_bytes": 300}
    full_summary = run_batch(batch(source, full_output, **small))
    calls: list[int] = []
    real = runs.score_frame

    def stopping(frame, rules, **options):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(frame.height)
        return real(frame, rules, **options)

    monkeypatch.setattr(runs, "score_frame", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_batch(batch(source, out, **small))
    assert not out.exists()
    before = sum(calls)
    monkeypatch.setattr(
        runs, "score_frame", lambda *a, **k: (calls.append(a[0].height), real(*a, **k))[1]
    )
    assert run_batch(batch(source, out, resume=True, **small)) == full_summary
    assert sum(calls) == 201
    assert before < 201
    assert out.read_bytes() == full_output.read_bytes()
    assert not Checkpoints(out, ".part").folder.exists()


def test_what_was_begun_with_other_input_does_not_go_on(tmp_path):
    source, out = write_input(tmp_path / "in.csv", "csv"), tmp_path / "out.csv"
    Checkpoints(out, ".part").open_run({"other": True}, resume=False)
    with pytest.raises(UnusableInputError, match="options have changed"):
        run_batch(batch(source, out, resume=True))
    assert run_batch(batch(source, out)).rows == 2


def test_pipes_patterns_mappings_and_sentences(tmp_path):
    outcome = nociscreen("-", "-o", "-", "--format", "csv", "--to", "ndjson", stdin=GOOD.encode())
    assert outcome.exit_code == 0
    assert [json.loads(line)["A1"] for line in outcome.stdout.splitlines()] == [2, -3]
    for name in ("1.csv", "2.csv"):
        (tmp_path / name).write_text("Alter\n44\nx\n", encoding="utf-8")
    mapping, out = tmp_path / "names.toml", tmp_path / "out.csv"
    mapping.write_text('Alter = "age_years"\n', encoding="utf-8")
    many = nociscreen(tmp_path / "[12].csv", "-o", out, "--mapping", mapping, "--explain")
    assert many.exit_code == 1
    assert "2.csv: line 3: age_years" in many.stderr
    rows = pl.read_csv(out, infer_schema=False).to_dicts()
    assert len(rows) == 4
    assert rows[0]["because_A1"].startswith("Not settled (painful areas not answered)")


def test_the_template_is_an_empty_batch_and_the_codebook_knows_every_option(tmp_path):
    template, out = tmp_path / "template.csv", tmp_path / "out.parquet"
    assert nociscreen("--template", "-o", template).exit_code == 0
    assert nociscreen(template, "-o", out).exit_code == 0
    frame = pl.read_parquet(out)
    assert (frame.height, tuple(frame.columns)) == (0, compile_column_rules(LOADED).columns)
    book = nociscreen("--codebook").stdout
    lines = pl.read_csv(io.BytesIO(book.encode()), infer_schema=False)
    value_pairs = set(lines.select("column", "value").iter_rows())
    assert all((q.id, o.id) in value_pairs for q in LOADED.rulebook.question for o in q.options)
    assert set(LOADED.questions) <= {name for name, _ in value_pairs}
