"""Idempotency: a request that names itself is done once, however often and by whomever it comes."""

from datetime import timedelta

import pytest
from support.builders import at_once, clinic, do, intake

from api.problems import Problem
from api.store import idempotency
from api.store.accounts import clients
from api.store.idempotency import RESPONSE_RETENTION, IdempotentResponse
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings, search
from schemas.screening import ScreeningFilters

ROUTE = "POST /v1/screenings"


def post(store, clinic, key="key", body=b"body", route=ROUTE):
    def act(work):
        def make():
            made = screenings.add_screening(work, intake())
            return IdempotentResponse(201, made.id.encode(), f"/v1/screenings/{made.id}", made.id)

        return idempotency.run_once(
            work, idempotency.build_keyed_request(work, route, key, body), make
        )

    return do(store, clinic, act)


def count(store, clinic):
    return len(do(store, clinic, search.list_first_page, ScreeningFilters(), 100).lines)


def test_the_same_key_is_answered_the_same_and_done_once(store):
    made = clinic(store)
    first, second = post(store, made), post(store, made)
    assert second == first._replace(replayed=True)
    assert not first.is_replay
    assert count(store, made) == 1


def test_the_same_key_with_another_body_is_another_request(store):
    made = clinic(store)
    post(store, made)
    with pytest.raises(Problem, match="other_request"):
        post(store, made, body=b"other")
    assert count(store, made) == 1


@pytest.mark.parametrize("other", [{"key": "other"}, {"route": "POST /v1/other"}])
def test_another_key_or_route_is_done_again(store, other):
    made = clinic(store)
    assert post(store, made).body != post(store, made, **other).body


def test_another_clients_same_key_is_another_request(store):
    made = clinic(store)
    beside = do(store, made, clients.add_client, "beside", ["screenings:write"])
    first = post(store, made)
    assert post(store, made._replace(client=beside.id), body=b"other").body != first.body
    assert post(store, clinic(store)).body != first.body


def test_eight_at_once_make_one_screening_and_eight_equal_answers(store):
    made = clinic(store)
    answers = at_once(8, lambda _: post(store, made))
    assert len({(each.status, each.body, each.location) for each in answers}) == 1
    assert sum(not each.is_replay for each in answers) == 1
    assert count(store, made) == 1


def test_what_fails_leaves_its_key_free(store):
    made = clinic(store)

    def act(work):
        named = idempotency.build_keyed_request(work, ROUTE, "key", b"body")
        return idempotency.run_once(work, named, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        do(store, made, act)
    assert not post(store, made).is_replay


@pytest.mark.parametrize(("age", "replayed"), [(-1, True), (1, False)])
def test_an_answer_is_kept_for_a_day(store, age, replayed):
    made = clinic(store)

    def long_ago(work):
        work.now -= RESPONSE_RETENTION + timedelta(seconds=age)
        named = idempotency.build_keyed_request(work, ROUTE, "key", b"body")
        return idempotency.run_once(work, named, lambda: IdempotentResponse(201, b"first"))

    do(store, made, long_ago)
    again = post(store, made)
    assert again.is_replay is replayed
    assert (again.body == b"first") is replayed


def test_an_answer_is_erased_with_its_patient(store):
    made = clinic(store)
    first = post(store, made)
    do(store, made, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))
    again = post(store, made)
    assert not again.is_replay
    assert again.body != first.body
