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


@pytest.mark.parametrize(
    "query",
    ["?name=x", "?_count=0", "?_count=101", "?_summary=count", "?url=a&url=b", "?status=new"],
)
def test_what_cannot_be_searched_by_is_refused_and_not_passed_over(client, query):
    refused = client.get(HERE + query)
    assert refused.status_code == 422
    assert refused.json()["resourceType"] == "OperationOutcome"


def test_it_is_found_by_its_id_and_by_a_status_that_none_has(client):
    assert [each["id"] for each in found(client, "?_id=phq4")] == ["phq4"]
    assert found(client, "?_id=of-nobody") == []
    assert found(client, "?status=draft") == found(client, "?status=unknown") == []


def test_pages_lead_through_all_of_them(client):
    here, seen = f"{HERE}?_count=1&status=active", []
    while here is not None:
        page = client.get(here).json()
        (entry,) = page["entry"]
        seen.append(entry["resource"])
        here = {each["relation"]: each["url"] for each in page["link"]}.get("next")
    assert seen == found(client, "?status=active")
    assert len(seen) > 1


@pytest.mark.parametrize(
    "where",
    [
        "Questionnaire/x!y",
        "Questionnaire/phq4/_history/1_0",
        "OperationDefinition/a%20b",
        f"Questionnaire/{'x' * 65}",
    ],
)
def test_what_is_no_name_is_not_found(client, where):
    missing = client.get(f"/fhir/{where}")
    assert missing.status_code == 404
    assert missing.json()["issue"][0]["code"] == "not-found"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?_format=json", 200),
        ("?_format=application/fhir%2Bjson;fhirVersion=4.0", 200),
        ("?_format=application/fhir+json; fhirVersion=4.0", 200),
        ("?_format=application/fhir%2Bjson;fhirVersion=3.0", 406),
        ("?_format=application/fhir%2Bjson;charset=latin-1", 406),
        ("?_format=xml", 406),
    ],
)
def test_a_format_may_tell_its_version(client, query, status):
    assert client.get(HERE + query).status_code == status
