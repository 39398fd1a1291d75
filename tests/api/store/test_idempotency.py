"""Idempotency: a request that names itself is done once, however often and by whomever it comes."""

from datetime import timedelta

import pytest
from support.builders import clinic, do, intake, run_concurrently

from api.store import idempotency
from api.store.accounts import clients
from api.store.errors import IdempotencyKeyReusedError
from api.store.idempotency import RESPONSE_RETENTION, IdempotentResponse
from api.store.patients import data_subject_rights
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings, search
from schemas.patients.screening import ScreeningFilters

ROUTE = "POST /v1/screenings"


def post(store, clinic, key="key", body=b"body", route=ROUTE):
    def act(work):
        def make():
            owner = screenings.add_screening(work, intake())
            return IdempotentResponse(
                201, owner.id.encode(), f"/v1/screenings/{owner.id}", owner.id
            )

        return idempotency.run_once(
            work, idempotency.build_keyed_request(work, route, key, body), make
        )

    return do(store, clinic, act)


def count(store, clinic):
    return len(do(store, clinic, search.list_first_page, ScreeningFilters(), 100).lines)


def test_the_same_key_is_answered_the_same_and_done_once(store):
    owner = clinic(store)
    first, second = post(store, owner), post(store, owner)
    assert second == first._replace(is_replay=True)
    assert not first.is_replay
    assert count(store, owner) == 1


def test_the_same_key_with_another_body_is_another_request(store):
    owner = clinic(store)
    post(store, owner)
    with pytest.raises(IdempotencyKeyReusedError):
        post(store, owner, body=b"other")
    assert count(store, owner) == 1


@pytest.mark.parametrize("other", [{"key": "other"}, {"route": "POST /v1/other"}])
def test_another_key_or_route_is_done_again(store, other):
    owner = clinic(store)
    assert post(store, owner).body != post(store, owner, **other).body


def test_another_clients_same_key_is_another_request(store):
    owner = clinic(store)
    beside = do(store, owner, clients.add_client, "beside", ["screenings:write"])
    first = post(store, owner)
    assert post(store, owner._replace(client=beside.id), body=b"other").body != first.body
    assert post(store, clinic(store)).body != first.body


def test_eight_at_once_make_one_screening_and_eight_equal_answers(store):
    owner = clinic(store)
    answers = run_concurrently(8, lambda _: post(store, owner))
    assert len({(answer.status, answer.body, answer.location) for answer in answers}) == 1
    assert sum(not answer.is_replay for answer in answers) == 1
    assert count(store, owner) == 1


def test_what_fails_leaves_its_key_free(store):
    owner = clinic(store)

    def act(work):
        keyed_request = idempotency.build_keyed_request(work, ROUTE, "key", b"body")
        return idempotency.run_once(work, keyed_request, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        do(store, owner, act)
    assert not post(store, owner).is_replay


@pytest.mark.parametrize(("age", "replayed"), [(-1, True), (1, False)])
def test_a_response_is_stored_for_a_day(store, age, replayed):
    owner = clinic(store)

    def long_ago(work):
        work.now -= RESPONSE_RETENTION + timedelta(seconds=age)
        keyed_request = idempotency.build_keyed_request(work, ROUTE, "key", b"body")
        return idempotency.run_once(work, keyed_request, lambda: IdempotentResponse(201, b"first"))

    do(store, owner, long_ago)
    again = post(store, owner)
    assert again.is_replay is replayed
    assert (again.body == b"first") is replayed


def test_an_answer_is_erased_with_its_patient(store):
    owner = clinic(store)
    first = post(store, owner)
    do(store, owner, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))
    again = post(store, owner)
    assert not again.is_replay
    assert again.body != first.body
