"""Group commit: writes that wait share a transaction, and each is stored whole or not at all."""

from contextlib import contextmanager
from threading import Event

import pytest
from sqlalchemy import event, exc
from support.builders import clinic, do, intake

from api.store.audit import chain
from api.store.errors import ConflictError, UnavailableError
from api.store.group_commit import MAX_WAITING, NotGroupedError
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters


def store_screening(reference):
    def act(work):
        created = screenings.add_screening(work, intake(reference))
        work.audit("create", "screening", created.id)
        return created.id

    return act


@pytest.fixture
def owner(store):
    return clinic(store)


@pytest.fixture
def hold_writer(store, owner):
    """A function that submits a write which lasts until the event is set; then others wait."""
    release = Event()

    def hold():
        has_begun = Event()

        def act(work):
            has_begun.set()
            release.wait(20)
            work.audit("read")

        first = store.group_commit.submit(owner.actor, act)
        assert has_begun.wait(20)
        return first, release

    yield hold
    release.set()


@contextmanager
def counted_commits(store):
    commits = []

    def record(connection):
        commits.append(connection)

    event.listen(store.database.engine, "commit", record)
    yield commits
    event.remove(store.database.engine, "commit", record)


def build_deadlock():
    return exc.OperationalError("INSERT", {}, Exception("deadlock detected"))


def list_ids(store, owner):
    page = do(store, owner, search.list_first_page, ScreeningFilters(), 50)
    return {line.id for line in page.lines}


def list_faults(store, owner):
    with store.read_all_organisations() as session:
        keys = store.organisation_keys.load_keys(session, owner.organisation)
        return chain.verify_chain(session, keys.audit)


def test_writes_that_wait_are_stored_and_chained_by_one_commit(store, owner, hold_writer):
    first, release = hold_writer()
    waiting = [
        store.group_commit.submit(owner.actor, store_screening(f"MRN-{number}"))
        for number in range(10)
    ]
    assert not any(write.done() for write in waiting)
    with counted_commits(store) as commits:
        release.set()
        ids = [write.result(20) for write in waiting]
    assert first.exception(20) is None
    assert len(commits) == 2
    assert list_ids(store, owner) == set(ids)
    with store.read_all_organisations() as session:
        entries = list(chain.read_entries(session, owner.organisation))
    assert [entry.target for entry in entries if entry.action == "create"] == ids
    assert list_faults(store, owner) == ()


def test_where_one_of_a_group_fails_nothing_of_the_group_is_stored(store, owner, hold_writer):
    def fail(work):
        screenings.add_screening(work, intake("MRN-1"))
        raise ConflictError

    _, release = hold_writer()
    acts = [store_screening("MRN-0"), fail, lambda _: "not audited"]
    waiting = [store.group_commit.submit(owner.actor, act) for act in acts]
    release.set()
    assert [type(write.exception(20)) for write in waiting] == [NotGroupedError] * 3
    assert list_ids(store, owner) == set()
    assert list_faults(store, owner) == ()


def test_a_statement_that_fails_before_the_commit_lets_each_write_run_alone(
    store, owner, hold_writer
):
    def fail(_):
        raise build_deadlock()

    _, release = hold_writer()
    acts = [store_screening("MRN-0"), fail]
    waiting = [store.group_commit.submit(owner.actor, act) for act in acts]
    release.set()
    assert [type(write.exception(20)) for write in waiting] == [NotGroupedError] * 2
    assert list_ids(store, owner) == set()


def test_a_group_whose_commit_fails_is_unavailable_and_runs_no_second_time(
    store, owner, hold_writer
):
    def fail(_):
        raise build_deadlock()

    first, release = hold_writer()
    write = store.group_commit.submit(owner.actor, store_screening("MRN-0"))
    event.listen(store.database.engine, "commit", fail)
    try:
        release.set()
        errors = [type(it.exception(20)) for it in (first, write)]
    finally:
        event.remove(store.database.engine, "commit", fail)
    assert errors == [UnavailableError] * 2


def test_more_writes_than_may_wait_are_refused_and_a_cancelled_one_is_not_stored(
    store, owner, hold_writer
):
    _, release = hold_writer()
    waiting = [
        store.group_commit.submit(owner.actor, lambda work: work.audit("read"))
        for _ in range(MAX_WAITING - 1)
    ]
    cancelled = store.group_commit.submit(owner.actor, store_screening("MRN-0"))
    with pytest.raises(UnavailableError) as refusal:
        store.group_commit.submit(owner.actor, store_screening("MRN-1"))
    assert refusal.value.retry_after == 1
    assert cancelled.cancel()
    release.set()
    assert {write.exception(60) for write in waiting} == {None}
    assert list_ids(store, owner) == set()


def test_one_organisation_waits_for_no_other(store, owner, hold_writer):
    if store.database.is_embedded:
        pytest.skip("SQLite has one writer")
    hold_writer()
    other = clinic(store, "Other")
    write = store.group_commit.submit(other.actor, store_screening("MRN-0"))
    stored_id = write.result(20)
    assert list_ids(store, other) == {stored_id}
