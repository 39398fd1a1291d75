"""Questionnaires are found by what is asked for, and by nothing that is not known."""

import pytest

HERE = "/fhir/Questionnaire"


def found(client, query: str = "") -> list[dict]:
    return [each["resource"] for each in client.get(HERE + query).json().get("entry", ())]


def test_an_address_finds_it_with_its_version_and_without(client):
    for each in found(client):
        named = f"{each['url']}|{each['version']}"
        assert found(client, f"?url={named}") == [each]
        assert each in found(client, f"?url={each['url']}")


@pytest.mark.parametrize("query", ["?name=x", "?_count=1", "?_summary=count", "?url=a&url=b"])
def test_what_cannot_be_searched_by_is_refused_and_not_passed_over(client, query):
    refused = client.get(HERE + query)
    assert refused.status_code == 422
    assert refused.json()["resourceType"] == "OperationOutcome"
