"""Query plans: no list, search or look-up reads all rows of an organisation or of a table."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from support.builders import clinic, fill_patient_record, intake, tampering_connection

from api.store.accounts import callers
from api.store.audit import chain
from api.store.database.prepared_queries import PreparedQuery
from api.store.deliveries import destinations, dispatch, outbox
from api.store.deliveries import search as delivery_search
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.search import DeliveryFilters
from api.store.forms import links
from api.store.notifications import outbox as notifications
from api.store.screenings import (
    earlier_screenings,
    latest_screening,
    patient_screenings,
    screenings,
    search,
)
from schemas.patients.patient import KnownPatient, PatientNumber
from schemas.patients.screening import ScreeningFilters

PATIENT = KnownPatient(reference="MRN-0042")


def list_by(**filters):
    return lambda work: search.list_first_page(work, ScreeningFilters(**filters), 5)


def list_second_page(work):
    page = search.list_first_page(work, ScreeningFilters(patient="MRN-0042"), 1)
    return search.list_next_page(work, page.next_cursor)


def list_earlier(work):
    newest = list_by(patient="MRN-0042")(work).lines[0]
    screening = screenings.find_screening(work, newest.id)
    return earlier_screenings.list_earlier_screenings(work, screening)


def list_deliveries(**filters):
    return lambda work: delivery_search.list_deliveries(work, DeliveryFilters(**filters), 5)


QUERIES = {
    "list": ("screening_by_time", list_by()),
    "patient": ("screening_by_patient", list_by(patient="MRN-0042")),
    "next page": ("screening_by_patient", list_second_page),
    "status": ("screening_by_status", list_by(status="incomplete")),
    "tier": ("screening_by_tier", list_by(tier="T1")),
    "band": ("screening_by_band", list_by(band="none")),
    "rulebook": ("screening_by_rulebook", list_by(rulebook="nociplastic")),
    "unacknowledged": (
        "screening_by_tier",
        lambda work: search.list_unacknowledged(work, ["T0", "T1"], 5),
    ),
    "trend": ("screening_by_patient", list_earlier),
    "latest": (
        "screening_by_patient",
        lambda work: latest_screening.find_latest_screening(
            work, [PatientNumber("MRN-0042", None), PatientNumber("x", "s")], "nociplastic"
        ),
    ),
    "of a patient": (
        "screening_by_patient",
        lambda work: patient_screenings.list_screenings(work, PATIENT),
    ),
    "links": ("link_by_time", lambda work: links.list_links(work, 5)),
    "urgent drafts": (r"autoindex_link_1|\(id\)::text = ", links.list_urgent_links),
    "deliveries": ("delivery_by_time", list_deliveries()),
    "state": (
        r"delivery_by_state|Scan Backward using delivery_by_time",
        list_deliveries(state="waiting"),
    ),
    "destination": ("delivery_by_destination", list_deliveries(destination="d")),
    "screening": ("delivery_by_screening", list_deliveries(screening="s")),
    "queue": ("delivery_open", lambda work: dispatch._find_due(work, "d")),
    "failed messages": ("notification_by_state", notifications.list_failed_notifications),
    "audit": (
        "audit_pkey|autoindex_audit_1",
        lambda work: list(chain.read_entries(work.session, work.organisation, after=5)),
    ),
}
LOOK_UPS = {
    "client_secret_by_client": lambda store: callers.authenticate_secret(store, "c", "s"),
    "client_key_by_client": lambda store: callers.look_up_client_key(store, "c", "k"),
    "client_key_set_by_client": lambda store: callers.look_up_key_set(store, "c"),
}
LARGE = "screening|link|delivery|notification|audit|client_secret|client_key|client_key_set"
FULL_READ = re.compile(
    rf"SCAN ({LARGE})\b|Seq Scan on ({LARGE})\b"
    rf"|SEARCH ({LARGE})(_\d+)? USING (COVERING )?INDEX (?!\w+_by_time)\w+ \(organisation_id=\?\)"
)
"""A step that reads all of a large table, or all rows of an organisation out of order."""


@pytest.fixture
def busy_clinic(own_store):
    """A store with a clinic of 200 screenings of 40 patients, and deliveries of most of them."""
    owner = clinic(own_store)
    fill_patient_record(own_store, owner)
    with own_store.transaction(owner.actor) as work:
        secrets = DestinationSecrets(address="mllps://ehr.example:443/")
        queue = destinations.add_destination(work, "EHR 2", "generic-v2", secrets, follows=False)
        for number in range(200):
            example = "red_flag" if number % 10 == 0 else "widespread_pain"
            new = screenings.add_screening(work, intake(f"MRN-00{number % 40}", example))
            delivery = outbox.NewDelivery(queue, new.id, "result", outbox.SINGLE_LINE)
            outbox.enqueue_delivery(work, delivery)
        work.audit("create", "screening", count=200)
    return own_store, owner


@contextmanager
def recorded_statements(store) -> Iterator[list]:
    statements = []

    def record(connection, cursor, statement, parameters, context, executemany):
        statements.append((statement, parameters))

    def run_and_record(query, cursor, dialect, parameters):
        compiled = query._compile(dialect)
        statements.append((compiled.text, compiled.bind(parameters)))
        return run(query, cursor, dialect, parameters)

    event.listen(store.database.engine, "before_cursor_execute", record)
    run = PreparedQuery.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PreparedQuery, "run", run_and_record)
        yield statements
    event.remove(store.database.engine, "before_cursor_execute", record)


def explain(store, organisation, statements) -> str:
    verb = "EXPLAIN QUERY PLAN" if store.database.is_embedded else "EXPLAIN"
    with store.database.begin_read() as connection:
        if not store.database.is_embedded:
            settings = {"nociscreen.organisation": organisation, "enable_seqscan": "off"}
            if organisation is None:
                settings = {"nociscreen.every_organisation": "on", "enable_seqscan": "off"}
            for name, value in settings.items():
                connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (name, value))
        return "\n".join(
            str(row[-1])
            for statement, parameters in statements
            if statement.startswith("SELECT") and "set_config" not in statement
            for row in connection.exec_driver_sql(f"{verb} {statement}", parameters)
        )


def explain_all(store, owner) -> dict[str, str]:
    plans = {}
    for query, (_, run) in QUERIES.items():
        with recorded_statements(store) as statements, store.continue_read(owner.actor) as work:
            run(work)
        plans[query] = explain(store, owner.organisation, statements)
    return plans


def find_faults(plans) -> dict[str, str]:
    return {
        query: plan
        for query, plan in plans.items()
        if FULL_READ.search(plan)
        or not re.search(QUERIES[query][0], plan)
        or ("rulebook=?" in plan and query != "rulebook")
    }


def test_no_list_reads_all_rows_of_an_organisation(busy_clinic):
    store, owner = busy_clinic
    if not store.database.is_embedded:
        pytest.skip("PostgreSQL plans by its statistics alone")
    assert find_faults(explain_all(store, owner)) == {}


def test_statistics_lead_no_list_to_read_all_rows(busy_clinic):
    store, owner = busy_clinic
    if store.database.is_embedded:
        store.database.refresh_statistics()
        with store.database.begin_read() as connection:
            tables = connection.exec_driver_sql("SELECT tbl FROM sqlite_stat1").scalars()
            assert {"screening", "delivery"} <= set(tables)
    else:
        with tampering_connection(store) as connection:
            connection.exec_driver_sql("ANALYZE")
    store.database.engine.dispose()  # a connection reads the statistics when it is opened
    assert find_faults(explain_all(store, owner)) == {}


def test_a_client_is_found_without_reading_those_of_every_organisation(own_store):
    for index, look_up in LOOK_UPS.items():
        with recorded_statements(own_store) as statements:
            look_up(own_store)
        plan = explain(own_store, None, statements)
        assert index in plan
        assert not FULL_READ.search(plan)
