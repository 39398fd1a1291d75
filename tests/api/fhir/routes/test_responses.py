"""QuestionnaireResponses over HTTP, on both databases: create, correct, search, refuse."""

import hashlib
import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import product

import pytest
from support.builders import FHIR, fhir_response, request
from support.callers import audited, calling, last_act
from support.interop.questionnaire_responses import (
    NONE,
    SYSTEM,
    build_response,
    convert_to_plain_answers,
    draw_answers,
    list_findings,
    read_points,
)
from support.sample import take_sample

from api.http.bodies.request_body import FORM_MEDIA_TYPE
from scoring.catalogue import load_catalogue

HERE = "/fhir/QuestionnaireResponse"
OWN = {"identifier": {"system": "urn:oid:1.2.3.4", "value": "response-1"}}
ONCE = {"If-None-Exist": "identifier=urn:oid:1.2.3.4|response-1"}


def create(client, body, **headers):
    answer = client.post(HERE, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


def by_form(client, where: str, form: str):
    """Search with the query parameters of the URL `where` and those of a form."""
    path, _, query = where.partition("?")
    return client.post(
        f"{path}/_search?{query}", content=form, headers={"Content-Type": FORM_MEDIA_TYPE}
    )


@pytest.fixture(scope="module")
def questionnaires(service):
    from support.callers import bearing

    caller = bearing(service)
    return {
        name: caller.get(f"/fhir/Questionnaire/{name}").json()
        for name in ("nociplastic", "nociplastic-patient", "phq4")
    }


class TestCreate:
    def test_scores_at_once_and_answers_with_the_resource(
        self, kept_service, kept_clinic, kept_client
    ):
        answer = create(kept_client, fhir_response())
        resource = answer.json()
        assert answer.headers["content-type"] == "application/fhir+json"
        assert answer.headers["etag"] == 'W/"1"'
        assert (
            answer.headers["location"]
            == f"{FHIR}/QuestionnaireResponse/{resource['id']}/_history/1"
        )
        assert "last-modified" in answer.headers
        assert resource["item"] == fhir_response()["item"]
        screening = kept_client.get(f"/v1/screenings/{resource['id']}").json()
        assert screening["assessment"]["totals"]["sum"]["points"] == 4
        assert (screening["origin"]["means"], screening["patient"]["reference"]) == (
            "fhir",
            "MRN-0042",
        )
        created = [
            row.target for row in audited(kept_service, kept_clinic) if row.action == "create"
        ]
        assert created == [resource["id"]]

    def test_what_was_sent_is_read_again(self, kept_client):
        body = fhir_response(
            author={"reference": "Practitioner/dr1"},
            source={"reference": "Patient/p1"},
            encounter={"reference": "Encounter/e1"},
            **OWN,
        )
        body["subject"] = {"reference": "https://ehr.example/fhir/Patient/p1"}
        read = kept_client.get(f"{HERE}/{create(kept_client, body).json()['id']}").json()
        for name in set(body) - {"subject"}:
            assert read[name] == body[name], name
        assert read["subject"]["reference"] == body["subject"]["reference"]
        screening = kept_client.get(f"/v1/screenings/{read['id']}").json()
        assert screening["patient"] | {"name": None, "birth_date": None} == {
            "reference": "p1", "system": "https://ehr.example/fhir", "encounter": "e1",
            "name": None, "birth_date": None,
        }  # fmt: skip
        assert screening["context"]["answered_by"] == "patient"
        assert screening["context"]["clinician"] == {"reference": "dr1"}
        assert screening["context"]["answered_on"] == "2026-11-20"

    @pytest.mark.parametrize("seed", range(5))
    def test_scores_what_the_rest_of_the_api_scores(self, kept_client, questionnaires, seed):
        form = questionnaires["nociplastic"]
        values = draw_answers(form, seed)
        created = create(kept_client, build_response(form, values)).json()
        points_by_code = read_points(kept_client.get(f"/fhir/Observation/{created['id']}").json())
        intake = {
            "rulebook": "nociplastic@2.0.0",
            "answers": convert_to_plain_answers(values, form),
        }
        scored = kept_client.post("/v1/score", json=intake).json()
        expected_points = {part["id"]: part["points"] for part in scored["criteria"] or ()}
        expected_points |= {
            name: total["points"] for name, total in (scored["totals"] or {}).items()
        }
        assert {name: points_by_code[name] for name in expected_points} == expected_points
        rulebook = load_catalogue().find_active("nociplastic").rulebook
        assert len(points_by_code) > len(rulebook.criterion)

    def test_the_patients_form_is_answered_as_well(self, kept_client, questionnaires):
        form = questionnaires["nociplastic-patient"]
        body = build_response(form, draw_answers(form, 1))
        read = kept_client.get(f"{HERE}/{create(kept_client, body).json()['id']}").json()
        assert (read["questionnaire"], read["item"]) == (body["questionnaire"], body["item"])

    @pytest.mark.parametrize(
        ("prefer", "kind"),
        [(None, "QuestionnaireResponse"), ("return=representation", "QuestionnaireResponse"),
         ("return=OperationOutcome", "OperationOutcome"), ("return=minimal", None)],
    )  # fmt: skip
    def test_answers_as_is_preferred(self, kept_client, prefer, kind):
        answer = create(kept_client, fhir_response(), **({"Prefer": prefer} if prefer else {}))
        assert answer.headers["etag"] == 'W/"1"'
        assert (answer.json()["resourceType"] if answer.content else None) == kind

    def test_a_named_request_is_done_once(self, kept_client):
        key = {"Idempotency-Key": "one"}
        first, again = (create(kept_client, fhir_response(), **key) for _ in range(2))
        assert (again.headers["idempotency-replayed"], again.json()) == ("true", first.json())

    def test_media_types_of_fhir_are_taken_and_no_others(self, kept_client):
        body = json.dumps(fhir_response())
        statuses = {
            kind: kept_client.post(HERE, content=body, headers={"Content-Type": kind}).status_code
            for kind in ("application/fhir+json", "application/fhir+json; fhirVersion=4.0",
                         "application/json", "application/json+fhir", "application/fhir+xml",
                         "text/plain", "application/fhir+json; fhirVersion=5.0")
        }  # fmt: skip
        assert list(statuses.values()) == [201, 201, 201, 415, 415, 415, 415]
        answer = kept_client.post(HERE, content=body, headers={"Content-Type": "text/plain"})
        assert "application/fhir+json" in answer.json()["issue"][0]["details"]["text"]


class TestConditionalCreate:
    def test_keeps_once_and_answers_by_the_first(self, kept_client):
        first = create(kept_client, fhir_response(**OWN), **ONCE)
        condition = {"If-None-Exist": f"?{ONCE['If-None-Exist']}"}
        assert (
            kept_client.post(HERE, json=fhir_response(**OWN), headers=condition).status_code == 200
        )
        again = kept_client.post(HERE, json=fhir_response(**OWN), headers=ONCE)
        assert again.status_code == 200
        assert again.headers["location"] == first.headers["location"]
        assert len(kept_client.get("/v1/screenings").json()["screenings"]) == 1

    def test_of_many_at_once_one_is_kept(self, kept_client):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(
                lambda _: kept_client.post(HERE, json=fhir_response(**OWN), headers=ONCE), range(4)
            ))  # fmt: skip
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1

    def test_another_identifier_than_the_condition_names_is_refused(self, kept_client):
        condition = {"If-None-Exist": "identifier=urn:oid:1.2.3.4|response-2"}
        answer = kept_client.post(HERE, json=fhir_response(**OWN), headers=condition)
        assert answer.status_code == 412
        assert list_findings(answer.json()) == [
            ("business-rule", "QuestionnaireResponse.identifier")
        ]

    def test_without_the_condition_a_second_one_is_a_duplicate(self, kept_client):
        create(kept_client, fhir_response(**OWN))
        answer = kept_client.post(HERE, json=fhir_response(**OWN))
        assert answer.status_code == 409
        assert list_findings(answer.json()) == [("duplicate", "QuestionnaireResponse.identifier")]

    def test_two_organisations_may_use_one_identifier(self, kept_client, other_client):
        ids = {create(caller, fhir_response(**OWN), **ONCE).json()["id"]
               for caller in (kept_client, other_client)}  # fmt: skip
        assert len(ids) == 2


