"""`Prefer: return=minimal`: the same result in a fiftieth of the size, and said to be so."""

import json

import pytest
from jsonschema import Draft202012Validator
from support.builders import clinic, request
from support.callers import calling
from support.contract_document import EXPANDED

from api.contract.operation_examples import load_example_intakes

MINIMAL = {"Prefer": "return=minimal"}
MEDIA_TYPE = "application/vnd.nociscreen.minimal+json"


@pytest.fixture(scope="module")
def caller(service):
    return calling(service, clinic(service.services.store, "Short"))


def shorten(full):
    """What the short form must say of this assessment, written down a second time."""
    return {
        "rulebook": full["rulebook"],
        "rulebook_sha256": full["rulebook_sha256"],
        "status": full["status"],
        "tier": full["safety"]["tier"],
        "all_asked": full["safety"]["all_asked"],
        "flags": [flag["id"] for flag in full["safety"]["flags"]],
        "totals": full["totals"]
        and {
            name: {part: total[part] for part in total if part != "meaning"}
            for name, total in full["totals"].items()
        },
        "criteria": full["criteria"] and {item["id"]: item["points"] for item in full["criteria"]},
    }


def check_short(response, method, path):
    content = EXPANDED["paths"][path][method]["responses"][str(response.status_code)]["content"]
    schema = content[MEDIA_TYPE]["schema"] | {"components": EXPANDED["components"]}
    errors = Draft202012Validator(schema).iter_errors(response.json())
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["preference-applied"] == "return=minimal"
    assert [error.message for error in errors] == []
    return response.json()


@pytest.mark.parametrize("body", load_example_intakes().values(), ids=load_example_intakes())
def test_a_score_in_short_says_the_same_to_the_digit(caller, body):
    full = caller.post("/v1/score", json=body)
    short = caller.post("/v1/score", json=body, headers=MINIMAL)
    assert check_short(short, "post", "/v1/score") == shorten(full.json())
    assert len(short.content) * 5 < len(full.content)
    assert "preference-applied" not in full.headers


def test_a_screening_in_short_is_created_replayed_amended_and_read(caller):
    path, one = "/v1/screenings", "/v1/screenings/{screening}"
    key = {"Idempotency-Key": "short-1"}
    created = caller.post(path, json=request(), headers=MINIMAL | key)
    short = check_short(created, "post", path)
    full = caller.post(path, json=request(), headers=key)
    replayed = caller.post(path, json=request(), headers=MINIMAL | key)
    assert (full.headers["idempotency-replayed"], full.json()["id"]) == ("true", short["id"])
    assert (replayed.content, replayed.headers["idempotency-replayed"]) == (created.content, "true")
    assert created.headers["location"] == full.headers["location"] == f"{path}/{short['id']}"
    assert short["assessment"] == shorten(full.json()["assessment"])
    assert set(short) == {"id", "created_at", "replaces", "state", "assessment"}
    assert short["created_at"] == full.json()["created_at"]

    amended = caller.post(f"{path}/{short['id']}/amendments", json=request(), headers=MINIMAL)
    assert check_short(amended, "post", f"{one}/amendments")["replaces"] == short["id"]
    read = caller.get(f"{path}/{short['id']}", headers=MINIMAL)
    assert check_short(read, "get", one) == short | {"state": "amended"}
    full_read = caller.get(f"{path}/{short['id']}")
    assert "Prefer" in full_read.headers["vary"]
    assert "Prefer" in read.headers["vary"]
    assert full_read.headers["etag"] != read.headers["etag"]
    condition = {"If-None-Match": read.headers["etag"]}
    assert caller.get(f"{path}/{short['id']}", headers=MINIMAL | condition).status_code == 304
    assert caller.get(f"{path}/{short['id']}", headers=condition).status_code == 200


def test_nothing_is_stored_in_short_either(caller):
    answer = caller.post("/v1/screenings?store=false", json=request(), headers=MINIMAL)
    short = check_short(answer, "post", "/v1/screenings")
    assert (answer.status_code, short["id"], short["state"]) == (200, None, "not_stored")


@pytest.mark.parametrize(
    ("prefer", "is_short"),
    [
        ("return=minimal", True),
        ('respond-async, Return = "minimal"; x=1', True),
        ("return=minimal, wait=5", True),
        ("return=representation", False),
        ("return=minimally", False),
        ("noreturn=minimal", False),
        ("minimal", False),
    ],
)
def test_other_preferences_are_ignored(caller, prefer, is_short):
    answer = caller.post("/v1/score", json=request("M1", "phq4"), headers={"Prefer": prefer})
    assert answer.status_code == 200
    assert (answer.headers["content-type"] == MEDIA_TYPE) == is_short
    assert ("limitations" in answer.json()) != is_short


def test_a_stored_response_in_fhir_says_which_preference_it_follows(caller):
    content = EXPANDED["paths"]["/fhir/QuestionnaireResponse"]["post"]["requestBody"]["content"]
    resource = content["application/fhir+json"]["examples"]["example"]["value"]
    for value, length in (("minimal", 0), ("OperationOutcome", 100)):
        answer = caller.post(
            "/fhir/QuestionnaireResponse",
            content=json.dumps(resource | {"identifier": {"system": "urn:x", "value": value}}),
            headers={"Content-Type": "application/fhir+json", "Prefer": f"return={value}"},
        )
        assert answer.status_code == 201
        assert answer.headers["preference-applied"] == f"return={value}"
        assert len(answer.content) >= length
