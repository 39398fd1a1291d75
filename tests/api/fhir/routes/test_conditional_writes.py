"""Conditional updates, JSON Patch, HEAD and OPTIONS."""

import json
from base64 import b64encode

import pytest
from support import builders
from support.builders import fhir_response
from support.callers import calling

HERE = "/fhir/QuestionnaireResponse"
PATCH = "application/json-patch+json"
ANSWER = "/item/0/item/0/answer/0/valueInteger"


@pytest.fixture(scope="module")
def caller(service):
    return calling(service, builders.clinic(service.services.store, "Conditions"))


def build_named_response(value: str, **more) -> dict:
    identifier = {"system": "urn:oid:1.2.3.4", "value": value}
    return fhir_response() | {"identifier": identifier} | more


def update(caller, value: str, body: dict, **headers):
    query = {"identifier": f"urn:oid:1.2.3.4|{value}"}
    return caller.put(HERE, params=query, json=body, headers=headers)


def patch(caller, address: str, operations, version: str | None = "1"):
    headers = {"Content-Type": PATCH} | ({"If-Match": f'W/"{version}"'} if version else {})
    return caller.patch(address, content=json.dumps(operations), headers=headers)


def test_a_conditional_update_stores_then_corrects_then_withdraws(caller):
    body = build_named_response("one")
    first = update(caller, "one", body)
    assert (first.status_code, first.headers["etag"]) == (201, 'W/"1"'), first.text
    same = update(caller, "one", first.json())
    assert (same.status_code, same.headers["etag"]) == (200, 'W/"1"')
    changed = update(caller, "one", body | {"authored": "2026-11-21"})
    assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"2"')
    assert changed.json()["id"] == first.json()["id"]
    stale = update(caller, "one", body, **{"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    wrong = update(caller, "one", body | {"status": "entered-in-error"})
    assert (wrong.status_code, wrong.json()["status"]) == (200, "entered-in-error")


@pytest.mark.parametrize(
    ("value", "more", "headers", "status"),
    [
        ("another", {}, {}, 412),
        ("none", {"id": "6f6f6f6f-0000-4000-8000-00000000dead"}, {}, 201),
        ("nothing", {}, {"If-Match": 'W/"1"'}, 412),
        ("withdrawn", {"status": "entered-in-error"}, {}, 404),
    ],
)
def test_a_conditional_update_is_checked(caller, value, more, headers, status):
    body = build_named_response(value if value != "another" else "own", **more)
    assert update(caller, value, body, **headers).status_code == status


def test_a_condition_is_needed(caller):
    assert caller.put(HERE, json=fhir_response()).status_code == 422
    assert caller.put(f"{HERE}?_id=1", json=fhir_response()).status_code == 422


def test_a_patch_corrects_as_an_update_would(caller):
    first = caller.post(HERE, json=fhir_response()).json()
    here = f"{HERE}/{first['id']}"
    operations = [
        {"op": "test", "path": "/status", "value": "completed"},
        {"op": "replace", "path": ANSWER, "value": 3},
        {"op": "add", "path": "/language", "value": "de"},
    ]
    assert patch(caller, here, operations, None).status_code == 400
    assert patch(caller, here, operations, "2").status_code == 412
    answer = patch(caller, here, operations)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"'), answer.text
    assert answer.json()["item"][0]["item"][0]["answer"] == [{"valueInteger": 3}]
    assert (answer.json()["status"], answer.json()["language"]) == ("amended", "de")
    assert caller.get(here).json() == answer.json()


def test_a_patch_in_a_batch_lies_in_a_binary(caller):
    first = caller.post(HERE, json=fhir_response()).json()
    operations = [{"op": "replace", "path": ANSWER, "value": 3}]
    data = b64encode(json.dumps(operations).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": PATCH, "data": data}
    request = {"method": "PATCH", "url": f"QuestionnaireResponse/{first['id']}", "ifMatch": 'W/"1"'}
    bundle = {"resourceType": "Bundle", "type": "batch",
              "entry": [{"request": request, "resource": binary}]}  # fmt: skip
    (entry,) = caller.post("/fhir", json=bundle).json()["entry"]
    assert entry["response"]["etag"] == 'W/"2"', entry


DOUBLING = [{"op": "copy", "from": "/item", "path": "/item/0/item/-"}] * 50


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([{"op": "test", "path": "/status", "value": "amended"}], 409),
        ([{"op": "replace", "path": ANSWER, "value": 9}], 422),
        ([{"op": "replace", "path": "/none/0", "value": 9}], 422),
        ([{"op": "replace", "path": "", "value": 9}], 422),
        ([{"op": "move", "path": "/status", "from": "/x"}], 422),
        ([{"op": "append", "path": "/status", "value": "x"}], 422),
        ([{"path": 3}], 422),
        ([{"op": "remove", "path": "/language"}] * 51, 422),
        (DOUBLING, 422),
        ([1], 422),
        ({}, 422),
    ],
)
def test_a_patch_that_cannot_be_applied_changes_nothing(caller, operations, status):
    first = caller.post(HERE, json=fhir_response()).json()
    here = f"{HERE}/{first['id']}"
    answer = patch(caller, here, operations)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert caller.get(here).json() == first


def test_options_lists_the_methods_and_head_has_no_body(caller):
    first = caller.post(HERE, json=fhir_response()).json()
    options = caller.options(f"{HERE}/{first['id']}")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, PATCH, PUT")
    assert caller.options("/fhir").headers["allow"] == "POST"
    head = caller.head("/fhir/metadata")
    assert (head.status_code, head.content) == (200, b"")
    assert caller.options("/fhir/Nothing").status_code == 404
