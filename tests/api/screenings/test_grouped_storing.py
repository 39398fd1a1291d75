"""Screenings stored in groups: sealed before the transaction, answered as if stored alone."""

import pytest
from support import builders
from support.builders import do

from api.screenings.models import created_response
from api.store.operations import key_rotation
from api.store.screenings import screenings

PATH = "/v1/screenings"


@pytest.mark.parametrize("example", ["widespread_pain", "red_flag"])
def test_the_answer_is_the_same_whether_its_assessment_was_written_before(kept_service, example):
    store = kept_service.services.store
    owner = builders.clinic(store)
    created = builders.add(store, owner, example=example, name='an odd ,"links": name')
    assessment_json = created.assessment.model_dump_json(by_alias=True).encode()
    assert created_response(created, assessment_json) == created_response(created)


@pytest.mark.parametrize("key", [None, "a key"])
def test_a_screening_sealed_by_an_older_key_is_stored_under_the_new_one(
    kept_service, kept_clinic, kept_client, monkeypatch, key
):
    store = kept_service.services.store
    assert kept_client.post(PATH, json=builders.request("MRN-1")).status_code == 201
    old_keys = store.organisation_keys.find_cached_keys(kept_clinic.organisation)
    key_rotation.rotate_data_key(store, kept_clinic.actor)
    monkeypatch.setattr(store.organisation_keys, "find_cached_keys", lambda _: old_keys)
    headers = {"Idempotency-Key": key} if key else {}
    answers = [
        kept_client.post(PATH, json=builders.request("MRN-2"), headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (answers[0].content == answers[1].content) is (key is not None)
    screening = do(store, kept_clinic, screenings.find_screening, answers[0].json()["id"])
    assert screening.patient.reference == "MRN-2"


def test_a_grouped_write_that_fails_is_refused_as_one_alone(kept_client):
    headers = {"Idempotency-Key": "reused"}
    bodies = [builders.request("MRN-1"), builders.request("MRN-2")]
    answers = [kept_client.post(PATH, json=body, headers=headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 422]
    assert answers[1].json()["type"].endswith("/idempotency_key_reused")
