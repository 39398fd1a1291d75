"""`nociscreen rescore`: what another version would change, and whether results are repeatable."""

import json
import zlib

import pytest
from sqlmodel import col
from support.builders import build_fixture_settings, clinic, do, intake
from support.commands import (
    UNKNOWN_ORGANISATION,
    run_command,
    run_failing_command,
    run_json_command,
)

from api.store.database.tables import ScreeningRow
from api.store.operations.startup import open_store
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from schemas.patients.patient import Clinician
from schemas.patients.screening import Screening, ScreeningContext

VERSIONS = ("--from", "1.0.0", "--to", "2.0.0")


pytestmark = pytest.mark.usefixtures("organisation")


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request, tmp_path):
    return build_fixture_settings(request, tmp_path)


@pytest.fixture
def store(settings):
    own_store = open_store(settings)
    yield own_store
    own_store.close()


def attested_intake(reference: str, example: str) -> ScoredIntake:
    """A scored example with the clinician whom it names."""
    context = ScreeningContext(clinician=Clinician(reference="dr"))
    return intake(reference, example)._replace(context=context)


def add(store, owner, reference: str, example: str) -> Screening:
    return do(store, owner, screenings.add_screening, attested_intake(reference, example))


@pytest.fixture
def organisation(store):
    """An organisation with a withheld and a scored screening, and one that was replaced."""
    owner = clinic(store)
    add(store, owner, "MRN-1", example="red_flag")
    replaced = add(store, owner, "MRN-2", example="widespread_pain")
    correction = attested_intake("MRN-2", "widespread_pain")
    do(store, owner, screenings.amend_screening, replaced, correction)
    return owner


def report(settings, owner) -> dict:
    words = ("rescore", *VERSIONS, "--organisation", owner.organisation, "--json")
    return run_json_command(settings, *words)


class TestTheReport:
    def test_counts_the_screenings_in_force_and_names_those_that_change(
        self, settings, organisation
    ):
        result = report(settings, organisation)
        names = ("from_rulebook", "to_rulebook", "screenings", "changed_results")
        assert [result[name] for name in names] == ["nociplastic@1.0.0", "nociplastic@2.0.0", 2, 1]
        (line,) = result["changed"]
        assert line["differences"]["new_flags"] == ["past_cancer_with_spinal_pain"]

    def test_tells_which_status_band_and_flag_changes_and_by_which_criterion(
        self, settings, organisation
    ):
        result = report(settings, organisation)
        assert result["new_flags"] == {"past_cancer_with_spinal_pain": 1}
        assert result["lost_flags"] == {"history_of_cancer": 1}
        assert result["status"]["scored > withheld_red_flag"] == 1
        assert result["band"]["strong > none"] == 1
        assert "wakes_at_night" in result["ask_again"]

    def test_is_readable_as_text(self, settings, organisation):
        words = ("rescore", *VERSIONS, "--organisation", organisation.organisation)
        text = run_command(settings, *words).stdout
        assert text.startswith("2 screenings in force by nociplastic@1.0.0: 1 would have")
        assert "status: scored > withheld_red_flag (1)" in text

    def test_changes_nothing(self, settings, store, organisation):
        before = do(store, organisation, count_rows)
        report(settings, organisation)
        assert do(store, organisation, count_rows) == before

    def test_of_an_organisation_without_screenings_is_empty(self, settings, store):
        assert report(settings, clinic(store))["screenings"] == 0

    def test_names_no_patient(self, settings, organisation):
        assert "MRN-" not in json.dumps(report(settings, organisation))

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "--from, --to and --organisation are required, or --verify"),
            (("--from", "1.0.0", "--to", "9.0.0"), "there is no rulebook nociplastic@9.0.0"),
            (
                ("--from", "2.0.0", "--to", "1.0.0"),
                "answers are not carried from nociplastic@2.0.0 to nociplastic@1.0.0",
            ),
        ],
    )
    def test_refuses_versions_that_do_not_follow_each_other(self, settings, words, message):
        words = (*words, "--organisation", UNKNOWN_ORGANISATION) if words else words
        assert message in run_failing_command(settings, "rescore", *words)


class TestTheReplay:
    def verify(self, settings, *words):
        process = run_command(settings, "rescore", "--verify", *words)
        return process.returncode, json.loads(process.stdout)

    def test_finds_every_stored_assessment_the_same_to_the_byte(self, settings):
        assert self.verify(settings) == (0, {"screenings": 3, "faults": []})

    def test_names_a_screening_whose_assessment_comes_out_otherwise(
        self, settings, store, organisation
    ):
        changed = add(store, organisation, "MRN-9", example="widespread_pain")
        do(store, organisation, change_assessment, changed.id)
        status, result = self.verify(settings, "--organisation", organisation.organisation)
        assert (status, result["screenings"]) == (1, 4)
        assert result["faults"] == [
            {
                "organisation": organisation.organisation,
                "screening": changed.id,
                "rulebook": "nociplastic@1.0.0",
                "fault": "its assessment comes out otherwise",
            }
        ]

    def test_looks_at_every_organisation_or_at_one(self, settings, store, organisation):
        add(store, clinic(store, "Other"), "MRN-1", "red_flag")
        assert self.verify(settings)[1]["screenings"] == 4
        one = self.verify(settings, "--organisation", organisation.organisation)
        assert one[1]["screenings"] == 3

    def test_refuses_an_unknown_organisation(self, settings):
        words = ("rescore", "--verify", "--organisation", UNKNOWN_ORGANISATION)
        assert "no organisation" in run_failing_command(settings, *words)


def count_rows(work) -> int:
    return work.count(ScreeningRow)


def change_assessment(work, screening_id: str) -> None:
    """Store another result than that of the answers, under the right key."""
    row = work.load_row(ScreeningRow, screening_id)
    content = screenings.decrypt_assessment_json(work, row).replace(b'"strong"', b'"many"')
    plaintexts = {
        name: work.decrypt_column(row, name) for name in ("patient", "context", "answers")
    }
    plaintexts["assessment"] = zlib.compress(content)
    values = work.encrypt_columns(ScreeningRow, screening_id, **plaintexts)
    assert work.update(ScreeningRow, values, col(ScreeningRow.id) == screening_id) == 1
