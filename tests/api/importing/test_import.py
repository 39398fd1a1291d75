"""Importing exports of other tools: every column has a use, every problem a line."""

import json
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.builders import build_store_settings, clinic, do
from support.servers import processes
from typer.testing import CliRunner

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.input_files import ReadOptions, add_file_options
from api.batch_scoring.mapping.cell_parser import UNANSWERED, CellError, parse_answer
from api.batch_scoring.mapping.mapping_file import MappingError, QuestionMap, load_mapping
from api.cli import main
from api.cli.batch_reading import build_import_reading
from api.fhir.elements import CanonicalUrls
from api.fhir.questionnaire_catalogue import list_questionnaire_forms
from api.importing.import_reader import ImportReader
from api.importing.samples import list_sample_mappings
from api.store.operations.startup import open_store
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters
from scoring.catalogue import load_catalogue

HERE = Path(__file__).parent
QUESTIONS = {
    question.id: question
    for question in load_catalogue().find_active("nociplastic").rulebook.question
}
SAMPLES = sorted(list_sample_mappings())


def reading(file: Path, mapping: Path) -> ImportReader:
    import_mapping, loaded = load_mapping(mapping, load_catalogue())
    return ImportReader(str(file), loaded, add_file_options(ReadOptions(), import_mapping))


def sample(tool: str) -> ImportReader:
    return reading(HERE / f"{tool}.csv", list_sample_mappings()[tool])


def answers(tool: str) -> list[dict]:
    return [
        row.intake.answers.model_dump(mode="json", exclude_none=True)
        for row in sample(tool).read_rows()
    ]


def mapped(tmp_path: Path, text: str, head: str = "") -> Path:
    file = tmp_path / "map.toml"
    start = head or 'source = "t"\nrulebook = "phq4"\npatient = "id"\n'
    file.write_text(start + text)
    return file