class TestUpdate:
    @pytest.fixture
    def original(self, kept_client):
        return create(kept_client, fhir_response(**OWN)).json()

    def test_makes_a_new_version_and_leaves_the_old(self, kept_client, original):
        better = original | {"status": "amended", "item": [{"linkId": "topic.mood", "item": [
            {"linkId": "phq4_nervous", "answer": [{"valueInteger": 3}]}]}]}  # fmt: skip
        here = f"{HERE}/{original['id']}"
        answer = kept_client.put(here, json=better, headers={"If-Match": 'W/"1"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
        assert answer.headers["location"].endswith(f"{here}/_history/2")
        read = kept_client.get(here)
        assert (read.headers["etag"], read.json()["status"]) == ('W/"2"', "amended")
        assert read.json()["item"] == better["item"]
        assert kept_client.get(f"{here}/_history/1").json()["item"] == original["item"]
        assert kept_client.get(f"{here}/_history/2").json() == read.json()
        assert kept_client.get(f"{here}/_history/3").status_code == 404
        observation = kept_client.get(f"/fhir/Observation/{original['id']}").json()
        assert (observation["status"], observation["meta"]["versionId"]) == ("amended", "2")
        provenance = kept_client.get(f"/fhir/Provenance/{original['id']}").json()
        assert provenance["activity"]["coding"][0]["code"] == "UPDATE"
        entries = kept_client.get(HERE).json()["entry"]
        assert [entry["resource"]["meta"]["versionId"] for entry in entries] == ["2"]

    def test_the_report_of_the_correction_replaces_the_first(self, kept_client, original):
        here = f"{HERE}/{original['id']}"
        amended = original | {"status": "amended"}
        assert kept_client.put(here, json=amended, headers={"If-Match": "1"}).status_code == 200
        references = [
            entry["resource"]
            for entry in kept_client.get("/fhir/DocumentReference").json()["entry"]
        ]
        later, earlier = references
        assert (earlier["status"], later["status"]) == ("superseded", "current")
        superseded = [reference["meta"]["lastUpdated"] for reference in references]
        assert superseded[0] == superseded[1] > earlier["date"]
        alone = kept_client.get(f"/fhir/DocumentReference/{earlier['id']}").json()
        assert alone["meta"] == earlier["meta"]
        (replaced,) = later["relatesTo"]
        assert replaced["target"]["identifier"] == earlier["masterIdentifier"]

    @pytest.mark.parametrize(("match", "status"), [(None, 400), ('W/"2"', 412), ("nonsense", 412)])
    def test_needs_the_version_that_is_corrected(self, kept_client, original, match, status):
        headers = {"If-Match": match} if match else {}
        answer = kept_client.put(f"{HERE}/{original['id']}", json=original, headers=headers)
        assert answer.status_code == status
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert kept_client.get(f"{HERE}/{original['id']}").headers["etag"] == 'W/"1"'

    def test_one_of_two_concurrent_updates_is_refused(self, kept_client, original):
        amended = original | {"status": "amended"}
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(
                lambda _: kept_client.put(
                    f"{HERE}/{original['id']}", json=amended, headers={"If-Match": 'W/"1"'}
                ).status_code,
                range(2),
            ))  # fmt: skip
        assert sorted(statuses) in ([200, 409], [200, 412])

    def test_another_id_or_identifier_or_patient_is_refused(self, kept_client, original):
        here, match = f"{HERE}/{original['id']}", {"If-Match": 'W/"1"'}
        changed = [
            {"id": "other"},
            {"identifier": {"system": "urn:oid:1.2.3.4", "value": "response-2"}},
            {"subject": {"identifier": {"system": "urn:oid:1.2.3", "value": "another"}}},
        ]
        statuses = [kept_client.put(here, json=original | change, headers=match).status_code
                    for change in changed]  # fmt: skip
        assert statuses == [422, 409, 409]

    def test_there_is_no_update_that_creates(self, kept_client):
        nowhere = f"{HERE}/6f6f6f6f-0000-4000-8000-00000000dead"
        answer = kept_client.put(nowhere, json=fhir_response(), headers={"If-Match": 'W/"1"'})
        assert answer.status_code == 404


class TestReadAndSearch:
    def test_a_client_that_has_the_version_gets_304(self, kept_client):
        here = f"{HERE}/{create(kept_client, fhir_response()).json()['id']}"
        assert kept_client.get(here, headers={"If-None-Match": 'W/"1"'}).status_code == 304
        assert kept_client.get(here, headers={"If-None-Match": 'W/"2"'}).status_code == 200

    def test_last_modified_is_sent_and_head_sends_the_same_headers(self, kept_client):
        first = create(kept_client, fhir_response()).json()
        for kind in ("QuestionnaireResponse", "Observation", "DocumentReference", "Composition"):
            here = f"/fhir/{kind}/{first['id']}"
            read, head = kept_client.get(here), kept_client.head(here)
            since = parsedate_to_datetime(read.headers["last-modified"])
            updated_at = datetime.fromisoformat(read.json()["meta"]["lastUpdated"])
            assert since == updated_at.replace(microsecond=0)
            assert (head.status_code, head.content) == (200, b"")
            for name in ("content-type", "content-length", "etag", "last-modified"):
                assert head.headers[name] == read.headers[name]

    def test_an_invalid_id_is_not_found(self, kept_client):
        for where in ("x!y", "x" * 65, "1", "%20", "6F6F6F6F-0000-4000-8000-00000000DEAD"):
            for kind in ("QuestionnaireResponse", "Observation", "Binary", "DocumentReference"):
                missing = kept_client.get(f"/fhir/{kind}/{where}")
                assert (missing.status_code, missing.json()["issue"][0]["code"]) == (
                    404,
                    "not-found",
                )
        created_id = create(kept_client, fhir_response()).json()["id"]
        for number in ("0", "x", "9" * 10):
            assert kept_client.get(f"{HERE}/{created_id}/_history/{number}").status_code == 404

    def test_a_report_has_a_digest_header(self, kept_client):
        created_id = create(kept_client, fhir_response()).json()["id"]
        for where in (f"/fhir/Binary/{created_id}", f"/v1/screenings/{created_id}/report.txt"):
            report = kept_client.get(where)
            digest = b64encode(hashlib.sha256(report.content).digest()).decode()
            assert report.headers["repr-digest"] == f"sha-256=:{digest}:"

    @pytest.mark.parametrize("authored", ["2019", "2019-04"])
    def test_a_partial_date_is_preserved(self, kept_client, authored):
        created = create(kept_client, fhir_response() | {"authored": authored}).json()
        assert created["authored"] == authored
        observation = kept_client.get(f"/fhir/Observation/{created['id']}").json()
        assert observation["effectiveDateTime"] == authored
        screening = kept_client.get(f"/v1/screenings/{created['id']}").json()
        assert screening["context"]["answered_on"] is None

    def test_finds_by_patient_identifier_form_and_id(self, kept_client, questionnaires):
        literal = create(
            kept_client, fhir_response(**OWN) | {"subject": {"reference": "Patient/p1"}}
        )
        form = questionnaires["nociplastic-patient"]
        patient_response = create(kept_client, build_response(form, draw_answers(form, 2)))
        ids = {
            name: answer.json()["id"]
            for name, answer in (("p1", literal), ("other", patient_response))
        }
        expected = {
            "patient=p1": ["p1"],
            "patient=Patient/p1": ["p1"],
            "patient=https://ehr.example/fhir/Patient/p1": [],
            "patient:identifier=urn:oid:1.2.3|MRN-0042": ["other"],
            "patient:identifier=MRN-0042": ["other"],
            "patient:identifier=|MRN-0042": [],
            "patient=Patient/MRN-0042": [],
            "patient=MRN-0042": [],
            f"_id={ids['other']}&patient=MRN-0042": [],
            "identifier=urn:oid:1.2.3.4|response-1": ["p1"],
            "identifier=urn:oid:1.2.3.4|response-1&patient=p2": [],
            "identifier=|response-1": [],
            f"_id={ids['p1']}": ["p1"],
            f"_id={ids['p1']}&patient=p2": [],
            f"questionnaire={FHIR}/Questionnaire/phq4|1.0.0": ["p1"],
            f"questionnaire={FHIR}/Questionnaire/nociplastic-patient|2.0.0": ["other"],
            f"questionnaire={FHIR}/Questionnaire/nociplastic-patient": ["other"],
            f"questionnaire={FHIR}/Questionnaire/nociplastic|2.0.0": [],
            "questionnaire=http://else.where/q|1": [],
        }
        names = {logical_id: name for name, logical_id in ids.items()}
        answers = {query: kept_client.get(f"{HERE}?{query}") for query in expected}
        assert {answer.status_code for answer in answers.values()} == {200}
        bundles = {query: answer.json() for query, answer in answers.items()}
        assert {
            query: [names[entry["resource"]["id"]] for entry in bundle.get("entry", ())]
            for query, bundle in bundles.items()
        } == expected
        posted = {query: kept_client.post(f"{HERE}/_search?{query}").json() for query in expected}
        assert posted == bundles
        assert {q: by_form(kept_client, HERE, q).json() for q in expected} == bundles
        divided = {query: query.rpartition("&") for query in expected}
        assert {
            query: by_form(kept_client, f"{HERE}?{address}", form).json()
            for query, (address, _, form) in divided.items()
        } == bundles

    def test_pages_lead_through_all_of_them(self, kept_client):
        created_ids = [create(kept_client, fhir_response()).json()["id"] for _ in range(5)]
        here, found_ids = f"{HERE}?_count=2&patient:identifier=MRN-0042", []
        while here is not None:
            page = kept_client.get(here).json()
            found_ids += [entry["resource"]["id"] for entry in page["entry"]]
            links = {link["relation"]: link["url"] for link in page["link"]}
            here = links.get("next")
        assert found_ids == created_ids[::-1]

    @pytest.mark.parametrize(
        "query", ["pateint=p1", "_count=-1", "_page=made-up", "_page=~made-up",
                  "_page=x&patient=p1", "patient=p1&patient=p2", "patient=p1&patient:identifier=x",
                  "patient=p1&subject=p1", "_count=two", "authored=yesterday", "_sort=item",
                  "_summary=some", "_total=many", "_include=Observation:code", "_include=x",
                  "_revinclude=Patient:link"]
    )  # fmt: skip
    def test_an_unknown_search_parameter_is_refused_and_not_ignored(self, kept_client, query):
        for answer in (kept_client.get(f"{HERE}?{query}"), by_form(kept_client, HERE, query)):
            assert answer.status_code == 422
            assert answer.json()["resourceType"] == "OperationOutcome"

    def test_a_search_accepts_no_body_but_a_form(self, kept_client):
        here = f"{HERE}/_search"
        for options, status in (
            ({"json": {"patient": "p1"}}, 415),
            ({"content": b"patient=p1"}, 415),
            ({"content": b"patient=p1", "headers": {"Content-Type": "text/plain"}}, 415),
            ({"data": {"patient": "p" * 17_000}}, 413),
            ({"content": b"patient=\xff", "headers": {"Content-Type": FORM_MEDIA_TYPE}}, 400),
            ({"content": b"patient=p1&&", "headers": {"Content-Type": FORM_MEDIA_TYPE}}, 400),
        ):
            answer = kept_client.post(here, **options)
            assert (answer.status_code, answer.json()["resourceType"]) == (
                status,
                "OperationOutcome",
            )

    def test_a_screening_of_the_api_is_a_response_that_could_be_sent(self, kept_client):
        screening = kept_client.post("/v1/screenings", json=request("MRN-7", "red_flag")).json()
        response = kept_client.get(f"{HERE}/{screening['id']}").json()
        scored = kept_client.post(f"{HERE}/$score", json=response).json()["parameter"]
        observation = kept_client.get(f"/fhir/Observation/{screening['id']}").json()
        assert [parameter["name"] for parameter in scored] == ["return"]
        assert read_points(scored[0]["resource"]) == read_points(observation)

    def test_entered_in_error_is_the_status_of_every_resource(self, kept_client):
        created_id = create(kept_client, fhir_response()).json()["id"]
        kept_client.post(
            f"/v1/screenings/{created_id}/entered-in-error", json={"reason": "mixed up"}
        )
        for kind in ("QuestionnaireResponse", "Observation", "RiskAssessment",
                     "DocumentReference", "Composition"):  # fmt: skip
            answer = kept_client.get(f"/fhir/{kind}/{created_id}")
            assert answer.json()["status"] == "entered-in-error", kind
            assert answer.headers["etag"] == 'W/"2"'


def first_item(body: dict, **changes) -> dict:
    item = body["item"][0]["item"][0]
    changed = {name: value for name, value in (item | changes).items() if value is not None}
    return body | {"item": [body["item"][0] | {"item": [changed, *body["item"][0]["item"][1:]]}]}


ITEM = "QuestionnaireResponse.item[0].item[0]"
BODY = fhir_response()
SAME = BODY["item"][0]["item"][0]
INVALID_BODIES = [
    (BODY | {"status": "stopped"}, ("business-rule", "QuestionnaireResponse.status")),
    (BODY | {"questionnaire": "https://else.where/fhir/Questionnaire/phq4"},
     ("not-found", "QuestionnaireResponse.questionnaire")),
    (BODY | {"questionnaire": f"{FHIR}/Questionnaire/phq4|9.9.9"},
     ("not-found", "QuestionnaireResponse.questionnaire")),
    ({k: v for k, v in BODY.items() if k != "subject"},
     ("required", "QuestionnaireResponse.subject")),
    (BODY | {"subject": {"display": "Zed"}}, ("required", "QuestionnaireResponse.subject")),
    (BODY | {"subject": {"reference": "#contained"}},
     ("not-found", "QuestionnaireResponse.subject.reference")),
    (BODY | {"subject": {"reference": "#p"}, "contained": [{"resourceType": "Patient", "id": "p"}]},
     ("value", "QuestionnaireResponse.subject.reference")),
    (BODY | {"subject": {"reference": "Group/1"}}, ("value", "QuestionnaireResponse.subject")),
    (BODY | {"subject": {"identifier": {"system": "x"}}},
     ("value", "QuestionnaireResponse.subject.identifier")),
    (BODY | {"authored": "2999-01-01"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "1899-12-31"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "yesterday"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "2026-02-03T25:00:00Z"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "2026-02-30"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "2026-13"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "2999"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"authored": "2999-01"}, ("value", "QuestionnaireResponse.authored")),
    (BODY | {"identifier": {"value": " "}}, ("value", "QuestionnaireResponse.identifier")),
    (BODY | {"implicitRules": "http://x.example"},
     ("structure", "QuestionnaireResponse.implicitRules")),
    (BODY | {"made_up": 1}, ("structure", "QuestionnaireResponse")),
    (BODY | {"modifierExtension": [{"url": "x"}]},
     ("structure", "QuestionnaireResponse.modifierExtension")),
    (BODY | {"item": {"linkId": "topic.mood"}}, ("structure", "QuestionnaireResponse.item")),
    (BODY | {"item": ["x"]}, ("structure", "QuestionnaireResponse.item[0]")),
    (BODY | {"item": [*BODY["item"], SAME]}, ("duplicate", "QuestionnaireResponse.item[1]")),
    (BODY | {"item": [{"linkId": "made up"}]},
     ("not-found", "QuestionnaireResponse.item[0].linkId")),
    (BODY | {"item": BODY["item"] * 2}, ("duplicate", "QuestionnaireResponse.item[1]")),
    (BODY | {"item": [BODY["item"][0] | {"answer": [{"valueInteger": 1}]}]},
     ("structure", "QuestionnaireResponse.item[0].answer")),
    (first_item(BODY, linkId="unknown"), ("not-found", f"{ITEM}.linkId")),
    (first_item(BODY, answer=[{"valueInteger": 4}]), ("value", f"{ITEM}.answer[0].value")),
    (first_item(BODY, answer=[{"valueInteger": -1}]), ("value", f"{ITEM}.answer[0].value")),
    (first_item(BODY, answer=[{"valueInteger": True}]), ("value", f"{ITEM}.answer[0].value")),
    (first_item(BODY, answer=[{"valueInteger": 1.5}]), ("value", f"{ITEM}.answer[0].value")),
    (first_item(BODY, answer=[{"valueString": "2"}]), ("structure", f"{ITEM}.answer[0]")),
    (first_item(BODY, answer=[{"valueInteger": 1}] * 2), ("structure", f"{ITEM}.answer")),
    (first_item(BODY, item=[SAME]), ("duplicate", f"{ITEM}.item[0]")),
    (first_item(BODY, modifierExtension=[{"url": "x"}]),
     ("structure", f"{ITEM}.modifierExtension")),
    (BODY | {"item": [{"linkId": "total.sum", "answer": [{"valueString": "x"}]}]},
     ("structure", "QuestionnaireResponse.item[0]")),
]  # fmt: skip


class TestWhatIsRefused:
    @pytest.mark.parametrize(("body", "finding"), INVALID_BODIES)
    def test_is_refused_by_its_place(self, client, body, finding):
        answer = client.post(HERE, json=body)
        assert answer.status_code == 422, answer.text
        assert finding in list_findings(answer.json())

    def test_every_finding_is_reported_together(self, client):
        items = [item | {"answer": [{"valueInteger": 9}]} for item in BODY["item"][0]["item"]]
        body = BODY | {"item": [{"linkId": "topic.mood", "item": items}], "status": "stopped"}
        assert len(list_findings(client.post(HERE, json=body).json())) == 5

    def test_a_clinicians_question_is_disabled_in_the_patients_form(self, client, questionnaires):
        form = questionnaires["nociplastic"]
        values = {"evoked_on_examination": [{"valueCoding": {
            "system": f"{SYSTEM}/nociplastic/evoked_on_examination", "code": NONE}}]}  # fmt: skip
        body = build_response(form, values)
        assert client.post(HERE, json=body).status_code == 201
        body["questionnaire"] = body["questionnaire"].replace("|", "-patient|")
        answer = client.post(HERE, json=body)
        assert list_findings(answer.json()) == [
            ("business-rule", "QuestionnaireResponse.item[0].item[0].linkId")
        ]

    @pytest.mark.parametrize(
        ("codes", "finding"),
        [(["neck", "neck"], ("duplicate", "answer")), (["made_up"], ("code-invalid", "value")),
         (["neck", NONE], ("business-rule", "answer"))],
    )  # fmt: skip
    def test_options_are_refused_by_their_place(self, client, questionnaires, codes, finding):
        system = f"{SYSTEM}/nociplastic/pain_sites"
        values = {"pain_sites": [{"valueCoding": {"system": system, "code": c}} for c in codes]}
        body = build_response(questionnaires["nociplastic"], values)
        code, where = list_findings(client.post(HERE, json=body).json())[0]
        assert (code, where.rsplit(".", 1)[1].split("[")[0]) == finding

    def test_no_refusal_repeats_what_was_sent(self, client):
        canary = "Zq9canary"
        bodies = [
            BODY | {"status": canary, "subject": {"reference": canary}, "authored": canary},
            BODY | {canary: canary, "item": [{"linkId": canary}]},
            first_item(BODY, answer=[{"valueInteger": canary}]),
            first_item(BODY, answer=[{canary: 1}], **{canary: 1}),
            [canary],
        ]
        answers = [client.post(HERE, json=body) for body in bodies]
        assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 422]
        assert {answer.json()["resourceType"] for answer in answers} == {"OperationOutcome"}
        assert [answer.text for answer in answers if canary in answer.text] == []


