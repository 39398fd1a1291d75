"""The contract once nociplastic 2.0.0 is active: an example of each status, and the new fields."""

import pytest
from jsonschema import Draft202012Validator
from support.contract_document import expand_contract
from support.second_release import load_released_catalogue

from api.contract.operation_examples import load_example_intakes, score_example
from scoring.catalogue import load_catalogue

SECOND = "nociplastic@2.0.0"
NEW_FIELDS = ("why_no_band", "ask_first", "not_asked", "alternatives", "contradictions", "sheet",
              "confidential")  # fmt: skip


@pytest.fixture(scope="module")
def document(second_service) -> dict:
    return expand_contract(second_service.openapi())


@pytest.fixture(scope="module")
def responses() -> dict[str, dict]:
    """The responses to the examples of 2.0.0, by name."""
    catalogue = load_released_catalogue()
    return {
        name: score_example(request, catalogue)
        for name, request in load_example_intakes(catalogue).items()
        if request["rulebook"] == SECOND
    }


def test_each_status_has_an_example(responses):
    assert sorted(response["status"] for response in responses.values()) == [
        "insufficient_information",
        "out_of_scope",
        "scored",
        "withheld_red_flag",
    ]


def test_the_document_shows_the_examples_and_describes_the_new_fields(document, responses):
    operation = document["paths"]["/v1/score"]["post"]
    request_examples = operation["requestBody"]["content"]["application/json"]["examples"]
    received = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert {name: received[name]["value"] for name in responses} == responses
    assert set(responses) <= set(request_examples)
    schema = document["components"]["schemas"]["Assessment"]
    for name in NEW_FIELDS:
        described = schema["properties"][name]
        assert "description" in described or "$ref" in described
        assert name not in schema["required"]


def test_the_examples_validate_against_the_schema(document, responses):
    schema = {"$ref": "#/components/schemas/Assessment", "components": document["components"]}
    validator = Draft202012Validator(schema)
    errors = [error for item in responses.values() for error in validator.iter_errors(item)]
    assert [error.message for error in errors] == []


def test_the_service_answers_each_example_with_its_response(second_service, responses):
    from support.builders import clinic
    from support.callers import calling

    caller = calling(second_service, clinic(second_service.services.store, "Examples"))
    requests = load_example_intakes(load_released_catalogue())
    for name, expected in responses.items():
        assert caller.post("/v1/score", json=requests[name]).json() == expected


def test_an_example_of_a_rulebook_that_is_not_active_is_left_out():
    active = {loaded.name for loaded in load_catalogue().list_active()}
    example_rulebooks = {request["rulebook"] for request in load_example_intakes().values()}
    assert (SECOND in example_rulebooks) is (SECOND in active)
