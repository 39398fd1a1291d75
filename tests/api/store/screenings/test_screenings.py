"""Screenings in the store: complete, found by their organisation only, never changed."""

import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError as DatabaseRefusal
from sqlmodel import col
from support.builders import add, clinic, do, intake, request, run_concurrently

from api.store.database.tables import ReportRow
from api.store.deliveries import destinations, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.errors import ConflictError, InvalidCursorError, NotFoundError, UnavailableError
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import issued_reports, screenings, search
from api.store.screenings.scored_intake import ScoredIntake
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import ScreeningContext, ScreeningFilters
from scoring.catalogue import load_catalogue
from scoring.engine import assess


@pytest.fixture
def scored():
    body = request()
    assessment = assess(
        load_catalogue().find_version("nociplastic@1.0.0"), body["answers"], attested=True
    )
    return ScoredIntake(
        KnownPatient(reference="MRN-0042"), ScreeningContext(note="n"), body["answers"], assessment
    )


def test_a_screening_is_found_as_it_was_stored(store, scored):
    actor = clinic(store).actor
    with store.transaction(actor) as work:
        screening = screenings.add_screening(work, scored)
        work.audit("create", "screening", screening.id)
    with store.transaction(actor) as work:
        assert screenings.find_screening(work, screening.id) == screening
        work.audit("read", "screening", screening.id)
    assert screening.assessment == scored.assessment
    assert json.loads(json.dumps(screening.answers)) == dict(scored.answers)


def test_another_organisation_finds_nothing(store, scored):
    with store.transaction(clinic(store).actor) as work:
        screening = screenings.add_screening(work, scored)
        work.audit("create", "screening", screening.id)
    with pytest.raises(NotFoundError), store.transaction(clinic(store).actor) as work:
        screenings.find_screening(work, screening.id)


@pytest.mark.parametrize(
    "column",
    ["id", "created_at", "actor", "means", "rulebook", "rulebook_sha256", "software_version"],
)
def test_the_database_refuses_to_change_what_a_screening_says_of_itself(store, column):
    owner = clinic(store)
    screening = add(store, owner)
    value = "2020-01-01 00:00:00.000000" if column == "created_at" else "x"
    with pytest.raises((DatabaseRefusal, UnavailableError)), store.transaction(owner.actor) as work:
        work.audit("amend")
        work.session.connection().execute(text(f"UPDATE screening SET {column} = '{value}'"))
    assert do(store, owner, screenings.find_screening, screening.id) == screening


def test_a_screening_is_entered_in_error_once_however_many_say_so(store):
    owner = clinic(store)
    screening = add(store, owner)
    outcomes = run_concurrently(
        6, lambda _: do(store, owner, screenings.mark_entered_in_error, screening, "wrong patient")
    )
    assert sorted(type(mark).__name__ for mark in outcomes) == [
        *["ConflictError"] * 5,
        "EnteredInError",
    ]
    assert do(store, owner, screenings.find_screening, screening.id).state == "entered_in_error"


def test_a_screening_is_amended_once_however_many_do(store):
    owner = clinic(store)
    screening = add(store, owner)
    outcomes = run_concurrently(
        6, lambda _: do(store, owner, screenings.amend_screening, screening, intake())
    )
    assert sorted(type(correction).__name__ for correction in outcomes) == [
        *["ConflictError"] * 5,
        "Screening",
    ]
    assert do(store, owner, screenings.find_screening, screening.id).state == "amended"


def test_a_report_issued_concurrently_is_stored_once(store):
    owner = clinic(store)
    screening = add(store, owner)
    outcomes = run_concurrently(
        6,
        lambda _: do(
            store, owner, issued_reports.add_issued_report, screening.id, "text/plain", b"report"
        ),
    )
    assert len(set(outcomes)) == 1
    own = select(ReportRow.id).where(col(ReportRow.organisation_id) == owner.organisation)
    with store.read_all_organisations() as session:
        assert len(session.execute(own).all()) == 1
    with pytest.raises(NotFoundError):
        do(store, owner, issued_reports.add_issued_report, "none", "text/plain", b"report")


def test_a_list_is_filtered_and_paged_to_its_end(store):
    owner = clinic(store)
    screening = [add(store, owner, f"MRN-{number % 2}") for number in range(5)]
    page = do(store, owner, search.list_first_page, ScreeningFilters(patient="MRN-0"), 2)
    rest = do(store, owner, search.list_next_page, page.next_cursor)
    assert rest.next_cursor is None
    assert [line.id for line in (*page.lines, *rest.lines)] == [screening[n].id for n in (4, 2, 0)]
    with pytest.raises(InvalidCursorError):
        do(store, clinic(store), search.list_next_page, page.next_cursor)


def test_a_moment_without_its_zone_is_no_filter():
    with pytest.raises(ValueError, match="with its zone"):
        ScreeningFilters.model_validate_json('{"created_from": "2026-01-01T00:00:00"}')


@pytest.mark.parametrize("hanging", ["acknowledge", "enter_in_error", "report", "amend", "deliver"])
def test_nothing_is_hung_on_what_was_erased_meanwhile(store, hanging):
    owner = clinic(store)
    erased = add(store, owner, example="red_flag")
    to = DestinationSecrets(address="mllps://ehr.example:2575")
    where = do(store, owner, destinations.add_destination, "EHR", "generic-v2", to, follows=True)
    do(store, owner, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))

    def hang(work):
        match hanging:
            case "acknowledge":
                screenings.acknowledge_red_flags(work, erased, "dr", "done")
            case "enter_in_error":
                screenings.mark_entered_in_error(work, erased, "why")
            case "report":
                issued_reports.add_issued_report(work, erased.id, "application/pdf", b"%PDF")
            case "amend":
                screenings.amend_screening(work, erased, intake())
            case "deliver":
                outbox.enqueue_delivery(
                    work, outbox.NewDelivery(where, erased.id, "result", outbox.SINGLE_LINE)
                )

    with pytest.raises(ConflictError if hanging == "amend" else NotFoundError):
        do(store, owner, hang)