ODD = [None, 0, "", " ", "x", [], {}, [[]], [{}], {"url": ["x"]}, True, 1.5, "9" * 201, [1, 1]]


def places(value, path=()):
    """Yield the path to each value within."""
    if isinstance(value, dict | list):
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, step)
            yield from places(child, (*path, step))


def replace_part(body: dict, path: tuple, odd) -> dict:
    changed_body = deepcopy(body)
    here = changed_body
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = odd
    return changed_body


def test_no_odd_value_at_any_path_causes_a_server_error(client, questionnaires):
    form = questionnaires["nociplastic"]
    weight = {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 1}
    coding = {"system": f"{SYSTEM}/nociplastic/pain_sites", "code": "neck", "extension": [weight]}
    values = {
        "age_years": [{"valueInteger": 44}],
        "pain_duration_months": [{"valueDecimal": 1.5}],
        "pain_sites": [{"valueCoding": coding}],
        "pain_symmetric": [{"valueBoolean": True}],
    }
    body = build_response(
        form,
        values,
        author={"reference": "Practitioner/1"},
        authored="2026-11-20",
        encounter={"identifier": {"value": "V"}},
        **OWN,
    )
    body["item"].append({"linkId": "total.predominance", "answer": [{"valueDecimal": 1}]})
    assert client.post(f"{HERE}/$score", json=body).status_code == 200
    cases = take_sample(product(places(body), ODD), 5)
    assert len(cases) > 50
    for path, odd in cases:
        answer = client.post(f"{HERE}/$score", json=replace_part(body, path, odd))
        assert answer.status_code in (200, 422), (path, odd, answer.text)
        if answer.status_code == 422:
            assert answer.json()["resourceType"] == "OperationOutcome"


