"""The contract as files: true to the code, and every example in it really sent."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from api.contract import differing
from api.main import create_app
from api.settings import Settings

FOLDER = Path(__file__).parents[2] / "openapi"
DOCUMENT = json.loads((FOLDER / "openapi.json").read_text())
REQUESTS = sorted((FOLDER / "examples").glob("*.request.json"))
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> TestClient:
    app = create_app(Settings(key_file=tmp_path_factory.mktemp("key") / "key.pem"))
    token = app.state.keys.sign("tests", ["score"], 900)
    return TestClient(app, headers={"Authorization": f"Bearer {token}"})


def validator(schema: dict) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})


def test_the_committed_contract_is_what_the_code_says():
    assert differing(FOLDER) == []


def test_the_served_document_is_the_committed_one(client):
    assert client.get("/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("file", REQUESTS, ids=lambda file: file.name)
def test_every_example_request_gets_its_example_response(client, file):
    request = json.loads(file.read_text())
    expected = json.loads(file.with_name(file.name.replace("request", "response")).read_text())
    response = client.post("/v1/score", json=request)
    assert response.status_code == 200
    assert response.json() == expected
    for path, kind in (("report", "application/pdf"), ("note", "text/plain; charset=utf-8")):
        response = client.post(f"/v1/score/{path}", json=request)
        assert (response.status_code, response.headers["content-type"]) == (200, kind)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each[2]["operationId"])
def test_every_operation_has_examples_that_validate(operation):
    method, _, described = operation
    for parameter in described.get("parameters", ()):
        if parameter["required"]:
            for example in parameter["schema"]["examples"]:
                validator(parameter["schema"]).validate(example)
    if method == "post":
        body = described["requestBody"]["content"]["application/json"]
        assert body["examples"]
        for example in body["examples"].values():
            validator(body["schema"]).validate(example["value"])
    for kind, content in described["responses"]["200"]["content"].items():
        if kind == "application/json":
            assert content["examples"]
            for example in content["examples"].values():
                validator(content["schema"]).validate(example["value"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each[2]["operationId"])
def test_every_operation_says_what_it_refuses(operation):
    method, path, described = operation
    assert "500" in described["responses"]
    if path.startswith("/v1/score"):
        assert described["security"] == [{"token": ["score"]}]
        assert {"400", "401", "403", "408", "413", "415", "422"} <= set(described["responses"])
    else:
        assert (method, "security" in described) == ("get", False)


def test_every_question_stands_in_the_document():
    answers = DOCUMENT["components"]["schemas"]["NociplasticAnswers_1_0_0"]["properties"]
    assert len(answers) == 69
    assert answers["pain_symmetric"]["description"].startswith("Is the pain in the same place")
