"""`nociscreen batch` says what it leaves out, what is repeated, and what cannot be true."""

import gzip
import json
import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.local_run import BatchRun, run_batch
from api.cli import main
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules
from scoring.engine import assess

LOADED = load_catalogue().find_active("nociplastic")
SAFETY = LOADED.rulebook.rulebook.safety_questions


def nociscreen(*words: object):
    return CliRunner().invoke(main, ["batch", *map(str, words)])


def write(folder: Path, text: str, name: str = "in.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def summary_of(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
def test_a_row_says_what_was_not_asked_and_why_it_is_out_of_scope(tmp_path, to):
    answers = {name: False if LOADED.questions[name].kind == "boolean" else () for name in SAFETY}
    rows = [
        {"age_years": 44, "pain_duration_months": 60, **answers},
        {"age_years": 44, "pain_duration_months": 60},
        {"age_years": 44, "pain_duration_months": 1},
        {
            "age_years": 44,
            "pain_duration_months": 1,
            "rf_general": (LOADED.questions["rf_general"].options[0].id,),
        },
    ]
    cells = [
        {
            name: "none" if value == () else "|".join(value) if isinstance(value, tuple) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    pl.DataFrame(cells, infer_schema_length=None).write_csv(tmp_path / "in.csv")
    out = tmp_path / f"out.{to}"
    assert nociscreen(tmp_path / "in.csv", "-o", out).exit_code == 0
    reader = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[to]
    results = reader(out).to_dicts()
    assert len(results) == len(rows)
    for row, result in zip(rows, results, strict=True):
        assessment = assess(LOADED, row)
        lists = {
            name: [part for part in (value.split("|") if to == "csv" else value or []) if part]
            for name in ("flags", "not_asked", "scope_reasons", "scope_unanswered")
            if (value := result[name] or ("" if to == "csv" else [])) is not None
        }
        assert lists == {
            "flags": [flag.id for flag in assessment.safety.flags],
            "not_asked": [*assessment.safety.unanswered],
            "scope_reasons": [reason.id for reason in assessment.scope.reasons],
            "scope_unanswered": [*assessment.scope.unanswered],
        }
        assert result["all_asked"] is assessment.safety.all_asked
    assert [result["tier"] for result in results][:3] == ["none", "not_all_asked", "not_all_asked"]


@pytest.mark.parametrize("question", [name for name in LOADED.questions if name.startswith("rf_")])
def test_a_mistyped_red_flag_question_never_passes_in_silence(tmp_path, question):
    mistyped = question[:-1]
    csv = write(tmp_path, f"row_id,{mistyped}\na,none\n")
    lines = write(tmp_path, json.dumps({"row_id": "a", mistyped: []}), "in.ndjson")
    body = json.dumps({"answers": {mistyped: []}})
    bodies = write(tmp_path, body, "bodies.ndjson")
    pl.DataFrame({mistyped: [["x"]]}).write_parquet(tmp_path / "in.parquet")
    for source in (csv, lines, bodies, tmp_path / "in.parquet"):
        outcome = nociscreen(source, "-o", tmp_path / "out.csv", "--ignore-unknown")
        assert outcome.exit_code in {1, 2}
        assert f"did you mean {question}?" in outcome.stderr


def test_columns_to_keep_are_returned_and_others_are_counted(tmp_path):
    source = write(tmp_path, "row_id,clinic,visit,age_years,x\na,north,1,44,9\nb,south,2,x,9\n")
    out = tmp_path / "out.parquet"
    keep = ("--keep", "clinic,visit", "--ignore-unknown")
    outcome = nociscreen(source, "-o", out, *keep)
    assert outcome.exit_code == 1
    assert "1 columns were not read: x" in outcome.stderr
    assert pl.read_parquet(out).select("clinic", "visit").rows() == [("north", "1"), ("south", "2")]
    for column in ("status", "nowhere"):
        refusal = nociscreen(source, "-o", out, "--keep", column)
        assert (refusal.exit_code, f"'{column}'" in refusal.stderr) == (2, True)


def test_rows_of_several_files_say_where_they_come_from(tmp_path):
    write(tmp_path, "row_id,age_years\na,44\n\nb,45\n", "1.csv")
    write(tmp_path, "row_id,age_years\nc,46\n", "2.csv")
    out = tmp_path / "out.parquet"
    assert nociscreen(f"{tmp_path}/*.csv", "-o", out).exit_code == 0
    assert pl.read_parquet(out).select("row_id", "source_file", "source_line").rows() == [
        ("a", "1.csv", 2),
        ("b", "1.csv", 4),
        ("c", "2.csv", 2),
    ]


def test_repeated_rows_totals_and_what_cannot_be_true_are_told(tmp_path):
    source = write(
        tmp_path,
        "row_id,age_years,pain_duration_months,rf_spine_and_nerves\n"
        "a,44,60,none\na,44,60,none\na,44,60,saddle_numbness\nb,30,999,\nc,30,500,\n"
        "Total,5,,\nd,30,360,\n",
    )
    outcome = nociscreen(
        source, "-o", tmp_path / "o.csv", "--summary-json", tmp_path / "summary.json"
    )
    assert outcome.exit_code == 1
    summary = summary_of(tmp_path)
    notices = {notice["code"]: notice["first_rows"] for notice in summary["notices"]}
    assert notices == {
        "conflicting_row_id": [3],
        "repeated_row_id": [2],
        "implausible": [4, 5],
        "looks_like_a_total": [6],
    }
    assert "with other content: rows 3; with red flags: T0 1" in outcome.stderr
    assert (summary["rows"], summary["rows_with_problems"]) == (7, 0)


def test_faults_are_grouped_and_a_word_for_no_answer_is_named(tmp_path):
    rows = "".join(f"{n},{'NA' if n % 4 else 'yes'},44\n" for n in range(2000))
    source = write(tmp_path, f"row_id,pain_symmetric,age_years\n{rows}x,SECRET,44\n")
    options = ("-o", tmp_path / "o.csv", "--summary-json", tmp_path / "summary.json")
    outcome = nociscreen(source, *options)
    assert outcome.exit_code == 1
    first = outcome.stderr.splitlines()[0]
    assert first.startswith("1,501 rows: pain_symmetric: must be true, false")
    assert "'NA' in 1,500 of them" in first
    assert "--missing WORD" in outcome.stderr
    assert "SECRET" not in outcome.stderr
    summary = summary_of(tmp_path)
    assert (len(summary["problems"]), summary["problems_total"]) == (1000, 1501)
    assert [(group["column"], group["rows"]) for group in summary["faults"]] == [
        ("pain_symmetric", 1501)
    ]
    assert nociscreen(source, *options, "--missing", "na").exit_code == 1
    assert summary_of(tmp_path)["rows_with_problems"] == 1


@pytest.mark.parametrize("how", ["csv", "ndjson", "parquet"])
def test_a_declared_code_is_not_answered_and_an_undeclared_one_is_a_value(tmp_path, how):
    source = tmp_path / f"in.{how}"
    rows = {"age_years": [99, 44], "pain_duration_months": [-1, 60], "peg_pain": [9, 9]}
    frame = pl.DataFrame({name: rows[name] for name in rows if name in LOADED.questions})
    getattr(frame, f"write_{how}")(source)
    out = tmp_path / "out.csv"
    assert nociscreen(source, "-o", out).exit_code == 1
    assert nociscreen(source, "-o", out, "--missing", "99", "--missing", "-1").exit_code == 0
    missing = pl.read_csv(out, infer_schema=False)["missing"].to_list()
    assert ["age_years" in (row or "") or "pain_duration" in (row or "") for row in missing] == [
        True,
        False,
    ]


def test_no_file_that_is_read_is_written(tmp_path):
    source = write(tmp_path, "row_id,age_years\na,44\n")
    names = write(tmp_path, '"row_id" = "row_id"\n', "map.toml")
    (tmp_path / "soft.csv").symlink_to(source)
    os.link(source, tmp_path / "hard.csv")
    before = source.read_bytes()
    out = tmp_path / "out.csv"
    options = [
        ("-o", source),
        ("-o", tmp_path / "soft.csv"),
        ("-o", tmp_path / "hard.csv"),
        ("-o", tmp_path / "." / "in.csv"),
        ("-o", out, "--summary-json", source),
        ("-o", out, "--summary-json", out),
        ("-o", names, "--mapping", names, "--output-format", "csv"),
    ]
    for option in options:
        outcome = nociscreen(source, *option)
        assert (outcome.exit_code, "give another name" in outcome.stderr) == (2, True), option
    assert (source.read_bytes(), out.exists()) == (before, False)


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_transfer_that_was_cut_off_leaves_no_result(tmp_path, suffix):
    rows = {"csv": "row_id,age_years\na,44\n", "ndjson": '{"row_id": "a", "age_years": 44}\n'}
    source = tmp_path / f"in.{suffix}.gz"
    source.write_bytes(gzip.compress(rows[suffix].encode())[:-3])
    outcome = nociscreen(source, "-o", tmp_path / "out.csv")
    assert outcome.exit_code == 2
    assert f"in.{suffix}.gz: is cut off before its end; fetch it again" in outcome.stderr
    assert [file.name for file in tmp_path.iterdir()] == [source.name]


def test_every_refusal_names_a_file_or_an_option(tmp_path):
    source, out = write(tmp_path, "row_id,age_years\na,44\n"), tmp_path / "out.csv"
    damaged = tmp_path / "in.csv.zst"
    damaged.write_bytes(b"no such thing")
    table = tmp_path / "in.parquet"
    table.write_bytes(b"no such thing")
    refusals = [
        (source, "-o", tmp_path / "nowhere" / "out.csv"),
        (tmp_path / "none.csv", "-o", out),
        (damaged, "-o", out),
        (table, "-o", out),
        (source, "-o", out, "--encoding", "ebcdic"),
        (source, "-o", out, "--delimiter", ";;"),
        (source, "-o", out, "--header-line", "9"),
        (source, "-o", out, "--rulebook", "none"),
        (source, "-o", tmp_path / "out.what"),
        (source, "-o", out, "--mapping", tmp_path / "none.toml"),
    ]
    for words in refusals:
        outcome = nociscreen(*words)
        assert outcome.exit_code == 2, words
        names = [word.name for word in words if isinstance(word, Path)]
        assert any(name in outcome.stderr for name in [*names, "--", "nowhere"]), outcome.stderr
        assert "Error" not in outcome.stderr, outcome.stderr


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("row_id,age_years\nM\u00fcller,44\n".encode("cp1252"), "read as cp1252"),
        ("row_id\tage_years\nM\u00fcller\t44\n".encode("utf-16"), ""),
        ("row_id,age_years\nM\u00fcller,44\n".encode("utf-16-le"), "read as utf-16-le"),
        (b"row_id,age_years\rM\xc3\xbcller,44\r", ""),
        (b"row_id|age_years\nM\xc3\xbcller|44\n", ""),
    ],
)
def test_encodings_line_ends_and_separators_are_detected_and_guesses_are_told(
    tmp_path, content, note
):
    source, out = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_bytes(content)
    outcome = nociscreen(source, "-o", out)
    assert (outcome.exit_code, pl.read_parquet(out)["row_id"].to_list()) == (0, ["M\u00fcller"])
    assert (note in outcome.stderr, "read as" in outcome.stderr) == (True, bool(note))


def test_a_day_to_come_or_long_past_is_told_by_the_day_that_is_given(tmp_path):
    days = ("2026-01-01", "2026-01-02", "1899-12-31", "1900-01-01", "")
    lines = [f"r{place},{day},44" for place, day in enumerate(days)]
    source = write(tmp_path, "\n".join(["row_id,answered_on,age_years", *lines, ""]))
    rules, names = compile_column_rules(LOADED), ColumnNames(LOADED)
    batch = BatchRun(str(source), str(tmp_path / "o.csv"), rules, names, today=date(2026, 1, 1))
    summary = run_batch(batch)
    notices = {notice.code: notice.first_rows for notice in summary.notices}
    assert (notices, summary.is_clean) == ({"implausible_date": (2, 3)}, False)
    outcome = nociscreen(source, "-o", tmp_path / "o.csv")
    assert outcome.exit_code == 1
    assert "1 rows have an answered_on after today, or before 1900: rows 3" in outcome.stderr
