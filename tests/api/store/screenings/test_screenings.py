"""Screenings in the store: kept whole, found by their organisation, never changed."""

import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError as DatabaseRefusal
from support.builders import add, at_once, clinic, do, intake, request

from api.problems import Problem
from api.store.database.tables import ReportRow
from api.store.deliveries import destinations, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import issued_reports, screenings, search
from api.store.screenings.screenings import ScoredIntake
from schemas.patient import KnownPatient
from schemas.screening import ScreeningContext, ScreeningFilters
from scoring.catalogue import load_catalogue
from scoring.engine import assess


@pytest.fixture
def sent():
    body = request()
    assessment = assess(load_catalogue().find_active("nociplastic"), body["answers"], attested=True)
    return ScoredIntake(
        KnownPatient(reference="MRN-0042"), ScreeningContext(note="n"), body["answers"], assessment
    )


def test_a_screening_is_found_as_it_was_kept(store, sent):
    actor = clinic(store).actor
    with store.transaction(actor) as work:
        kept = screenings.add_screening(work, sent)
        work.audit("create", "screening", kept.id)
    with store.transaction(actor) as work:
        assert screenings.find_screening(work, kept.id) == kept
        work.audit("read", "screening", kept.id)
    assert kept.assessment == sent.assessment
    assert json.loads(json.dumps(kept.answers)) == dict(sent.answers)


def test_another_organisation_finds_nothing(store, sent):
    with store.transaction(clinic(store).actor) as work:
        kept = screenings.add_screening(work, sent)
        work.audit("create", "screening", kept.id)
    with pytest.raises(Problem, match="not_found"), store.transaction(clinic(store).actor) as work:
        screenings.find_screening(work, kept.id)


@pytest.mark.parametrize(
    "column",
    ["id", "created_at", "actor", "means", "rulebook", "rulebook_sha256", "software_version"],
)
def test_the_database_refuses_to_change_what_a_screening_says_of_itself(store, column):
    made = clinic(store)
    kept = add(store, made)
    value = "2020-01-01 00:00:00.000000" if column == "created_at" else "x"
    with pytest.raises((DatabaseRefusal, Problem)), store.transaction(made.actor) as work:
        work.audit("amend")
        work.session.connection().execute(text(f"UPDATE screening SET {column} = '{value}'"))
    assert do(store, made, screenings.find_screening, kept.id) == kept


def test_a_screening_is_entered_in_error_once_however_many_say_so(store):
    made = clinic(store)
    kept = add(store, made)
    done = at_once(
        6, lambda _: do(store, made, screenings.mark_entered_in_error, kept, "wrong patient")
    )
    assert sum(not isinstance(each, Problem) for each in done) == 1
    assert {each.code for each in done if isinstance(each, Problem)} == {"conflict"}
    assert do(store, made, screenings.find_screening, kept.id).state == "entered_in_error"


def test_a_screening_is_amended_once_however_many_do(store):
    made = clinic(store)
    kept = add(store, made)
    done = at_once(6, lambda _: do(store, made, screenings.amend_screening, kept, intake()))
    assert sum(not isinstance(each, Problem) for each in done) == 1
    assert do(store, made, screenings.find_screening, kept.id).state == "amended"


def test_a_report_is_kept_once_however_many_issue_it(store):
    made = clinic(store)
    kept = add(store, made)
    done = at_once(
        6,
        lambda _: do(
            store, made, issued_reports.add_issued_report, kept.id, "text/plain", b"report"
        ),
    )
    assert len(set(done)) == 1
    with store.read_all_organisations() as session:
        assert len(session.execute(select(ReportRow.id)).all()) == 1
    with pytest.raises(Problem, match="not_found"):
        do(store, made, issued_reports.add_issued_report, "none", "text/plain", b"report")


def test_a_list_is_filtered_and_paged_to_its_end(store):
    made = clinic(store)
    kept = [add(store, made, f"MRN-{each % 2}") for each in range(5)]
    page = do(store, made, search.list_first_page, ScreeningFilters(patient="MRN-0"), 2)
    rest = do(store, made, search.list_next_page, page.next_cursor)
    assert rest.next_cursor is None
    assert [each.id for each in (*page.lines, *rest.lines)] == [kept[n].id for n in (4, 2, 0)]
    with pytest.raises(Problem, match="wrong_shape"):
        do(store, clinic(store), search.list_next_page, page.next_cursor)


def test_a_moment_without_its_zone_is_no_filter():
    with pytest.raises(ValueError, match="with its zone"):
        ScreeningFilters.model_validate_json('{"created_from": "2026-01-01T00:00:00"}')


@pytest.mark.parametrize("hanging", ["acknowledge", "enter_in_error", "report", "amend", "deliver"])
def test_nothing_is_hung_on_what_was_erased_meanwhile(store, hanging):
    made = clinic(store)
    gone = add(store, made, example="red_flag")
    to = DestinationSecrets(address="mllps://ehr.example:2575")
    where = do(store, made, destinations.add_destination, "EHR", "generic-v2", to, follows=True)
    do(store, made, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))

    def hang(work):
        match hanging:
            case "acknowledge":
                screenings.acknowledge_red_flags(work, gone, "dr", "done")
            case "enter_in_error":
                screenings.mark_entered_in_error(work, gone, "why")
            case "report":
                issued_reports.add_issued_report(work, gone.id, "application/pdf", b"%PDF")
            case "amend":
                screenings.amend_screening(work, gone, intake())
            case "deliver":
                outbox.enqueue_delivery(
                    work, outbox.NewDelivery(where, gone.id, "result", outbox.SINGLE_LINE)
                )

    with pytest.raises(Problem, match="conflict" if hanging == "amend" else "not_found"):
        do(store, made, hang)
