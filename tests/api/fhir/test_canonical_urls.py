"""Canonical URLs stay the same when the service moves, and its old addresses still name them."""

import json

import pytest
from support.builders import clinic, copy_empty_store, fhir_response
from support.callers import calling

from api.fhir.elements import CanonicalUrls, build_canonical_urls
from api.main import create_app
from schemas.canonical import CANONICAL_BASE

OLD, NEW = "https://old.example/pain", "https://new.example"
CANONICAL = f"{CANONICAL_BASE}/fhir"
URLS = build_canonical_urls(NEW, (CANONICAL_BASE, OLD, NEW))
DEFINITIONS = ["Questionnaire/phq4", "CodeSystem/phq4-band", "ValueSet/phq4-band"]
DEFINITIONS += ["ConceptMap/phq4-loinc", "OperationDefinition/export"]


@pytest.fixture(scope="module")
def moved_service(tmp_path_factory):
    """A client of a service that was moved, what it read before, and the id of a response."""
    settings = copy_empty_store(tmp_path_factory.mktemp("moved"))
    first = create_app(settings.model_copy(update={"public_url": OLD}))
    owner = clinic(first.services.store)
    caller = calling(first, owner)
    response = caller.post("/fhir/QuestionnaireResponse", json=name_form(OLD)).json()
    before = {path: read(caller, path) for path in (*DEFINITIONS, *list_results(response["id"]))}
    close(first)
    second = create_app(settings.model_copy(update={"public_url": NEW}))
    yield calling(second, owner), before, response["id"]
    close(second)


def close(service):
    service.services.renderer.close()
    service.services.store.close()


def read(caller, path):
    return caller.get(f"/fhir/{path}").json()


def list_results(response_id):
    paths = [f"{name}/{response_id}" for name in ("QuestionnaireResponse", "RiskAssessment")]
    return [*paths, f"QuestionnaireResponse/{response_id}/_history/1"]


def name_form(base, **more):
    url = f"{base}/fhir/Questionnaire/phq4|1.0.0"
    return fhir_response(**{"questionnaire": url} | more)


def test_no_definition_and_no_result_changes_when_the_service_moves(moved_service):
    caller, before, _ = moved_service
    assert {path: read(caller, path) for path in before} == before


def test_what_is_emitted_names_the_fixed_base_alone(moved_service):
    caller, before, _ = moved_service
    for path in DEFINITIONS:
        resource = read(caller, path)
        assert resource["url"].startswith(f"{CANONICAL}/")
        assert OLD not in json.dumps(resource)
    risk = next(it for path, it in before.items() if path.startswith("RiskAssessment"))
    assert f"{CANONICAL}/CodeSystem/phq4" in json.dumps(risk)


def test_a_response_keeps_the_questionnaire_that_it_named(moved_service):
    caller, _, response_id = moved_service
    response = read(caller, f"QuestionnaireResponse/{response_id}")
    assert response["questionnaire"] == f"{OLD}/fhir/Questionnaire/phq4|1.0.0"


@pytest.mark.parametrize("base", [CANONICAL_BASE, OLD, NEW])
def test_a_response_may_name_its_questionnaire_under_every_address(moved_service, base):
    caller, *_ = moved_service
    created = caller.post("/fhir/QuestionnaireResponse", json=name_form(base))
    assert created.status_code == 201
    unversioned = name_form(base, questionnaire=f"{base}/fhir/Questionnaire/phq4/")
    answer = caller.post("/fhir/QuestionnaireResponse", json=unversioned)
    assert answer.json()["questionnaire"] == f"{CANONICAL}/Questionnaire/phq4|1.0.0"


def test_a_questionnaire_under_the_address_of_another_server_is_refused(moved_service):
    caller, *_ = moved_service
    refusal = caller.post("/fhir/QuestionnaireResponse", json=name_form("https://other.example"))
    assert refusal.status_code == 422
    assert refusal.json()["issue"][0]["expression"] == ["QuestionnaireResponse.questionnaire"]


