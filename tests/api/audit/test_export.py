"""The audit over HTTP. Who may call, and other organisations: test_scopes, test_isolation."""

import json

import pytest
from support.builders import request
from support.callers import audited
from support.path_resources import create_resource, things_of

from api.store.screenings import screenings

HERE = "/v1/audit"
FHIR = {"Accept": "application/fhir+ndjson"}


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?after=1&after=2", "?before=1"])
def test_an_odd_parameter_is_refused(kept_client, query):
    assert kept_client.get(HERE + query).status_code == 422


def test_every_act_is_listed_in_order_and_reading_is_an_act(kept_client, kept_service, kept_clinic):
    things_of(kept_client)
    kept_client.post("/v1/screenings", json={})
    response = kept_client.get(HERE)
    assert response.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    acts = {row["action"] for row in rows}
    assert {"create", "hold", "administer", "refuse"} <= acts
    last = audited(kept_service, kept_clinic)[-1]
    assert (last.action, last.kind, last.count) == ("export", "audit", len(rows))


def test_it_is_read_on_from_a_row(kept_client):
    create_resource(kept_client, "/v1/screenings", request())
    rows = kept_client.get(HERE).text.splitlines()
    rest = kept_client.get(f"{HERE}?after=2").text.splitlines()
    assert rest[: len(rows) - 2] == rows[2:]
    assert kept_client.get(f"{HERE}?after=1000").text == ""


def test_as_fhir_each_row_is_an_audit_event(kept_client):
    screening = create_resource(kept_client, "/v1/screenings", request())["id"]
    response = kept_client.get(HERE, headers=FHIR)
    assert response.headers["content-type"] == "application/fhir+ndjson"
    events = [json.loads(line) for line in response.text.splitlines()]
    assert {event["resourceType"] for event in events} == {"AuditEvent"}
    assert screening in json.dumps(events[-1])
    assert len({event["id"] for event in events}) == len(events)


def test_no_row_contains_request_content(kept_client):
    body = request("Canary-1", name="Canary-2") | {"note": "Canary-3"}
    here = create_resource(kept_client, "/v1/screenings", body, **{"Idempotency-Key": "Canary-4"})
    here = here["links"]["self"]
    create_resource(kept_client, f"{here}/entered-in-error", {"reason": "Canary-5"})
    kept_client.get("/v1/screenings?patient=Canary-1&Canary-6=1")
    kept_client.get("/v1/screenings/Canary-7")
    for headers in ({}, FHIR):
        assert "Canary" not in kept_client.get(HERE, headers=headers).text


@pytest.mark.parametrize("recorded", [True, False])
def test_an_unexpected_error_is_a_row_and_stays_the_error(
    kept_client, kept_service, kept_clinic, monkeypatch, recorded
):
    def failing(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(screenings, "find_screening", failing)
    if not recorded:
        monkeypatch.setattr(kept_service.services.denied_requests, "record", failing)
    here = "/v1/screenings/6f6f6f6f-0000-4000-8000-000000000001"
    response = kept_client.get(here)
    assert (response.status_code, response.json()["type"]) == (500, "/problems/internal")
    rows = [(act.action, act.outcome, act.target) for act in audited(kept_service, kept_clinic)]
    denial = ("refuse", "internal", here.rpartition("/")[2])
    assert (denial in rows) is recorded