def a_file(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = tmp_path / "rows.csv"
    file.write_text(text, encoding=encoding)
    return file


NERVOUS = '[[question]]\nid = "phq4_nervous"\ncolumn = "nervous"\n'


class TestTheSamples:
    @pytest.mark.parametrize("tool", SAMPLES)
    def test_are_read_without_trouble_and_every_column_has_a_use(self, tool):
        reader = sample(tool)
        rows = list(reader.read_rows())
        assert len(rows) >= 2
        assert [problem for row in rows for problem in row.problems] == []
        assert [column.column for column in reader.list_column_uses()] == reader.columns
        assert {column.faulty for column in reader.list_column_uses()} == {0}

    def test_of_google_forms_turn_labels_years_and_words_into_answers(self):
        first, second, third = answers("google_forms")
        assert first["pain_sites"] == ["neck", "lower_back", "shoulder_left"]
        assert first["pain_duration_months"] == 60
        assert (first["onset_injury"], first["rf_general"]) == ("none", [])
        assert second["pain_sites"] == []
        assert second["rf_spine_and_nerves"] == ["saddle_numbness", "both_legs_weak_or_numb"]
        assert "pain_symmetric" not in second
        assert "sleep_broken" not in second
        assert "rf_general" not in third
        assert "age_years" not in third

    def test_of_jotform_take_a_line_for_each_answer_and_words_with_commas(self):
        first, second = answers("jotform")
        assert first["sensory_sensitivity"] == ["sound", "light"]
        assert second["rf_personal_safety"] == ["unsafe_at_home"]
        assert "fatigue" not in second

    def test_of_simplepractice_take_words_for_numbers(self):
        first, second = answers("simplepractice")
        assert list(first.values()) == [1, 0, 2, 3]
        assert "phq4_interest" not in second

    def test_of_qualtrics_skip_two_lines_below_the_header_and_split_labels_with_commas(self):
        first, second = answers("qualtrics")
        assert first["pain_sites"] == ["neck", "shoulder_left"]
        assert (first["fatigue"], first["rf_spine_and_nerves"]) == (True, [])
        assert second["pain_sites"] == []
        assert second["rf_spine_and_nerves"] == ["saddle_numbness", "new_bowel_change"]
        rows = list(sample("qualtrics").read_rows())
        assert [row.intake.answered_on.isoformat() for row in rows] == ["2026-01-05", "2026-01-06"]

    def test_of_limesurvey_take_what_was_not_shown_for_unanswered_and_no_day_for_1980(self):
        first, second, third = answers("limesurvey")
        assert (first["pain_sites"], first["rf_general"]) == (["neck", "lower_back"], [])
        assert (second["pain_sites"], second["rf_general"]) == ([], ["fever_or_rigors"])
        assert (first["fatigue"], second["fatigue"]) == (True, False)
        assert third == {"age_years": 39}
        days = [row.intake.answered_on for row in sample("limesurvey").read_rows()]
        assert [day and day.isoformat() for day in days] == ["2026-01-05", None, None]

    def test_of_redcap_with_labels_are_visits_that_share_the_age_of_their_record(self):
        first, second, third, fourth = answers("redcap_labels")
        assert first == {
            "age_years": 44, "pain_duration_months": 60, "pain_sites": ["neck", "lower_back"],
            "pain_extent": "area", "fatigue": True, "rf_general": [],
            "peg_pain": 6, "peg_enjoyment": 7, "peg_activity": 5,
        }  # fmt: skip
        assert (second["age_years"], second["fatigue"], second["pain_extent"]) == (
            44,
            False,
            "spot",
        )
        assert second["rf_general"] == ["unexplained_weight_loss"]
        assert (third["pain_sites"], "fatigue" in third, "rf_general" in third) == (
            [],
            False,
            False,
        )
        assert (fourth["age_years"], fourth["pain_duration_months"]) == (51, 25)
        assert (fourth["pain_extent"], fourth["pain_sites"]) == ("large_area", ["shoulder_left"])
        days = [row.intake.answered_on.isoformat() for row in sample("redcap_labels").read_rows()]
        assert days == ["2024-01-03", "2024-07-03", "2024-01-08", "2024-02-08"]

    def test_of_redcap_take_no_box_at_all_for_nothing_said(self):
        first, second, third = answers("redcap")
        assert first["pain_sites"] == ["neck", "lower_back"]
        assert first["rf_spine_and_nerves"] == []
        assert second["pain_sites"] == []
        assert second["rf_spine_and_nerves"] == ["saddle_numbness"]
        assert "pain_symmetric" not in second
        assert third == {"age_years": 39, "pain_duration_months": 24, "pain_symmetric": False}


class TestACell:
    def parse(self, question: str, cell: str, **mapping):
        question_map = QuestionMap(id=question, column="c", **mapping)
        return parse_answer(question_map, QUESTIONS[question], {"c": cell})

    @pytest.mark.parametrize(
        ("question", "cell", "mapping", "answer"),
        [
            ("fatigue", "YES", {}, True),
            ("fatigue", " no ", {}, False),
            ("fatigue", "", {}, UNANSWERED),
            ("fatigue", "Weiß nicht", {"unanswered": ("weiß nicht",)}, UNANSWERED),
            ("fatigue", "ja", {"values": {"Ja": True}}, True),
            ("age_years", "44", {}, 44),
            ("pain_duration_months", "0,5", {"times": 12}, 6),
            ("pain_sites", "neck;neck", {"split": ";"}, ["neck"]),
            ("pain_sites", "Keine", {"none": ("keine",)}, []),
        ],
        ids=lambda value: "unanswered" if value is UNANSWERED else str(value),
    )
    def test_is_taken_for_an_answer(self, question, cell, mapping, answer):
        assert self.parse(question, cell, **mapping) == answer

    @pytest.mark.parametrize(
        ("question", "cell", "mapping"),
        [
            ("fatigue", "canary", {}),
            ("age_years", "canary", {}),
            ("age_years", "NaN", {}),
            ("age_years", "1" * 40, {}),
            ("pain_sites", "neck, canary", {}),
            ("pain_sites", "neck, none", {"none": ("none",)}),
            ("pain_extent", "canary", {}),
        ],
        ids=str,
    )
    def test_that_is_no_answer_is_refused_without_being_repeated(self, question, cell, mapping):
        with pytest.raises(CellError) as refusal:
            self.parse(question, cell, **mapping)
        assert "canary" not in str(refusal.value)

    def test_of_a_box_that_is_neither_checked_nor_not_is_refused(self):
        question_map = QuestionMap(id="pain_sites", columns={"a": "neck"}, none_column="b")
        with pytest.raises(CellError):
            parse_answer(question_map, QUESTIONS["pain_sites"], {"a": "x", "b": "0"})
        with pytest.raises(CellError, match="not both"):
            parse_answer(question_map, QUESTIONS["pain_sites"], {"a": "1", "b": "1"})


class TestARow:
    def test_with_trouble_is_told_by_line_and_column_and_holds_up_no_other(self, tmp_path):
        file = a_file(tmp_path, "id,nervous\nP-1,1\n,2\nP-3,9\nP-4,canary\nP-5\nP-6,3\n")
        reader = reading(file, mapped(tmp_path, NERVOUS))
        rows = list(reader.read_rows())
        troubles = [problem for row in rows for problem in row.problems]
        assert [(problem.line, problem.column) for problem in troubles] == [
            (3, "id"), (4, "nervous"), (5, "nervous"), (6, None),
        ]  # fmt: skip
        assert not any(
            "canary" in problem.message or "9" in problem.expected for problem in troubles
        )
        assert [row.intake is not None for row in rows] == [True, False, False, False, False, True]
        assert [(column.filled_cells, column.faulty) for column in reader.list_column_uses()] == [
            (4, 1),
            (5, 2),
        ]

    def test_over_several_lines_is_told_by_its_first(self, tmp_path):
        file = a_file(tmp_path, 'id,nervous\n"P\n1",1\nP-2,x\n')
        troubles = [
            e for r in reading(file, mapped(tmp_path, NERVOUS)).read_rows() for e in r.problems
        ]
        assert [problem.line for problem in troubles] == [4]

    def test_of_a_day_written_otherwise_is_trouble(self, tmp_path):
        more = 'answered_on = { column = "day", format = "%d.%m.%Y" }\n'
        file = a_file(
            tmp_path,
            "id,day,nervous\nP-1,20.11.2026,1\nP-2,2026-11-20,1\nP-3,,1\nP-4,31.12.9999,1\n",
        )
        rows = list(reading(file, mapped(tmp_path, more + NERVOUS)).read_rows())
        assert rows[0].intake.answered_on.isoformat() == "2026-11-20"
        assert [problem.column for problem in rows[1].problems] == ["day"]
        assert rows[2].intake.answered_on is None
        assert [problem.expected for problem in rows[3].problems] == [
            "must be a date from 1900-01-01 to today"
        ]


class TestAMapping:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[[question]]\nid = 'nothing'\ncolumn = 'x'\n", "has no such question"),
            (NERVOUS + NERVOUS, "expected only once"),
            ("[[question]]\nid = 'phq4_nervous'\n", "either `column` or `columns`"),
            ("nonsense = 1\n" + NERVOUS, "nonsense"),
            ("= 1", "not UTF-8 TOML"),
            ("", "question"),
        ],
        ids=str,
    )
    def test_that_cannot_be_used_says_where(self, tmp_path, text, message):
        with pytest.raises(MappingError, match=message):
            load_mapping(mapped(tmp_path, text), load_catalogue())

    @pytest.mark.parametrize(
        ("question", "message"),
        [
            (
                'id = "pain_extent"\ncolumn = "x"\nvalues = { a = "nowhere" }',
                "not one of its options",
            ),
            ('id = "fatigue"\ncolumn = "x"\nvalues = { a = "yes" }', "true or false"),
            ('id = "fatigue"\ncolumn = "x"\nnone = ["a"]', "several answers"),
        ],
        ids=str,
    )
    def test_to_what_there_is_not_says_what_there_is(self, tmp_path, question, message):
        head = 'source = "t"\nrulebook = "nociplastic"\npatient = "id"\n'
        with pytest.raises(MappingError, match=message):
            load_mapping(mapped(tmp_path, f"[[question]]\n{question}\n", head), load_catalogue())

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("id,nervous,extra\nP-1,1,2\n", "column 'extra' is not in the mapping"),
            ("id\nP-1\n", "column 'nervous' is not in the file"),
            ("id,nervous,nervous\nP-1,1,1\n", "column 'nervous' occurs twice"),
            ("", "the header is missing"),
            ('id,nervous\n"P-1,1\n', "a quotation mark is never closed"),
        ],
        ids=str,
    )
    def test_that_does_not_go_with_the_file_says_which_column(self, tmp_path, text, message):
        with pytest.raises(UnusableInputError, match=message):
            list(reading(a_file(tmp_path, text), mapped(tmp_path, NERVOUS)).read_rows())

    def test_repeats_nothing_of_a_row_that_stands_where_a_header_should(self, tmp_path):
        file = a_file(tmp_path, "MRN-0042,Jane Doe,Jane Doe\n")
        with pytest.raises(UnusableInputError) as refusal:
            list(reading(file, mapped(tmp_path, NERVOUS)).read_rows())
        assert [f"column {place} is not in" in str(refusal.value) for place in (1, 2, 3)] == [
            True
        ] * 3
        assert "MRN" not in str(refusal.value)
        assert "Jane" not in str(refusal.value)

    def test_in_another_encoding_is_said(self, tmp_path):
        file = a_file(tmp_path, "id,nervous\nP-ä,1\n", "cp1252")
        guess = reading(file, mapped(tmp_path, NERVOUS))
        assert [row.intake.patient.reference for row in guess.read_rows()] == ["P-ä"]
        assert [*guess.notes] == ["read as cp1252; --encoding names another one"]
        mapping_file = mapped(tmp_path, 'encoding = "cp1252"\n' + NERVOUS)
        assert [
            row.intake.patient.reference for row in reading(file, mapping_file).read_rows()
        ] == ["P-ä"]


