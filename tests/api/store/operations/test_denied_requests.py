"""Refusals: callers that are known are told each, strangers together, and the counts are true."""

from support.builders import clinic

from api.store.accounts.organisations import SYSTEM
from api.store.audit import chain
from api.store.operations import denied_requests
from api.store.operations.denied_requests import ANONYMOUS_ACTOR, DeniedRequestLog


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def refused(store, organisation=SYSTEM):
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, organisation))
    return [(row.outcome, row.count) for row in rows if row.action == "refuse"]


def test_strangers_are_told_once_a_second_with_their_true_number(store):
    clock = Clock()
    held = DeniedRequestLog(store, clock)
    for _ in range(10):
        held.record(ANONYMOUS_ACTOR, "no_token")
    held.record(ANONYMOUS_ACTOR, "bad_token")
    assert refused(store) == [("no_token", 1), ("bad_token", 1)]
    clock.now = 0.99
    held.record(ANONYMOUS_ACTOR, "no_token")
    assert len(refused(store)) == 2
    clock.now = 1.0
    held.record(ANONYMOUS_ACTOR, "no_token")
    assert refused(store)[-1] == ("no_token", 11)
    held.record(ANONYMOUS_ACTOR, "no_token")
    held.flush()
    held.flush()
    counts = [count for code, count in refused(store) if code == "no_token"]
    assert counts == [1, 11, 1]


def test_a_known_caller_is_told_each_time(store):
    made = clinic(store)
    held = DeniedRequestLog(store, Clock())
    for _ in range(3):
        held.record(made.actor, "missing_scope", "target")
    assert refused(store, made.organisation) == [("missing_scope", 1)] * 3
    assert refused(store) == []


def test_a_caller_that_comes_too_often_is_told_together(store):
    made = clinic(store)
    held = DeniedRequestLog(store, Clock())
    for _ in range(3):
        held.record(made.actor, "too_many")
    held.flush()
    assert refused(store, made.organisation) == [("too_many", 1), ("too_many", 2)]


def test_the_request_does_not_make_another_kind(store):
    held = DeniedRequestLog(store, Clock())
    for each in range(3):
        held.record(ANONYMOUS_ACTOR._replace(request_id=str(each)), "no_token")
    assert refused(store) == [("no_token", 1)]


def test_no_refusal_is_lost_where_there_are_too_many_kinds(store, monkeypatch):
    monkeypatch.setattr(denied_requests, "MAX_PENDING", 3)
    held = DeniedRequestLog(store, Clock())
    for _ in range(2):
        for each in range(5):
            held.record(ANONYMOUS_ACTOR._replace(route=f"GET /{each}"), "no_token")
    held.flush()
    assert sum(count for _, count in refused(store)) == 10


def test_a_refusal_without_a_database_is_left_to_the_log(store):
    held = DeniedRequestLog(store, Clock())
    held.record(ANONYMOUS_ACTOR._replace(organisation="none"), "missing_scope")
    assert refused(store) == []


def test_where_the_database_does_not_serve_nobody_waits_to_write_that_down(store):
    actor = clinic(store).actor
    DeniedRequestLog(store).record(actor, "unavailable")
    assert refused(store, actor.organisation) == []
