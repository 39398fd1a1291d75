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


def test_the_version_id_follows_the_content(client):
    from api.fhir.definitions.questionnaire import build_questionnaire
    from api.fhir.elements import CanonicalUrls
    from api.fhir.questionnaire_catalogue import list_questionnaire_forms
    from scoring.catalogue import load_catalogue

    newest = client.get(f"{HERE}/nociplastic")
    version_id = newest.json()["meta"]["versionId"]
    assert version_id.startswith(f"{newest.json()['version']}-")
    assert newest.headers["etag"] == f'W/"{version_id}"'
    for version in (version_id, newest.json()["version"]):
        assert client.get(f"{HERE}/nociplastic/_history/{version}").json() == newest.json()
    other = f"{HERE}/nociplastic/_history/{newest.json()['version']}-00000000"
    assert client.get(other).status_code == 404
    forms = list_questionnaire_forms(load_catalogue(), CanonicalUrls("http://127.0.0.1:8000"))
    form = next(form for form in forms if form.id == "nociplastic")
    changed = form.entry.model_copy(update={"status": "retired"})
    retired = form._replace(entry=changed)
    versions = {build_questionnaire(it)["meta"]["versionId"] for it in (form, retired)}
    assert len(versions) == 2


@pytest.mark.parametrize("kind", ["Questionnaire", "CodeSystem", "ValueSet"])
def test_an_unknown_parameter_is_passed_over_where_the_client_prefers_it(client, kind):
    here = f"/fhir/{kind}?unknown=1&_count=1"
    assert client.get(here).status_code == 422
    page = client.get(here, headers={"Prefer": "handling=lenient"}).json()
    assert [len(page["entry"]), "unknown" in page["link"][0]["url"]] == [1, False]


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
