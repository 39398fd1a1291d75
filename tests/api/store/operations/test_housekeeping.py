"""Upkeep: what is due is erased, what has expired is dropped, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select
from support.builders import add, clinic, do, intake

from api.security.client_assertions import VerifiedAssertion
from api.store import idempotency
from api.store.accounts import callers, organisations
from api.store.audit import chain
from api.store.database.tables import AnsweredRow, ScreeningRow, SigningKeyRow, UsedAssertionRow
from api.store.operations import housekeeping
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def made(store):
    found = clinic(store)
    do(store, found, organisations.update_organisation, {"retention_years": 3})
    return found


def old(store, clinic, reference="MRN-old"):
    with time_machine.travel(LONG_AGO, tick=False):
        return add(store, clinic, reference)


def keep_up(store):
    housekeeping.run_housekeeping(store, "ES256", 30)


def kept(store):
    with store.read_all_organisations() as session:
        return set(session.execute(select(ScreeningRow.id)).scalars())


def actions(store, clinic):
    with store.read_all_organisations() as session:
        return [(row.action, row.count) for row in chain.read_entries(session, clinic.organisation)]


def test_what_is_older_than_an_organisation_wants_is_erased(store, made):
    other = clinic(store)
    for each in range(3):
        old(store, made, f"MRN-{each}")
    young, theirs = add(store, made), old(store, other)
    keep_up(store)
    assert kept(store) == {young.id, theirs.id}
    assert actions(store, made)[-1] == ("purge", 3)


@pytest.mark.parametrize(("days", "stays"), [(1, False), (-1, True)])
def test_it_is_erased_on_the_day_and_not_before(store, made, days, stays):
    with time_machine.travel(datetime.now(UTC) - timedelta(days=3 * 365.25 + days)):
        screening = add(store, made)
    keep_up(store)
    assert kept(store) == ({screening.id} if stays else set())


def test_a_chain_stays_while_its_newest_stays(store, made):
    first = old(store, made)
    second = do(
        store, made, lambda work: screenings.amend_screening(work, first, intake("MRN-old"))
    )
    keep_up(store)
    assert kept(store) == {first.id, second.id}
    assert ("purge", 1) not in actions(store, made)


def test_a_chain_goes_as_a_whole_however_it_is_cut(store, made, monkeypatch):
    monkeypatch.setattr(data_subject_rights, "_STEP", 1)
    with time_machine.travel(LONG_AGO):
        latest = add(store, made)
        for _ in range(4):
            latest = do(
                store, made, lambda work, of: screenings.amend_screening(work, of, intake()), latest
            )
    keep_up(store)
    assert kept(store) == set()


def test_a_hold_keeps_what_is_due_and_leaves_no_false_row(store, made):
    held, free = old(store, made, "MRN-held"), old(store, made, "MRN-free")
    hold = do(store, made, legal_holds.place_hold, PatientSelector("MRN-held", None), "why")
    keep_up(store)
    assert kept(store) == {held.id}
    assert free.id not in kept(store)
    before = actions(store, made)
    keep_up(store)
    assert actions(store, made) == before
    do(store, made, legal_holds.release_hold, hold.id)
    keep_up(store)
    assert kept(store) == set()


def test_more_is_erased_at_once_than_a_statement_takes(store, made, monkeypatch):
    monkeypatch.setattr(data_subject_rights, "_STEP", 3)
    for each in range(8):
        old(store, made, f"MRN-{each}")
    assert housekeeping.erase_due_screenings(store, made.organisation, 3).screenings == 8
    assert housekeeping.erase_due_screenings(store, made.organisation, 3) is None


def test_a_retention_longer_than_the_calendar_stops_nobody(store, made):
    forever = clinic(store)
    do(store, forever, organisations.update_organisation, {"retention_years": 9000})
    theirs = old(store, forever)
    old(store, made)
    keep_up(store)
    assert kept(store) == {theirs.id}


def test_expired_answers_and_assertions_are_dropped(store, made):
    def act(work):
        named = idempotency.build_keyed_request(work, "r", str(work.now), b"")
        idempotency.run_once(work, named, lambda: idempotency.IdempotentResponse(200, b""))
        expires = int(work.now.timestamp()) + 60
        callers.consume_assertion(work, VerifiedAssertion(made.client, str(work.now), expires), 0)

    with time_machine.travel(LONG_AGO):
        do(store, made, act)
    do(store, made, act)
    keep_up(store)
    with store.read_all_organisations() as session:
        for table in (AnsweredRow, UsedAssertionRow):
            assert session.execute(select(func.count()).select_from(table)).scalar_one() == 1


def test_a_signing_key_is_made_when_it_is_due(store):
    def keys():
        with store.read_all_organisations() as session:
            return session.execute(select(func.count()).select_from(SigningKeyRow)).scalar_one()

    keep_up(store)
    assert keys() == 1
    with time_machine.travel(datetime.now(UTC) + timedelta(days=31)):
        keep_up(store)
        assert keys() == 2
        keep_up(store)
        assert keys() == 2