class TestTheCommand:
    @pytest.fixture
    def import_store(self, store_settings):
        store = open_store(store_settings)
        yield store
        store.close()

    def run(self, store_settings, *words):
        return processes.run(store_settings, "import", *words)

    def list_screenings(self, store, owner):
        page = do(store, owner, search.list_first_page, ScreeningFilters(), 100)
        return page.lines

    def test_keeps_each_row_once_however_often_it_is_run(self, store_settings, import_store):
        organisation = clinic(import_store)
        words = (HERE / "redcap.csv", "--mapping", list_sample_mappings()["redcap"])
        first = self.run(store_settings, *words, "--organisation", organisation.organisation)
        assert first.returncode == 0, first.stderr
        assert "3 stored, 0 already stored, 0 invalid" in first.stdout
        assert "1 of these have red flags" in first.stdout
        second = self.run(store_settings, *words, "--organisation", organisation.organisation)
        assert "0 stored, 3 already stored, 0 invalid" in second.stdout
        assert "red flags" not in second.stdout
        lines = self.list_screenings(import_store, organisation)
        assert len(lines) == 3
        screening = do(import_store, organisation, screenings.find_screening, lines[0].id)
        assert (screening.origin.means, screening.origin.actor) == ("import", "command_line")
        assert screening.patient.system == "urn:redcap:pain-registry"

    def test_keeps_nothing_in_a_dry_run_and_shows_each_column(self, store_settings, import_store):
        organisation = clinic(import_store)
        outcome = self.run(
            store_settings,
            HERE / "jotform.csv",
            "--mapping",
            list_sample_mappings()["jotform"],
            "--dry-run",
        )
        assert outcome.returncode == 0, outcome.stderr
        assert "Submission IP" in outcome.stdout
        assert "ignored" in outcome.stdout
        assert "answers pain_sites" in outcome.stdout
        assert "2 valid" in outcome.stdout
        assert "1 of these have red flags" in outcome.stdout
        assert "nothing was stored" in outcome.stderr
        assert self.list_screenings(import_store, organisation) == ()