class TestWhatTheClientComputed:
    def test_is_ignored_and_a_difference_is_reported(self, kept_client):
        claimed_total = {"linkId": "total.sum", "answer": [{"valueDecimal": 11}]}
        body = fhir_response() | {"item": [*fhir_response()["item"], claimed_total]}
        answer = create(kept_client, body, Prefer="return=OperationOutcome")
        (issue,) = answer.json()["issue"]
        assert issue["severity"] == "warning"
        assert issue["expression"] == ["QuestionnaireResponse.item[1].answer[0].value"]
        here = answer.headers["location"].split("/")[-3]
        observation = kept_client.get(f"/fhir/Observation/{here}").json()
        assert observation["valueQuantity"]["value"] == 4
        assert any("total 'sum'" in note["text"] for note in observation["note"])

    def test_is_passed_over_where_it_is_the_same(self, client):
        same = {"linkId": "total.sum", "answer": [{"valueDecimal": 4}]}
        body = fhir_response() | {"item": [*fhir_response()["item"], same]}
        parameters = client.post(f"{HERE}/$score", json=body).json()["parameter"]
        assert [parameter["name"] for parameter in parameters] == ["return"]

    def test_weights_too(self, client, questionnaires):
        weight = {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue",
                  "valueDecimal": 771.25}  # fmt: skip
        coding = {"system": f"{SYSTEM}/nociplastic/pain_extent", "code": "spot",
                  "extension": [weight]}  # fmt: skip
        form = questionnaires["nociplastic"]
        body = build_response(form, {"pain_extent": [{"valueCoding": coding}]})
        parameters = client.post(f"{HERE}/$score", json=body).json()["parameter"]
        assert [parameter["name"] for parameter in parameters] == ["return", "issues"]
        (issue,) = parameters[1]["resource"]["issue"]
        assert (issue["severity"], "771.25" in json.dumps(parameters[0])) == ("warning", False)


