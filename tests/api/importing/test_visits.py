"""The import reports rows that differ under one name, and refuses ambiguous numbers."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.builders import clinic, do
from support.servers import processes
from typer.testing import CliRunner

from api.batch_scoring.mapping.cell_parser import CellError, CellRules, parse_answer
from api.batch_scoring.mapping.day_parser import parse_day
from api.batch_scoring.mapping.mapping_file import DateColumn, QuestionMap
from api.cli import main
from api.importing.samples import list_sample_mappings
from api.store.operations.startup import open_store
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters
from scoring.catalogue import load_catalogue
from scoring.columns.reading.cell_words import build_cell_words

HERE = Path(__file__).parent
LOADED = load_catalogue().find_active("nociplastic")
WORDS = build_cell_words(LOADED)
BY_RECORD = 'row = "record_id"\n'


def redcap_mapping(folder: Path, row: str) -> Path:
    sample = list_sample_mappings()["redcap"].read_text(encoding="utf-8")
    lines = [row.strip() if line.startswith("row = ") else line for line in sample.splitlines()]
    file = folder / "map.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def check(file: Path, mapping: Path):
    words = ["import", str(file), "--map", str(mapping), "--dry-run"]
    return CliRunner().invoke(main, words)


def test_each_event_of_a_record_is_a_visit_and_an_empty_one_is_not_taken():
    outcome = check(HERE / "redcap_visits.csv", list_sample_mappings()["redcap"])
    assert "3 valid, 0 duplicate, 0 invalid, 1 empty" in outcome.stdout
    assert "1 of these have red flags" in outcome.stdout
    assert outcome.exit_code == 0


def test_a_visit_that_differs_under_a_known_name_is_told_with_its_red_flags(tmp_path):
    outcome = check(HERE / "redcap_visits.csv", redcap_mapping(tmp_path, BY_RECORD))
    assert "2 valid, 0 duplicate, 0 invalid, 1 changed, 1 empty" in outcome.stdout
    assert "were not taken: line 3; 1 of them have red flags: review them first" in outcome.stdout
    assert outcome.exit_code == 1


def test_a_row_that_changed_since_it_was_stored_is_told_and_amended_on_request(
    tmp_path, store_settings
):
    mapping, file = redcap_mapping(tmp_path, BY_RECORD), tmp_path / "rows.csv"
    header, first, second, *_ = (HERE / "redcap_visits.csv").read_text().splitlines()
    store = open_store(store_settings)
    owner = clinic(store)

    def run(row: str, *more: str):
        file.write_text(f"{header}\n{row}\n", encoding="utf-8")
        words = (file, "--map", mapping, "--organisation", owner.organisation, *more)
        return processes.run(store_settings, "import", *words)

    assert "1 stored, 0 already stored, 0 invalid" in run(first).stdout
    changed = run(second)
    assert (changed.returncode, "1 changed" in changed.stdout) == (1, True)
    assert "1 of them have red flags" in changed.stdout
    amended = run(second, "--amend")
    assert (amended.returncode, "1 amended" in amended.stdout) == (0, True)
    assert "1 already stored" in run(second).stdout
    lines = do(store, owner, search.list_first_page, ScreeningFilters(), 100).lines
    visits = [do(store, owner, screenings.find_screening, line.id) for line in lines]
    assert sorted(bool(screening.replaces) for screening in visits) == [False, True]
    store.close()


@pytest.mark.parametrize(
    ("question", "cell", "mapping", "rules", "answer"),
    [
        ("pain_duration_months", "1,080", {}, {}, None),
        ("pain_duration_months", "60.555", {}, {}, None),
        ("pain_duration_months", "1e2", {}, {}, None),
        ("pain_duration_months", "60.55", {}, {}, 60.55),
        ("pain_duration_months", "1,080", {}, {"thousands": ","}, 1080),
        ("pain_duration_months", "1.080,5", {}, {"thousands": ".", "decimal": ","}, 1080.5),
        ("pain_duration_months", "5.555", {"times": 12}, {"decimal": "."}, 66.66),
        ("pain_duration_months", "999", {}, {"missing": frozenset({"999"})}, "unanswered"),
        ("pain_sites", "Nacken, unterer R\u00fccken", {}, {}, ["neck", "lower_back"]),
        ("fatigue", "1.0", {}, {}, True),
        ("fatigue", "S\u00ed", {}, {}, True),
        ("fatigue", "Nein", {}, {}, False),
        ("pain_extent", "AN AREA", {}, {}, "area"),
    ],
)
def test_a_cell_is_read_in_one_way_or_refused(question, cell, mapping, rules, answer):
    question_map = QuestionMap(id=question, column="c", **mapping)
    arguments = (question_map, LOADED.questions[question], {"c": cell})
    if answer is None:
        with pytest.raises(CellError, match="expected a number"):
            parse_answer(*arguments, CellRules(words=WORDS, **rules))
        return
    value = parse_answer(*arguments, CellRules(words=WORDS, **rules))
    assert (value if isinstance(value, bool | int | float | str | list) else "unanswered") == answer


def test_a_box_that_was_not_shown_is_not_checked():
    question_map = QuestionMap(id="pain_sites", columns={"a": "neck", "b": "lower_back"})
    rules = CellRules(missing=frozenset({"n/a"}), words=WORDS)
    row = {"a": "Neck", "b": "N/A"}
    assert parse_answer(question_map, LOADED.questions["pain_sites"], row, rules) == ["neck"]


@pytest.mark.parametrize(
    ("cell", "formats", "day"),
    [
        ("2025/03/06 10:00:00 AM GMT+1", ("%Y/%m/%d %I:%M:%S %p",), "2025-03-06"),
        ("06.03.2025", ("%Y-%m-%d", "%d.%m.%Y"), "2025-03-06"),
        ("2025/03/06 10:00:00 a. m. GMT+1", ("%Y/%m/%d %I:%M:%S %p",), "2025-03-06"),
        ("06.03.2025", DateColumn(column="c").formats, "2025-03-06"),
        ("03/06/2025", DateColumn(column="c").formats, None),
        ("01.01.1980", ("%d.%m.%Y",), None),
        ("6 March", ("%Y-%m-%d",), None),
    ],
)
def test_a_day_is_read_in_one_of_the_formats(cell, formats, day):
    column = DateColumn(column="c", format=formats, unknown=(date(1980, 1, 1),))
    assert parse_day(cell, column)[0] == day


REPEATS = """\
source = "redcap"
rulebook = "nociplastic@2.0.0"
patient = "record_id"
row = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
shared = { by = "record_id", columns = ["age", "months"] }
question = [
  { id = "age_years", column = "age" },
  { id = "pain_duration_months", column = "months" },
  { id = "fatigue", column = "fatigue" },
  { id = "rf_general", columns = { flags___1 = "fever_or_rigors" }, none_column = "flags___0" },
]
"""


def test_repeats_of_a_record_share_what_its_first_row_answers(tmp_path):
    mapping, out = tmp_path / "map.toml", tmp_path / "out.parquet"
    mapping.write_text(REPEATS, encoding="utf-8")
    outcome = check(HERE / "redcap_repeats.csv", mapping)
    assert "3 valid, 0 duplicate, 0 invalid, 2 empty" in outcome.stdout
    words = ["batch", str(HERE / "redcap_repeats.csv"), "--map", str(mapping), "-o", str(out)]
    assert CliRunner().invoke(main, words).exit_code == 0
    missing = pl.read_parquet(out)["missing"].to_list()
    assert ["age_years" in (names or ()) for names in missing] == [True, False, False, True, False]
    refusal = CliRunner().invoke(main, [*words, "--resume"])
    assert (refusal.exit_code, "`shared` columns" in refusal.stderr) == (2, True)


def test_shared_columns_must_answer_a_question(tmp_path):
    mapping = tmp_path / "map.toml"
    mapping.write_text(REPEATS.replace('"age", "months"', '"sex"'), encoding="utf-8")
    outcome = check(HERE / "redcap_repeats.csv", mapping)
    assert (outcome.exit_code, "no question reads the column 'sex'" in outcome.stderr) == (2, True)
