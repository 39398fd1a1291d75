"""Signing keys: published before they sign, trusted after, distrusted at once where asked."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from api.store.keys import signing_keys
from api.store.keys.signing_keys import PUBLISHED_BEFORE, TRUSTED_AFTER


def new_key(store, **how):
    with store.across() as session:
        key = signing_keys.add_key(session, store.ring, "ES256", **how)
    store.signing.forget()
    return key


def names(store):
    return {each.kid for each in store.signing.published()}


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
        store.signing.forget()

    yield move
    for each in moved:
        each.stop()


def test_the_first_key_signs_at_once(store):
    assert names(store) == {store.signing.current().kid}


def test_a_new_key_is_published_before_it_signs_and_the_old_one_trusted_after(store, later):
    later(timedelta(seconds=1))
    first = store.signing.current()
    second = new_key(store)
    assert names(store) == {first.kid, second.kid}
    assert store.signing.current() == first
    later(PUBLISHED_BEFORE + timedelta(seconds=0))
    assert store.signing.current() == first
    later(PUBLISHED_BEFORE + timedelta(seconds=1))
    assert store.signing.current() == second
    assert store.signing.find(first.kid)
    later(PUBLISHED_BEFORE + TRUSTED_AFTER)
    assert store.signing.find(first.kid)
    later(PUBLISHED_BEFORE + TRUSTED_AFTER + timedelta(seconds=1))
    assert store.signing.find(first.kid) is None
    assert names(store) == {second.kid}


def test_at_once_every_older_key_is_distrusted(store):
    first, second = store.signing.current(), new_key(store)
    third = new_key(store, at_once=True)
    assert store.signing.current() == third
    assert names(store) == {third.kid}
    assert [store.signing.find(each.kid) for each in (first, second)] == [None, None]


def test_a_distrusted_key_is_deleted_and_no_other(store, later):
    first, second = store.signing.current(), new_key(store)
    with store.across() as session:
        signing_keys.drop_distrusted(session)
    store.signing.forget()
    assert names(store) == {first.kid, second.kid}
    third = new_key(store, at_once=True)
    later(timedelta(seconds=1))
    with store.across() as session:
        signing_keys.drop_distrusted(session)
    store.signing.forget()
    assert names(store) == {third.kid}


def test_names_that_nobody_has_are_looked_up_once_a_second_at_most(store):
    opened, glance = [], store.signing._glance

    def counted():
        opened.append(1)
        return glance()

    store.signing._glance = counted
    store.signing.forget()
    for each in range(200):
        assert store.signing.find(f"none-{each}") is None
    assert len(opened) <= 3


def test_a_key_is_kept_sealed(store):
    from sqlalchemy import select

    from api.store.database.tables import SigningKeyRow

    with store.glance() as session:
        sealed = session.execute(select(SigningKeyRow.sealed)).scalar_one()
    assert b"PRIVATE" not in sealed
    assert store.signing.current().private_pem not in sealed


@pytest.mark.parametrize(("days", "due"), [(29, False), (31, True)])
def test_a_key_is_due_by_its_age(store, later, days, due):
    later(timedelta(days=days))
    with store.glance() as session:
        assert signing_keys.due(session, 30) is due
