"""Housekeeping: due and expired records are erased, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select, text
from support.builders import add, clinic, do, intake, tampering_connection

from api.security.tokens.client_assertions import VerifiedAssertion
from api.store import idempotency
from api.store.accounts import callers, organisations
from api.store.audit import chain
from api.store.batches import batches
from api.store.batches.chunk_content import ChunkContent
from api.store.database.tables import (
    AnsweredRow,
    BatchRow,
    ScreeningRow,
    SigningKeyRow,
    UsedAssertionRow,
)
from api.store.keys.organisation_keys import OrganisationKeys
from api.store.operations import housekeeping
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def owner(store):
    clinic_of_seven = clinic(store)
    do(store, clinic_of_seven, organisations.update_organisation, {"retention_years": 3})
    return clinic_of_seven


def old(store, clinic, reference="MRN-old"):
    with time_machine.travel(LONG_AGO, tick=False):
        return add(store, clinic, reference)


def keep_up(store):
    housekeeping.run_housekeeping(store, "ES256", 30)


def list_screening_ids(store):
    with store.read_all_organisations() as session:
        return set(session.execute(select(ScreeningRow.id)).scalars())


def actions(store, clinic):
    with store.read_all_organisations() as session:
        return [(row.action, row.count) for row in chain.read_entries(session, clinic.organisation)]


def test_what_is_older_than_an_organisation_wants_is_erased(store, owner):
    other = clinic(store)
    for number in range(3):
        old(store, owner, f"MRN-{number}")
    young, screening_of_other = add(store, owner), old(store, other)
    keep_up(store)
    assert list_screening_ids(store) == {young.id, screening_of_other.id}
    assert actions(store, owner)[-1] == ("purge", 3)


@pytest.mark.parametrize(("days", "stays"), [(1, False), (-1, True)])
def test_it_is_erased_on_the_day_and_not_before(store, owner, days, stays):
    with time_machine.travel(datetime.now(UTC) - timedelta(days=3 * 365.25 + days)):
        screening = add(store, owner)
    keep_up(store)
    assert list_screening_ids(store) == ({screening.id} if stays else set())


def test_a_chain_stays_while_its_newest_stays(store, owner):
    first = old(store, owner)
    second = do(
        store, owner, lambda work: screenings.amend_screening(work, first, intake("MRN-old"))
    )
    keep_up(store)
    assert list_screening_ids(store) == {first.id, second.id}
    assert ("purge", 1) not in actions(store, owner)


def test_a_chain_goes_as_a_whole_however_it_is_cut(store, owner, monkeypatch):
    monkeypatch.setattr(data_subject_rights, "_STEP", 1)
    with time_machine.travel(LONG_AGO):
        latest = add(store, owner)
        for _ in range(4):
            latest = do(
                store,
                owner,
                lambda work, of: screenings.amend_screening(work, of, intake()),
                latest,
            )
    keep_up(store)
    assert list_screening_ids(store) == set()


def test_a_hold_keeps_what_is_due_and_leaves_no_false_row(store, owner):
    held_screening, free = old(store, owner, "MRN-held"), old(store, owner, "MRN-free")
    hold = do(store, owner, legal_holds.place_hold, PatientSelector("MRN-held", None), "why")
    keep_up(store)
    assert list_screening_ids(store) == {held_screening.id}
    assert free.id not in list_screening_ids(store)
    before = actions(store, owner)
    keep_up(store)
    assert actions(store, owner) == before
    do(store, owner, legal_holds.release_hold, hold.id)
    keep_up(store)
    assert list_screening_ids(store) == set()


def test_more_is_erased_at_once_than_a_statement_takes(store, owner, monkeypatch):
    monkeypatch.setattr(data_subject_rights, "_STEP", 3)
    for number in range(8):
        old(store, owner, f"MRN-{number}")
    assert housekeeping.erase_due_screenings(store, owner.organisation, 3).screenings == 8
    assert housekeeping.erase_due_screenings(store, owner.organisation, 3) is None


def test_a_retention_longer_than_the_calendar_does_not_stop_the_others(store, owner):
    forever = clinic(store)
    do(store, forever, organisations.update_organisation, {"retention_years": 9000})
    screening_of_other = old(store, forever)
    old(store, owner)
    keep_up(store)
    assert list_screening_ids(store) == {screening_of_other.id}


def test_expired_answers_and_assertions_are_dropped(store, owner):
    def act(work):
        keyed_request = idempotency.build_keyed_request(work, "r", str(work.now), b"")
        idempotency.run_once(work, keyed_request, lambda: idempotency.IdempotentResponse(200, b""))
        expires = int(work.now.timestamp()) + 60
        callers.consume_assertion(work, VerifiedAssertion(owner.client, str(work.now), expires), 0)

    with time_machine.travel(LONG_AGO):
        do(store, owner, act)
    do(store, owner, act)
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


def add_expired_batch(store, owner):
    def add_batch(work):
        batch = batches.NewBatch("score", "book@1.0.0", "0" * 64, {"explain": False})
        content = ChunkContent(("MRN-0042",), (b"rows",))
        return batches.add_batch(work, batch, [(1, content)], expires_at=work.now)

    return do(store, owner, add_batch).id


def list_batch_ids(store):
    with store.read_all_organisations() as session:
        return set(session.execute(select(BatchRow.id)).scalars())


def test_a_failure_in_one_organisation_does_not_stop_the_others(store):
    broken, intact = clinic(store), clinic(store)
    batch_ids = [add_expired_batch(store, owner) for owner in (broken, intact)]
    with tampering_connection(store) as connection:
        connection.execute(
            text("UPDATE organisation_key SET wrapped = :wrapped WHERE organisation_id = :broken"),
            {"wrapped": b"broken", "broken": broken.organisation},
        )
    store.organisation_keys = OrganisationKeys(store.key_ring)
    keep_up(store)
    assert list_batch_ids(store) == {batch_ids[0]}
    assert actions(store, intact)[-1] == ("purge", 1)
