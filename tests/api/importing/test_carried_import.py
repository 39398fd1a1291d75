"""Importing answers of the first version into the second: carried by the table, never guessed."""

from pathlib import Path

import pytest
from support.builders import clinic, do
from support.commands import run_command, run_failing_command
from support.two_versions import FIRST, SECOND, load_two_versions

from api.importing.samples import list_sample_mappings
from api.store.operations.startup import open_store
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters

HERE = Path(__file__).parent
WORDS = (HERE / "google_forms.csv", "--mapping", list_sample_mappings()["google_forms"])


@pytest.fixture
def both_versions(monkeypatch):
    monkeypatch.setattr("scoring.catalogue.load_catalogue", load_two_versions)


@pytest.fixture
def only_second(monkeypatch):
    catalogue = load_two_versions("retired", "active")
    monkeypatch.setattr("scoring.catalogue.load_catalogue", lambda: catalogue)


@pytest.fixture
def store(store_settings):
    empty_store = open_store(store_settings)
    yield empty_store
    empty_store.close()


def import_file(store_settings, store, *words) -> tuple[str, dict[str, dict]]:
    """Import the file; return what the command says, and the answers by patient."""
    owner = clinic(store)
    process = run_command(
        store_settings, "import", *WORDS, "--organisation", owner.organisation, *words
    )
    assert process.returncode == 0, process.stderr
    lines = do(store, owner, search.list_first_page, ScreeningFilters(), 100).lines
    assert len(lines) == 3
    rows = [do(store, owner, screenings.find_screening, line.id) for line in lines]
    return process.stdout, {
        row.patient.reference: row.answers | {"rulebook": row.assessment.rulebook} for row in rows
    }


@pytest.mark.usefixtures("both_versions")
class TestCarried:
    def test_answers_are_stored_under_the_second_version(self, store_settings, store):
        _, answers = import_file(store_settings, store, "--to", SECOND)
        assert {row["rulebook"] for row in answers.values()} == {SECOND}
        assert answers["P-1001"]["age_years"] == 44

    def test_no_is_carried_and_yes_is_asked_again(self, store_settings, store):
        _, answers = import_file(store_settings, store, "--to", SECOND)
        names = ("wakes_at_night", "sleep_unrefreshing")
        assert [answers["P-1003"][name] for name in names] == [False, False]
        assert [name in answers["P-1001"] for name in names] == [False, False]

    def test_the_command_says_what_to_ask_again_and_which_options_were_not_asked(
        self, store_settings, store
    ):
        text, _ = import_file(store_settings, store, "--to", SECOND)
        assert "to be asked again, with the number of rows: cancer_ever (3)" in text
        assert "wakes_at_night (1)" in text
        assert (
            "new options of rf_spine_and_nerves that were not asked: new_sexual_dysfunction" in text
        )

    def test_without_to_the_answers_stay_under_the_version_of_the_mapping(
        self, store_settings, store
    ):
        text, answers = import_file(store_settings, store)
        assert {row["rulebook"] for row in answers.values()} == {FIRST}
        assert "asked again" not in text

    @pytest.mark.parametrize("name", ["phq4@1.0.0", FIRST])
    def test_a_version_that_answers_are_not_carried_to_is_refused(self, store_settings, name):
        words = ("import", *WORDS, "--dry-run", "--to", name)
        assert "are not carried" in run_failing_command(store_settings, *words)

    def test_an_unknown_version_is_refused(self, store_settings):
        words = ("import", *WORDS, "--dry-run", "--to", "nociplastic@9.0.0")
        assert "--to" in run_failing_command(store_settings, *words)


@pytest.mark.usefixtures("only_second")
class TestARetiredVersion:
    def test_is_imported_by_carrying_its_answers(self, store_settings, store):
        _, answers = import_file(store_settings, store, "--to", "nociplastic")
        assert {row["rulebook"] for row in answers.values()} == {SECOND}

    def test_is_not_imported_as_it_is(self, store_settings):
        message = run_failing_command(store_settings, "import", *WORDS, "--dry-run")
        assert "is retired: --to names the version" in message