class TestOperations:
    def test_score_stores_nothing_and_accepts_parameters_too(self, kept_client):
        wrapped = {"resourceType": "Parameters", "parameter": [
            {"name": "questionnaire-response", "resource": fhir_response()}]}  # fmt: skip
        bare, inside = (kept_client.post(f"{HERE}/$score", json=body).json()
                        for body in (fhir_response(), wrapped))  # fmt: skip
        scores = [read_points(result["parameter"][0]["resource"]) for result in (bare, inside)]
        assert scores[0] == scores[1]
        assert scores[0]["sum"] == 4
        assert kept_client.get("/v1/screenings").json()["screenings"] == []
        for wrong in ({"resourceType": "Parameters"}, {"resourceType": "Patient"}):
            assert kept_client.post(f"{HERE}/$score", json=wrong).status_code == 422

    def test_score_needs_no_patient(self, client):
        body = {k: v for k, v in fhir_response().items() if k != "subject"}
        observation = client.post(f"{HERE}/$score", json=body).json()["parameter"][0]["resource"]
        assert "subject" not in observation

    def test_extract_stores_nothing_and_returns_conditional_creates(self, kept_client):
        body = fhir_response(**OWN)
        bundle = kept_client.post(f"{HERE}/$extract", json=body).json()["parameter"][0]["resource"]
        kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
        assert kinds == ["QuestionnaireResponse", "Observation", "RiskAssessment"]
        conditions = [entry["request"]["ifNoneExist"] for entry in bundle["entry"]]
        assert conditions[0] == "identifier=urn:oid:1.2.3.4|response-1"
        assert kept_client.get("/v1/screenings").json()["screenings"] == []


def test_another_organisations_response_is_not_found_by_any_search(kept_client, other_client):
    created_id = create(other_client, fhir_response(**OWN)).json()["id"]
    for query in (f"_id={created_id}", "identifier=urn:oid:1.2.3.4|response-1",
                  "patient:identifier=MRN-0042"):  # fmt: skip
        assert "entry" not in kept_client.get(f"{HERE}?{query}").json()


def test_refusals_leave_their_row_in_the_audit(kept_service, kept_clinic, kept_client):
    kept_client.post(HERE, json={"resourceType": "Patient"})
    assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "invalid_request")
    writing = calling(kept_service, kept_clinic, ["screenings:write"])
    assert writing.get(HERE).status_code == 403
    assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "insufficient_scope")
