"""Importing what other tools exported: each column has its fate, each problem its line."""

from pathlib import Path

import pytest
from support import processes
from support.builders import clinic, do, kept_in

from api.importing.cell_parser import UNANSWERED, CellError, parse_answer
from api.importing.csv_reader import ImportReader
from api.importing.mapping import MappingError, QuestionMap, list_sample_mappings, load_mapping
from api.store.operations.startup import open_store
from api.store.screenings import screenings, search
from schemas.screening import ScreeningFilters
from scoring.catalogue import load_catalogue

HERE = Path(__file__).parent
QUESTIONS = {
    each.id: each for each in load_catalogue().find_active("nociplastic").rulebook.question
}
SAMPLES = sorted(list_sample_mappings())


def reading(file: Path, mapping: Path) -> ImportReader:
    held, loaded = load_mapping(mapping, load_catalogue())
    return ImportReader(file, held, loaded, load_catalogue())


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
    def test_are_read_without_trouble_and_every_column_has_a_fate(self, tool):
        held = sample(tool)
        rows = list(held.read_rows())
        assert len(rows) >= 2
        assert [each for row in rows for each in row.problems] == []
        assert [each.column for each in held.list_column_uses()] == held.columns
        assert {each.faulty for each in held.list_column_uses()} == {0}

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

    def test_of_redcap_take_no_box_at_all_for_nothing_said(self):
        first, second, third = answers("redcap")
        assert first["pain_sites"] == ["neck", "lower_back"]
        assert first["rf_spine_and_nerves"] == []
        assert second["pain_sites"] == []
        assert second["rf_spine_and_nerves"] == ["saddle_numbness"]
        assert "pain_symmetric" not in second
        assert third == {"age_years": 39, "pain_duration_months": 24, "pain_symmetric": False}


class TestACell:
    def given(self, question: str, cell: str, **mapping):
        each = QuestionMap(id=question, column="c", **mapping)
        return parse_answer(each, QUESTIONS[question], {"c": cell})

    @pytest.mark.parametrize(
        ("question", "cell", "mapping", "expected"),
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
        ids=lambda each: "not said" if each is UNANSWERED else str(each),
    )
    def test_is_taken_for_an_answer(self, question, cell, mapping, expected):
        assert self.given(question, cell, **mapping) == expected

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
        with pytest.raises(CellError) as refused:
            self.given(question, cell, **mapping)
        assert "canary" not in str(refused.value)

    def test_of_a_box_that_is_neither_checked_nor_not_is_refused(self):
        each = QuestionMap(id="pain_sites", columns={"a": "neck"}, none_column="b")
        with pytest.raises(CellError):
            parse_answer(each, QUESTIONS["pain_sites"], {"a": "x", "b": "0"})
        with pytest.raises(CellError, match="not both"):
            parse_answer(each, QUESTIONS["pain_sites"], {"a": "1", "b": "1"})


class TestARow:
    def test_with_trouble_is_told_by_line_and_column_and_holds_up_no_other(self, tmp_path):
        file = a_file(tmp_path, "id,nervous\nP-1,1\n,2\nP-3,9\nP-4,canary\nP-5\nP-6,3\n")
        held = reading(file, mapped(tmp_path, NERVOUS))
        rows = list(held.read_rows())
        troubles = [each for row in rows for each in row.problems]
        assert [(each.line, each.column) for each in troubles] == [
            (3, "id"), (4, "nervous"), (5, "nervous"), (6, ""),
        ]  # fmt: skip
        assert not any("canary" in each.expected or "9" in each.expected for each in troubles)
        assert [row.intake is not None for row in rows] == [True, False, False, False, False, True]
        assert [(f.filled, f.faulty) for f in held.list_column_uses()] == [(4, 1), (5, 2)]

    def test_over_several_lines_is_told_by_its_first(self, tmp_path):
        file = a_file(tmp_path, 'id,nervous\n"P\n1",1\nP-2,x\n')
        troubles = [
            e for r in reading(file, mapped(tmp_path, NERVOUS)).read_rows() for e in r.problems
        ]
        assert [each.line for each in troubles] == [4]

    def test_of_a_day_written_otherwise_is_trouble(self, tmp_path):
        more = 'answered_on = { column = "day", format = "%d.%m.%Y" }\n'
        file = a_file(
            tmp_path,
            "id,day,nervous\nP-1,20.11.2026,1\nP-2,2026-11-20,1\nP-3,,1\nP-4,31.12.9999,1\n",
        )
        rows = list(reading(file, mapped(tmp_path, more + NERVOUS)).read_rows())
        assert rows[0].intake.answered_on.isoformat() == "2026-11-20"
        assert [each.column for each in rows[1].problems] == ["day"]
        assert rows[2].intake.answered_on is None
        assert [each.expected for each in rows[3].problems] == ["a day from 1900-01-01 to today"]