class TestTheCommandAlone:
    def test_tells_trouble_without_what_stood_there_and_exits_with_1(self, tmp_path):
        file = a_file(tmp_path, "id,nervous\ncanary-1,canary-2\nP-2,1\n")
        outcome = processes.run(build_store_settings(tmp_path), "import", file, "--mapping",
                           mapped(tmp_path, NERVOUS), "--dry-run")  # fmt: skip
        assert outcome.returncode == 1
        assert "line 2: nervous: must be" in outcome.stdout
        assert "canary" not in outcome.stdout + outcome.stderr

    def test_needs_an_organisation_or_a_dry_run(self, tmp_path):
        outcome = processes.run(
            build_store_settings(tmp_path), "import", "x.csv", "--mapping", "y.toml"
        )
        assert outcome.returncode == 2
        assert "--organisation" in outcome.stderr

    @pytest.mark.parametrize("tool", SAMPLES)
    def test_prints_a_sample_to_start_from(self, tmp_path, tool):
        outcome = processes.run(build_store_settings(tmp_path), "import-sample", tool)
        assert outcome.stdout == list_sample_mappings()[tool].read_text()

    def test_knows_no_other_sample(self, tmp_path):
        outcome = processes.run(build_store_settings(tmp_path), "import-sample", "fax")
        assert outcome.returncode == 2
        assert "redcap" in outcome.stderr


