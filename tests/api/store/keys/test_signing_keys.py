"""Signing keys: published before they sign, trusted after, distrusted at once where asked."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from api.store.keys import signing_keys
from api.store.keys.signing_keys import PUBLICATION_PERIOD, TRUST_PERIOD


@pytest.fixture
def store(own_store):
    return own_store


def new_key(store, **how):
    with store.write_all_organisations() as session:
        key = signing_keys.add_signing_key(session, store.key_ring, "ES256", **how)
    store.signing_keys.invalidate_cache()
    return key


def names(store):
    return {
        list_published_key.kid for list_published_key in store.signing_keys.list_published_keys()
    }


@pytest.fixture
def later(store):
    """Moves the clock of the store to so long after the start."""
    start = datetime.now(UTC)
    travellers = []

    def move(by):
        for traveller in travellers:
            traveller.stop()
        travellers[:] = [time_machine.travel(start + by, tick=False)]
        travellers[0].start()
        store.signing_keys.invalidate_cache()

    yield move
    for traveller in travellers:
        traveller.stop()


def test_the_first_key_signs_at_once(store):
    assert names(store) == {store.signing_keys.find_current_key().kid}


def test_a_new_key_is_published_before_it_signs_and_the_old_one_trusted_after(store, later):
    later(timedelta(seconds=1))
    first = store.signing_keys.find_current_key()
    second = new_key(store)
    assert names(store) == {first.kid, second.kid}
    assert store.signing_keys.find_current_key() == first
    later(PUBLICATION_PERIOD + timedelta(seconds=0))
    assert store.signing_keys.find_current_key() == first
    later(PUBLICATION_PERIOD + timedelta(seconds=1))
    assert store.signing_keys.find_current_key() == second
    assert store.signing_keys.look_up_trusted_key(first.kid)
    later(PUBLICATION_PERIOD + TRUST_PERIOD)
    assert store.signing_keys.look_up_trusted_key(first.kid)
    later(PUBLICATION_PERIOD + TRUST_PERIOD + timedelta(seconds=1))
    assert store.signing_keys.look_up_trusted_key(first.kid) is None
    assert names(store) == {second.kid}


def test_at_once_every_older_key_is_distrusted(store):
    first, second = store.signing_keys.find_current_key(), new_key(store)
    third = new_key(store, at_once=True)
    assert store.signing_keys.find_current_key() == third
    assert names(store) == {third.kid}
    assert [store.signing_keys.look_up_trusted_key(item.kid) for item in (first, second)] == [
        None,
        None,
    ]


def test_a_distrusted_key_is_deleted_and_no_other(store, later):
    first, second = store.signing_keys.find_current_key(), new_key(store)
    with store.write_all_organisations() as session:
        signing_keys.delete_untrusted_keys(session)
    store.signing_keys.invalidate_cache()
    assert names(store) == {first.kid, second.kid}
    third = new_key(store, at_once=True)
    later(timedelta(seconds=1))
    with store.write_all_organisations() as session:
        signing_keys.delete_untrusted_keys(session)
    store.signing_keys.invalidate_cache()
    assert names(store) == {third.kid}


def test_unknown_key_ids_are_looked_up_once_a_second_at_most(store):
    reads, glance = [], store.signing_keys._begin_read

    def count_reads():
        reads.append(1)
        return glance()

    store.signing_keys._begin_read = count_reads
    store.signing_keys.invalidate_cache()
    for number in range(200):
        assert store.signing_keys.look_up_trusted_key(f"none-{number}") is None
    assert len(reads) <= 3


def test_a_key_is_stored_wrapped(store):
    from sqlalchemy import select

    from api.store.database.tables import SigningKeyRow

    with store.read_all_organisations() as session:
        wrapped_key = session.execute(select(SigningKeyRow.sealed)).scalar_one()
    assert b"PRIVATE" not in wrapped_key
    assert store.signing_keys.find_current_key().private_pem not in wrapped_key


@pytest.mark.parametrize(("days", "due"), [(29, False), (31, True)])
def test_a_key_is_due_by_its_age(store, later, days, due):
    later(timedelta(days=days))
    with store.read_all_organisations() as session:
        assert signing_keys.is_rotation_due(session, 30) is due
