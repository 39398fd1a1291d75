"""Signing keys: published before they sign, trusted after, distrusted at once where asked."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from api.store.keys import signing_keys
from api.store.keys.signing_keys import PUBLICATION_PERIOD, TRUST_PERIOD


def new_key(store, **how):
    with store.write_all_organisations() as session:
        key = signing_keys.add_signing_key(session, store.ring, "ES256", **how)
    store.signing_keys.forget()
    return key


def names(store):
    return {each.kid for each in store.signing_keys.list_published_keys()}


@pytest.fixture
def later(store):
    """Moves the clock of the store to so long after the start."""
    start = datetime.now(UTC)
    moved = []

    def move(by):
        for each in moved:
            each.stop()
        moved[:] = [time_machine.travel(start + by, tick=False)]
        moved[0].start()
        store.signing_keys.forget()

    yield move
    for each in moved:
        each.stop()


def test_the_first_key_signs_at_once(store):
    assert names(store) == {store.signing_keys.current().kid}


def test_a_new_key_is_published_before_it_signs_and_the_old_one_trusted_after(store, later):
    later(timedelta(seconds=1))
    first = store.signing_keys.current()
    second = new_key(store)
    assert names(store) == {first.kid, second.kid}
    assert store.signing_keys.current() == first
    later(PUBLICATION_PERIOD + timedelta(seconds=0))
    assert store.signing_keys.current() == first
    later(PUBLICATION_PERIOD + timedelta(seconds=1))
    assert store.signing_keys.current() == second
    assert store.signing_keys.find(first.kid)
    later(PUBLICATION_PERIOD + TRUST_PERIOD)
    assert store.signing_keys.find(first.kid)
    later(PUBLICATION_PERIOD + TRUST_PERIOD + timedelta(seconds=1))
    assert store.signing_keys.find(first.kid) is None
    assert names(store) == {second.kid}


def test_at_once_every_older_key_is_distrusted(store):
    first, second = store.signing_keys.current(), new_key(store)
    third = new_key(store, at_once=True)
    assert store.signing_keys.current() == third
    assert names(store) == {third.kid}
    assert [store.signing_keys.find(each.kid) for each in (first, second)] == [None, None]


def test_a_distrusted_key_is_deleted_and_no_other(store, later):
    first, second = store.signing_keys.current(), new_key(store)
    with store.write_all_organisations() as session:
        signing_keys.delete_untrusted_keys(session)
    store.signing_keys.forget()
    assert names(store) == {first.kid, second.kid}
    third = new_key(store, at_once=True)
    later(timedelta(seconds=1))
    with store.write_all_organisations() as session:
        signing_keys.delete_untrusted_keys(session)
    store.signing_keys.forget()
    assert names(store) == {third.kid}


def test_names_that_nobody_has_are_looked_up_once_a_second_at_most(store):
    opened, glance = [], store.signing_keys._begin_read

    def counted():
        opened.append(1)
        return glance()

    store.signing_keys._begin_read = counted
    store.signing_keys.forget()
    for each in range(200):
        assert store.signing_keys.find(f"none-{each}") is None
    assert len(opened) <= 3


def test_a_key_is_kept_sealed(store):
    from sqlalchemy import select

    from api.store.database.tables import SigningKeyRow

    with store.read_all_organisations() as session:
        sealed = session.execute(select(SigningKeyRow.sealed)).scalar_one()
    assert b"PRIVATE" not in sealed
    assert store.signing_keys.current().private_pem not in sealed


@pytest.mark.parametrize(("days", "due"), [(29, False), (31, True)])
def test_a_key_is_due_by_its_age(store, later, days, due):
    later(timedelta(days=days))
    with store.read_all_organisations() as session:
        assert signing_keys.is_rotation_due(session, 30) is due