def write_workbook(folder: Path) -> tuple:
    cells = pl.read_csv(HERE / "redcap.csv", infer_schema=False)
    cells.write_excel(folder / "in.xlsx")
    return (folder / "in.xlsx", "--map", list_sample_mappings()["redcap"])


def write_archive(folder: Path) -> tuple:
    with zipfile.ZipFile(folder / "in.zip", "w") as archive:
        archive.write(HERE / "redcap.csv", "export/redcap.csv")
    return (folder / "in.zip", "--map", list_sample_mappings()["redcap"])


def write_array(folder: Path) -> tuple:
    rows = [
        {"row_id": name, "patient_reference": name, "answered_on": "2026-01-05", **answers}
        for name, answers in (
            ("a", {"age_years": 44}),
            ("b", {"rf_general": ["fever_or_rigors"]}),
            ("c", {"fatigue": True}),
            ("d", {}),
        )
    ]
    (folder / "in.json").write_text(json.dumps([*rows, rows[0]]), encoding="utf-8")
    return (folder / "in.json",)


def write_bulk_export(folder: Path) -> tuple:
    """Write what a server exports: one line for each response."""
    catalogue = load_catalogue()
    forms = list_questionnaire_forms(catalogue, CanonicalUrls("https://clinic.example"))
    form = next(it for it in forms if it.loaded.name == catalogue.find_active("nociplastic").name)
    lines = [
        {
            "resourceType": "QuestionnaireResponse",
            "id": f"r{number}",
            "status": "completed",
            "questionnaire": form.canonical,
            "authored": "2026-01-05",
            "subject": {"identifier": {"value": f"P-{number}"}},
            "item": [{"linkId": "age_years", "answer": [{"valueInteger": 40 + number}]}],
        }
        for number in range(3)
    ]
    (folder / "in.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return (folder / "in.ndjson",)


@pytest.mark.parametrize(
    ("write_file", "counts"),
    [
        (write_workbook, "3 valid, 0 duplicate, 0 invalid"),
        (write_archive, "3 valid, 0 duplicate, 0 invalid"),
        (write_array, "3 valid, 1 duplicate, 0 invalid, 1 empty"),
        (write_bulk_export, "3 valid, 0 duplicate, 0 invalid"),
    ],
)
def test_every_file_that_a_batch_reads_is_imported(tmp_path, write_file, counts):
    outcome = CliRunner().invoke(main, ["import", *map(str, write_file(tmp_path)), "--dry-run"])
    assert (outcome.exit_code, counts in outcome.stdout) == (0, True), outcome.output


def test_the_day_and_patient_of_a_response_are_imported(tmp_path):
    file, *_ = write_bulk_export(tmp_path)
    loaded, options = build_import_reading("nociplastic", None, ReadOptions())
    intakes = [row.intake for row in ImportReader(str(file), loaded, options).read_rows()]
    assert [(it.patient.reference, it.answered_on) for it in intakes] == [
        (f"P-{number}", date(2026, 1, 5)) for number in range(3)
    ]


def test_a_total_is_reported_and_a_row_of_empty_cells_is_counted(tmp_path):
    file = a_file(tmp_path, "row_id,patient_reference,age_years\nTotal,x,44\n,,\n")
    outcome = CliRunner().invoke(main, ["import", str(file), "--dry-run"])
    assert "1 rows look like a total" in outcome.stderr
    assert "1 blank lines were skipped" in outcome.stderr
