"""Creating under a name: whoever asks again waits for the first, and is told when it takes long."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from starlette.requests import Request
from support.builders import at_once, clinic, do, intake

from api.auth.request_context import IdempotentRequest, RequestContext
from api.problems import Problem
from api.store import idempotency
from api.store.audit import chain
from api.store.idempotency import IdempotentResponse
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.screenings import screenings, search
from schemas.screening import ScreeningFilters

SECOND_ONES = 4


def creating(store, made, key="key"):
    scope = {"type": "http", "method": "POST", "path": "/v1/screenings", "query_string": b"",
             "headers": [(b"host", b"testserver")]}  # fmt: skip
    return IdempotentRequest(RequestContext(store, made.actor), Request(scope), key)


def keep(work):
    made = screenings.add_screening(work, intake())
    work.audit("create", "screening", made.id)
    return IdempotentResponse(201, b"{}", f"/v1/screenings/{made.id}", made.id)


@pytest.fixture
def stuck(store, monkeypatch):
    """A clinic whose request `key` is under way, what lets it end, and its answer to come."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.3)
    made, began, end = clinic(store), Event(), Event()

    def slowly(work):
        began.set()
        assert end.wait(60)
        return keep(work)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(creating(store, made).run_once, slowly)
        assert began.wait(60)
        yield made, end, first
        end.set()


def test_who_asks_again_for_longer_than_it_waits_is_told_of_a_conflict(store, stuck):
    made, end, first = stuck
    answers = at_once(SECOND_ONES, lambda _: creating(store, made).run_once(keep))
    assert [(type(each), each.code) for each in answers] == [(Problem, "conflict")] * SECOND_ONES
    assert {each.headers["Retry-After"] for each in answers} == {"2"}
    end.set()
    answered = first.result()
    again = at_once(SECOND_ONES, lambda _: creating(store, made, '"key"').run_once(keep))
    assert {each.headers["location"] for each in again} == {answered.headers["location"]}
    assert len(do(store, made, search.list_first_page, ScreeningFilters(), 100).lines) == 1


def test_who_asks_again_and_waits_is_answered_alike(store, stuck, monkeypatch):
    made, end, first = stuck
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 60)
    with ThreadPoolExecutor(SECOND_ONES) as pool:
        again = [pool.submit(creating(store, made).run_once, keep) for _ in range(SECOND_ONES)]
        end.set()
        answers = {each.result().headers["location"] for each in again}
    assert answers == {first.result().headers["location"]}


def test_that_it_was_refused_meanwhile_is_written_down_once_the_first_is_through(
    store, stuck, monkeypatch
):
    made, end, first = stuck
    monkeypatch.setattr("api.store.operations.denied_requests.WAIT_SECONDS", 0.1)
    held = DeniedRequestLog(store)
    held.record(made.actor, "conflict")
    assert not first.done()
    end.set()
    first.result()
    held.flush()
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, made.organisation))
    assert [row.outcome for row in rows if row.action == "refuse"] == ["conflict"]


def test_no_name_is_remembered_once_nobody_uses_it(store):
    made = clinic(store)
    creating(store, made).run_once(keep)
    assert store.key_locks._locks == {}
