"""Searches and reads of questionnaires."""

import pytest

HERE = "/fhir/Questionnaire"


def search_questionnaires(client, query: str = "") -> list[dict]:
    return [entry["resource"] for entry in client.get(HERE + query).json().get("entry", ())]


def test_a_url_finds_a_questionnaire_with_and_without_the_version(client):
    questionnaires = search_questionnaires(client)
    assert len(questionnaires) >= 4
    for questionnaire in questionnaires:
        canonical = f"{questionnaire['url']}|{questionnaire['version']}"
        assert search_questionnaires(client, f"?url={canonical}") == [questionnaire]
        assert questionnaire in search_questionnaires(client, f"?url={questionnaire['url']}")


@pytest.mark.parametrize(
    "query",
    ["?name=x", "?_count=0", "?_count=101", "?_summary=count", "?url=a&url=b", "?status=new"],
)
def test_an_unknown_search_parameter_is_refused_and_not_ignored(client, query):
    answer = client.get(HERE + query)
    assert answer.status_code == 422
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_it_is_found_by_its_id_and_by_a_status_that_none_has(client):
    assert [
        questionnaire["id"] for questionnaire in search_questionnaires(client, "?_id=phq4")
    ] == ["phq4"]
    assert search_questionnaires(client, "?_id=unknown") == []
    assert (
        search_questionnaires(client, "?status=draft")
        == search_questionnaires(client, "?status=unknown")
        == []
    )


def test_pages_lead_through_all_of_them(client):
    here, questionnaires = f"{HERE}?_count=1&status=active", []
    while here is not None:
        page = client.get(here).json()
        (entry,) = page["entry"]
        questionnaires.append(entry["resource"])
        here = {link["relation"]: link["url"] for link in page["link"]}.get("next")
    assert questionnaires == search_questionnaires(client, "?status=active")
    assert len(questionnaires) > 1


@pytest.mark.parametrize(
    "where",
    [
        "Questionnaire/x!y",
        "Questionnaire/phq4/_history/1_0",
        "OperationDefinition/a%20b",
        f"Questionnaire/{'x' * 65}",
    ],
)
def test_an_invalid_name_is_not_found(client, where):
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
def test_a_format_may_name_its_version(client, query, status):
    assert client.get(HERE + query).status_code == status