class TestAMapping:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[[question]]\nid = 'nothing'\ncolumn = 'x'\n", "asks no such question"),
            (NERVOUS + NERVOUS, "expected once"),
            ("[[question]]\nid = 'phq4_nervous'\n", "either `column` or `columns`"),
            ("nonsense = 1\n" + NERVOUS, "nonsense"),
            ("= 1", "not TOML"),
            ("", "question"),
        ],
        ids=str,
    )
    def test_that_cannot_be_used_says_where(self, tmp_path, text, told):
        with pytest.raises(MappingError, match=told):
            load_mapping(mapped(tmp_path, text), load_catalogue())

    @pytest.mark.parametrize(
        ("question", "told"),
        [
            ('id = "pain_extent"\ncolumn = "x"\nvalues = { a = "nowhere" }', "none of its options"),
            ('id = "fatigue"\ncolumn = "x"\nvalues = { a = "yes" }', "true or false"),
            ('id = "fatigue"\ncolumn = "x"\nnone = ["a"]', "several answers"),
        ],
        ids=str,
    )
    def test_to_what_there_is_not_says_what_there_is(self, tmp_path, question, told):
        head = 'source = "t"\nrulebook = "nociplastic"\npatient = "id"\n'
        with pytest.raises(MappingError, match=told):
            load_mapping(mapped(tmp_path, f"[[question]]\n{question}\n", head), load_catalogue())

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("id,nervous,extra\nP-1,1,2\n", "column 3 is in no line of the mapping"),
            ("id\nP-1\n", "column `nervous` is not in the file"),
            ("id,nervous,nervous\nP-1,1,1\n", "column `nervous` stands twice"),
            ("", "is not in the file"),
            ('id,nervous\n"P-1,1\n', "not CSV"),
        ],
        ids=str,
    )
    def test_that_does_not_go_with_the_file_says_which_column(self, tmp_path, text, told):
        with pytest.raises(MappingError, match=told):
            list(reading(a_file(tmp_path, text), mapped(tmp_path, NERVOUS)).read_rows())

    def test_repeats_nothing_of_a_row_that_stands_where_a_header_should(self, tmp_path):
        file = a_file(tmp_path, "MRN-0042,Jane Doe,Jane Doe\n")
        with pytest.raises(MappingError) as told:
            list(reading(file, mapped(tmp_path, NERVOUS)).read_rows())
        assert [f"column {place} is in no" in str(told.value) for place in (1, 2, 3)] == [True] * 3
        assert "MRN" not in str(told.value)
        assert "Jane" not in str(told.value)

    def test_in_another_encoding_is_said(self, tmp_path):
        file = a_file(tmp_path, "id,nervous\nP-ä,1\n", "cp1252")
        with pytest.raises(MappingError, match="not in utf-8"):
            list(reading(file, mapped(tmp_path, NERVOUS)).read_rows())
        told = mapped(tmp_path, 'encoding = "cp1252"\n' + NERVOUS)
        assert [row.intake.patient.reference for row in reading(file, told).read_rows()] == ["P-ä"]


class TestTheCommand:
    @pytest.fixture
    def opened(self, kept):
        store = open_store(kept)
        yield store
        store.close()

    def run(self, kept, *words):
        return processes.run(kept, "import", *words)

    def listed(self, store, made):
        page = do(store, made, search.list_first_page, ScreeningFilters(), 100)
        return page.lines

    def test_keeps_each_row_once_however_often_it_is_run(self, kept, opened):
        made = clinic(opened)
        words = (HERE / "redcap.csv", "--map", list_sample_mappings()["redcap"])
        first = self.run(kept, *words, "--organisation", made.organisation)
        assert first.returncode == 0, first.stderr
        assert "3 kept, 0 there already, 0 wrong" in first.stdout
        assert "1 of these carry red flags" in first.stdout
        second = self.run(kept, *words, "--organisation", made.organisation)
        assert "0 kept, 3 there already, 0 wrong" in second.stdout
        assert "red flags" not in second.stdout
        lines = self.listed(opened, made)
        assert len(lines) == 3
        found = do(opened, made, screenings.find_screening, lines[0].id)
        assert (found.origin.means, found.origin.actor) == ("import", "command_line")
        assert found.patient.system == "urn:redcap:pain-registry"

    def test_keeps_nothing_in_a_dry_run_and_shows_each_column(self, kept, opened):
        made = clinic(opened)
        told = self.run(
            kept, HERE / "jotform.csv", "--map", list_sample_mappings()["jotform"], "--dry-run"
        )
        assert told.returncode == 0, told.stderr
        assert "Submission IP" in told.stdout
        assert "left out" in told.stdout
        assert "answers pain_sites" in told.stdout
        assert "2 good" in told.stdout
        assert "1 of these carry red flags" in told.stdout
        assert "nothing was kept" in told.stderr
        assert self.listed(opened, made) == ()


class TestTheCommandAlone:
    def test_tells_trouble_without_what_stood_there_and_exits_with_1(self, tmp_path):
        file = a_file(tmp_path, "id,nervous\ncanary-1,canary-2\nP-2,1\n")
        told = processes.run(kept_in(tmp_path), "import", file, "--map",
                           mapped(tmp_path, NERVOUS), "--dry-run")  # fmt: skip
        assert told.returncode == 1
        assert "line 2, column 'nervous'" in told.stdout
        assert "canary" not in told.stdout + told.stderr

    def test_needs_an_organisation_or_a_dry_run(self, tmp_path):
        told = processes.run(kept_in(tmp_path), "import", "x.csv", "--map", "y.toml")
        assert told.returncode == 2
        assert "--organisation" in told.stderr

    @pytest.mark.parametrize("tool", SAMPLES)
    def test_prints_a_sample_to_start_from(self, tmp_path, tool):
        told = processes.run(kept_in(tmp_path), "import-sample", tool)
        assert told.stdout == list_sample_mappings()[tool].read_text()

    def test_knows_no_other_sample(self, tmp_path):
        told = processes.run(kept_in(tmp_path), "import-sample", "fax")
        assert told.returncode == 2
        assert "redcap" in told.stderr
