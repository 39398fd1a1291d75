"""Idempotency keys: a repeated request waits for the first, and gets a conflict after a while."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from starlette.requests import Request
from support.builders import clinic, do, intake, run_concurrently

from api.auth.request_context import IdempotentRequest, RequestContext
from api.store import idempotency
from api.store.audit import chain
from api.store.errors import ConflictError
from api.store.idempotency import IdempotentResponse
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters

SECOND_ONES = 4


@pytest.fixture
def store(own_store):
    return own_store


def creating(store, owner, key="key"):
    scope = {"type": "http", "method": "POST", "path": "/v1/screenings", "query_string": b"",
             "headers": [(b"host", b"testserver")]}  # fmt: skip
    return IdempotentRequest(RequestContext(store, owner.actor), Request(scope), key)


def keep(work):
    owner = screenings.add_screening(work, intake())
    work.audit("create", "screening", owner.id)
    return IdempotentResponse(201, b"{}", f"/v1/screenings/{owner.id}", owner.id)


@pytest.fixture
def stuck(store, monkeypatch):
    """A clinic whose request `key` is under way, what lets it end, and its answer to come."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.3)
    owner, began, end = clinic(store), Event(), Event()

    def slowly(work):
        began.set()
        assert end.wait(60)
        return keep(work)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(creating(store, owner).run_once, slowly)
        assert began.wait(60)
        yield owner, end, first
        end.set()


def test_a_repeated_request_that_waits_too_long_gets_a_conflict(store, stuck, monkeypatch):
    owner, end, first = stuck
    answers = run_concurrently(SECOND_ONES, lambda _: creating(store, owner).run_once(keep))
    assert [(type(answer), answer.retry_after) for answer in answers] == [
        (ConflictError, 2)
    ] * SECOND_ONES
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 60)
    end.set()
    response = first.result()
    again = run_concurrently(SECOND_ONES, lambda _: creating(store, owner, '"key"').run_once(keep))
    assert {item.headers["location"] for item in again} == {response.headers["location"]}
    assert len(do(store, owner, search.list_first_page, ScreeningFilters(), 100).lines) == 1


def test_a_repeated_request_that_waits_gets_the_same_answer(store, stuck, monkeypatch):
    owner, end, first = stuck
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 60)
    with ThreadPoolExecutor(SECOND_ONES) as pool:
        again = [pool.submit(creating(store, owner).run_once, keep) for _ in range(SECOND_ONES)]
        end.set()
        answers = {item.result().headers["location"] for item in again}
    assert answers == {first.result().headers["location"]}


def test_that_it_was_refused_meanwhile_is_written_down_once_the_first_is_through(
    store, stuck, monkeypatch
):
    owner, end, first = stuck
    monkeypatch.setattr("api.store.operations.denied_requests.WAIT_SECONDS", 0.1)
    denied_requests = DeniedRequestLog(store)
    denied_requests.record(owner.actor, "conflict")
    assert not first.done()
    end.set()
    first.result()
    denied_requests.flush()
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, owner.organisation))
    assert [row.outcome for row in rows if row.action == "refuse"] == ["conflict"]


def test_a_key_without_users_is_forgotten(store):
    owner = clinic(store)
    creating(store, owner).run_once(keep)
    assert store.key_locks._locks == {}
