"""Denied requests: one row for each known caller's, aggregated rows for the rest."""

from support.builders import clinic

from api.store.accounts.organisations import SYSTEM
from api.store.audit import chain
from api.store.operations import denied_requests
from api.store.operations.denied_requests import ANONYMOUS_ACTOR, DeniedRequestLog


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def list_denials(store, organisation=SYSTEM):
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, organisation))
    return [(row.outcome, row.count) for row in rows if row.action == "refuse"]


def test_anonymous_denials_are_recorded_once_a_second_with_their_count(store):
    clock = Clock()
    denial_log = DeniedRequestLog(store, clock)
    for _ in range(10):
        denial_log.record(ANONYMOUS_ACTOR, "missing_token")
    denial_log.record(ANONYMOUS_ACTOR, "invalid_token")
    assert list_denials(store) == [("missing_token", 1), ("invalid_token", 1)]
    clock.now = 0.99
    denial_log.record(ANONYMOUS_ACTOR, "missing_token")
    assert len(list_denials(store)) == 2
    clock.now = 1.0
    denial_log.record(ANONYMOUS_ACTOR, "missing_token")
    assert list_denials(store)[-1] == ("missing_token", 11)
    denial_log.record(ANONYMOUS_ACTOR, "missing_token")
    denial_log.flush()
    denial_log.flush()
    counts = [count for code, count in list_denials(store) if code == "missing_token"]
    assert counts == [1, 11, 1]


def test_each_denial_of_a_known_caller_is_recorded(store):
    owner = clinic(store)
    denial_log = DeniedRequestLog(store, Clock())
    for _ in range(3):
        denial_log.record(owner.actor, "insufficient_scope", "target")
    assert list_denials(store, owner.organisation) == [("insufficient_scope", 1)] * 3
    assert list_denials(store) == []


def test_denials_over_the_rate_limit_are_aggregated(store):
    owner = clinic(store)
    denial_log = DeniedRequestLog(store, Clock())
    for _ in range(3):
        denial_log.record(owner.actor, "too_many")
    denial_log.flush()
    assert list_denials(store, owner.organisation) == [("too_many", 1), ("too_many", 2)]


def test_the_request_does_not_make_another_kind(store):
    denial_log = DeniedRequestLog(store, Clock())
    for number in range(3):
        denial_log.record(ANONYMOUS_ACTOR._replace(request_id=str(number)), "missing_token")
    assert list_denials(store) == [("missing_token", 1)]


def test_no_refusal_is_lost_where_there_are_too_many_kinds(store, monkeypatch):
    monkeypatch.setattr(denied_requests, "MAX_PENDING", 3)
    denial_log = DeniedRequestLog(store, Clock())
    for _ in range(2):
        for number in range(5):
            denial_log.record(ANONYMOUS_ACTOR._replace(route=f"GET /{number}"), "missing_token")
    denial_log.flush()
    assert sum(count for _, count in list_denials(store)) == 10


def test_a_refusal_without_a_database_is_left_to_the_log(store):
    denial_log = DeniedRequestLog(store, Clock())
    denial_log.record(ANONYMOUS_ACTOR._replace(organisation="none"), "insufficient_scope")
    assert list_denials(store) == []


def test_no_request_waits_to_record_an_unavailable_database(store):
    actor = clinic(store).actor
    DeniedRequestLog(store).record(actor, "unavailable")
    assert list_denials(store, actor.organisation) == []
