"""What the service emits it accepts again: read by other people's libraries, unchanged, and put."""

import os
import random

import pytest
from fhirclient.models import questionnaireresponse
from fhirpy import SyncFHIRClient
from fhirpy.base import lib_sync
from support import builders
from support.builders import FHIR, fhir_response
from support.callers import calling
from support.interop.questionnaire_responses import (
    build_response,
    convert_to_plain_answers,
    draw_answers,
    read_points,
)

SCREENINGS = int(os.environ.get("TEST_EMITTED", "12"))
HERE = "/fhir/QuestionnaireResponse"
NUMBER = {"system": "urn:oid:1.2.3", "value": "MRN 7, odd|one"}
PEOPLE = [
    {},
    {"subject": {"reference": "Patient/p1", "display": "Ä"}, "source": {"reference": "Patient/p1"}},
    {"subject": {"reference": "https://ehr.example/fhir/Patient/7"}},
    {"subject": {"identifier": NUMBER}, "author": {"reference": "Practitioner/dr1"}},
    {"encounter": {"identifier": {"value": "V 1"}}, "basedOn": [{"reference": "ServiceRequest/1"}]},
    {"subject": {"reference": "#p"},
     "contained": [{"resourceType": "Patient", "id": "p", "identifier": [NUMBER]}]},
    {"language": "de", "meta": {"tag": [{"system": "urn:example:tag", "code": "study-7"}]}},
]  # fmt: skip
DATES = ("2026", "2026-11", "2026-11-20", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.125+05:30")


@pytest.fixture(scope="module")
def emitting_clinic(second_service):
    return builders.clinic(second_service.services.store, "Emitted")


@pytest.fixture
def caller(second_service, emitting_clinic):
    """A caller with a new token: the long run takes longer than one lives."""
    return calling(second_service, emitting_clinic)


@pytest.fixture(scope="module")
def forms(second_service, emitting_clinic):
    entries = (
        calling(second_service, emitting_clinic)
        .get("/fhir/Questionnaire?status=active")
        .json()["entry"]
    )
    return [entry["resource"] for entry in entries]


def store_random_screening(caller, forms, seed: int) -> str:
    """Store random answers by FHIR or, every fourth time, as an intake; return their id."""
    chance = random.Random(seed)
    form = chance.choice(forms)
    answers = draw_answers(form, seed, share=chance.choice((0.1, 0.5, 1)))
    body = build_response(form, answers, authored=chance.choice(DATES))
    body |= chance.choice(PEOPLE)
    if seed % 2:
        body = drop_translations(body)
    if seed % 4 or form["id"].endswith("-patient"):
        answer = caller.post(HERE, json=body)
    else:
        intake = {
            "rulebook": f"{form['id']}@{form['version']}",
            "patient": {"reference": f"N {seed}", "name": "Ö", "birth_date": "1980-02-03"},
            "answers": convert_to_plain_answers(answers, form),
        }
        answer = caller.post("/v1/screenings", json=intake)
    assert answer.status_code == 201, (seed, answer.text)
    return answer.json()["id"]


def drop_translations(value):
    """Return the resource without the extensions of its texts, which fhirclient cannot hold."""
    if isinstance(value, list):
        return [drop_translations(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: drop_translations(it) for name, it in value.items() if name[0] != "_"}


def read_by_library(resource: dict) -> dict:
    """Return the resource as fhirclient writes it again; unchanged if it has translations."""
    if resource != drop_translations(resource):
        return resource
    return questionnaireresponse.QuestionnaireResponse(resource).as_json()


@pytest.mark.parametrize("seed", range(SCREENINGS))
def test_a_response_that_a_library_read_is_put_without_a_new_version(caller, forms, seed):
    here = f"{HERE}/{store_random_screening(caller, forms, seed)}"
    first = caller.get(here)
    copy = read_by_library(first.json())
    again = caller.put(here, json=copy, headers={"If-Match": first.headers["etag"]})
    assert again.status_code == 200, again.text
    assert (again.headers["etag"], again.json()) == (first.headers["etag"], first.json())
    computed = caller.post(f"{HERE}/$score", json=copy).json()["parameter"][0]["resource"]
    stored_result = caller.get(f"{here}/$score").json()["parameter"][0]["resource"]
    assert read_points(computed) == read_points(stored_result)


class TestFhirpy:
    """fhirpy against the service; only its transport is replaced by the client of the tests."""

    @pytest.fixture
    def fhirpy_client(self, caller, monkeypatch):
        def send(method, url, json=None, headers=None):
            names = ("accept", "content-type", "if-match", "if-none-match")
            headers = {name: text for name, text in headers.items() if name.lower() in names}
            return caller.request(method, url, json=json, headers=headers)

        monkeypatch.setattr(lib_sync.requests, "request", send)
        return SyncFHIRClient(FHIR)

    def test_a_response_is_created_read_and_saved_unchanged(self, fhirpy_client):
        created = fhirpy_client.resource("QuestionnaireResponse", **fhir_response())
        created.save()
        read = fhirpy_client.reference("QuestionnaireResponse", created["id"]).to_resource()
        before = dict(read)
        fhirpy_client.extra_headers = {"If-Match": 'W/"1"'}
        read.save()
        assert dict(read) == before
        assert read["meta"]["versionId"] == "1"

    def test_a_search_counts_sorts_creates_once_and_updates(self, fhirpy_client):
        body = fhir_response() | {"identifier": {"system": "urn:oid:1.2.3.4", "value": "fhirpy"}}
        search = fhirpy_client.resources("QuestionnaireResponse").search(
            identifier="urn:oid:1.2.3.4|fhirpy"
        )
        assert search.count() == 0
        response = fhirpy_client.resource("QuestionnaireResponse", **body)
        assert [search.get_or_create(response)[1] for _ in range(2)] == [True, False]
        changed = fhirpy_client.resource(
            "QuestionnaireResponse", **body | {"authored": "2026-11-21"}
        )
        updated, is_new = search.update(changed)
        assert (updated["meta"]["versionId"], is_new) == ("2", False)
        assert [it["id"] for it in search.sort("-_lastUpdated").fetch()] == [updated["id"]]