@pytest.mark.parametrize("base", [CANONICAL_BASE, OLD, NEW])
def test_codes_of_an_option_are_taken_under_every_address(moved_service, base):
    caller, *_ = moved_service
    system = f"{base}/fhir/CodeSystem/nociplastic/pain_course"
    form = read(caller, "Questionnaire/nociplastic")
    item = find_choice(form["item"])
    coding = dict(item["answerOption"][0]["valueCoding"])
    coding["system"] = coding["system"].replace(CANONICAL_BASE, base)
    answer = {"linkId": item["linkId"], "answer": [{"valueCoding": coding}]}
    body = fhir_response(questionnaire=form["url"], item=[answer])
    created = caller.post("/fhir/QuestionnaireResponse", json=body)
    assert created.status_code == 201, (system, created.json())
    assert created.json()["item"] == [answer]


def find_choice(items):
    """Return the first item whose options are codings of the service."""
    for item in items:
        options = item.get("answerOption", [])
        if options and CANONICAL_BASE in options[0].get("valueCoding", {}).get("system", ""):
            return item
        if (nested := find_choice(item.get("item", []))) is not None:
            return nested
    return None


@pytest.mark.parametrize("base", [CANONICAL_BASE, OLD, NEW])
@pytest.mark.parametrize("path", DEFINITIONS)
def test_a_definition_is_found_by_its_url_under_every_address(moved_service, base, path):
    caller, *_ = moved_service
    resource = read(caller, path)
    url = resource["url"].replace(CANONICAL_BASE, base)
    bundle = caller.get(f"/fhir/{path.partition('/')[0]}", params={"url": url}).json()
    assert resource["url"] in [entry["resource"]["url"] for entry in bundle["entry"]]


@pytest.mark.parametrize("base", [CANONICAL_BASE, OLD, NEW])
def test_a_search_by_questionnaire_or_code_takes_every_address(moved_service, base):
    caller, _, response_id = moved_service
    url = f"{base}/fhir/Questionnaire/phq4"
    bundle = caller.get("/fhir/QuestionnaireResponse", params={"questionnaire": url}).json()
    assert response_id in [entry["resource"]["id"] for entry in bundle["entry"]]
    observation = caller.get("/fhir/Observation").json()["entry"][0]["resource"]
    coding = next(it for it in observation["code"]["coding"] if CANONICAL in it["system"])
    token = f"{coding['system'].replace(CANONICAL_BASE, base)}|{coding['code']}"
    for text in (token, f"other|code,{token}"):
        bundle = caller.get("/fhir/Observation", params={"code": text}).json()
        assert bundle["entry"][0]["resource"]["code"] == observation["code"]


@pytest.mark.parametrize(
    ("url", "resolved_url"),
    [
        (f"{OLD}/fhir/CodeSystem/phq4/band", f"{CANONICAL}/CodeSystem/phq4/band"),
        (f"{NEW}/fhir/Questionnaire/phq4|1.0.0", f"{CANONICAL}/Questionnaire/phq4|1.0.0"),
        (f"{CANONICAL}/Questionnaire/phq4", f"{CANONICAL}/Questionnaire/phq4"),
        (f"{NEW}/fhir/Patient/1", f"{NEW}/fhir/Patient/1"),
        (f"{NEW}/Questionnaire/phq4", f"{NEW}/Questionnaire/phq4"),
        (f"{NEW}.evil/fhir/Questionnaire/phq4", f"{NEW}.evil/fhir/Questionnaire/phq4"),
        ("Questionnaire/phq4", "Questionnaire/phq4"),
        ("", ""),
    ],
)
def test_only_what_has_a_canonical_url_is_an_alias(url, resolved_url):
    assert URLS.resolve_alias(url) == resolved_url


def test_links_name_the_address_and_definitions_the_base():
    urls = CanonicalUrls(NEW, "https://own.example")
    assert urls.fhir_url == f"{NEW}/fhir"
    assert urls.topic_url("red-flag") == "https://own.example/fhir/SubscriptionTopic/red-flag"
