"""QuestionnaireResponses over HTTP, on both databases: kept once, corrected, searched, refused."""

import hashlib
import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest
from support.builders import FHIR, fhir_response, request
from support.callers import audited, calling, last_act
from support.interop.questionnaire_responses import (
    NONE,
    SYSTEM,
    drawn,
    findings,
    plain,
    points,
    response,
)

from api.http.request_body import FORM_MEDIA_TYPE

HERE = "/fhir/QuestionnaireResponse"
OWN = {"identifier": {"system": "urn:oid:1.2.3.4", "value": "response-1"}}
ONCE = {"If-None-Exist": "identifier=urn:oid:1.2.3.4|response-1"}


def create(client, body, **headers):
    made = client.post(HERE, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return made


def by_form(client, where: str, form: str):
    """What a search answers whose parameters stand in the address of `where` and in a form."""
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
        made = create(kept_client, fhir_response())
        told = made.json()
        assert made.headers["content-type"] == "application/fhir+json"
        assert made.headers["etag"] == 'W/"1"'
        assert made.headers["location"] == f"{FHIR}/QuestionnaireResponse/{told['id']}/_history/1"
        assert "last-modified" in made.headers
        assert told["item"] == fhir_response()["item"]
        kept = kept_client.get(f"/v1/screenings/{told['id']}").json()
        assert kept["assessment"]["totals"]["sum"]["points"] == 4
        assert (kept["origin"]["means"], kept["patient"]["reference"]) == ("fhir", "MRN-0042")
        created = [
            row.target for row in audited(kept_service, kept_clinic) if row.action == "create"
        ]
        assert created == [told["id"]]

    def test_what_was_sent_is_read_again(self, kept_client):
        sent = fhir_response(
            author={"reference": "Practitioner/dr1"},
            source={"reference": "Patient/p1"},
            encounter={"reference": "Encounter/e1"},
            **OWN,
        )
        sent["subject"] = {"reference": "https://ehr.example/fhir/Patient/p1"}
        read = kept_client.get(f"{HERE}/{create(kept_client, sent).json()['id']}").json()
        for name in set(sent) - {"subject"}:
            assert read[name] == sent[name], name
        assert read["subject"]["reference"] == sent["subject"]["reference"]
        whole = kept_client.get(f"/v1/screenings/{read['id']}").json()
        assert whole["patient"] | {"name": None, "birth_date": None} == {
            "reference": "p1", "system": "https://ehr.example/fhir", "encounter": "e1",
            "name": None, "birth_date": None,
        }  # fmt: skip
        assert whole["context"]["answered_by"] == "patient"
        assert whole["context"]["clinician"] == {"reference": "dr1"}
        assert whole["context"]["answered_on"] == "2026-11-20"

    @pytest.mark.parametrize("seed", range(5))
    def test_scores_what_the_rest_of_the_api_scores(self, kept_client, questionnaires, seed):
        form = questionnaires["nociplastic"]
        values = drawn(form, seed)
        made = create(kept_client, response(form, values)).json()
        told = points(kept_client.get(f"/fhir/Observation/{made['id']}").json())
        intake = {"rulebook": "nociplastic@1.0.0", "answers": plain(values, form)}
        scored = kept_client.post("/v1/score", json=intake).json()
        for criterion in scored["criteria"] or ():
            assert told[criterion["id"]] == criterion["points"]
        for name, total in (scored["totals"] or {}).items():
            assert told[name] == total["points"]

    def test_the_patients_form_is_answered_as_well(self, kept_client, questionnaires):
        form = questionnaires["nociplastic-patient"]
        sent = response(form, drawn(form, 1))
        read = kept_client.get(f"{HERE}/{create(kept_client, sent).json()['id']}").json()
        assert (read["questionnaire"], read["item"]) == (sent["questionnaire"], sent["item"])

    @pytest.mark.parametrize(
        ("prefer", "kind"),
        [(None, "QuestionnaireResponse"), ("return=representation", "QuestionnaireResponse"),
         ("return=OperationOutcome", "OperationOutcome"), ("return=minimal", None)],
    )  # fmt: skip
    def test_answers_as_is_preferred(self, kept_client, prefer, kind):
        made = create(kept_client, fhir_response(), **({"Prefer": prefer} if prefer else {}))
        assert made.headers["etag"] == 'W/"1"'
        assert (made.json()["resourceType"] if made.content else None) == kind

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
        refused = kept_client.post(HERE, content=body, headers={"Content-Type": "text/plain"})
        assert "application/fhir+json" in refused.json()["issue"][0]["details"]["text"]


class TestConditionalCreate:
    def test_keeps_once_and_answers_by_the_first(self, kept_client):
        first = create(kept_client, fhir_response(**OWN), **ONCE)
        asked = {"If-None-Exist": f"?{ONCE['If-None-Exist']}"}
        assert kept_client.post(HERE, json=fhir_response(**OWN), headers=asked).status_code == 200
        again = kept_client.post(HERE, json=fhir_response(**OWN), headers=ONCE)
        assert again.status_code == 200
        assert again.headers["location"] == first.headers["location"]
        assert len(kept_client.get("/v1/screenings").json()["screenings"]) == 1

    def test_of_many_at_once_one_is_kept(self, kept_client):
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(
                lambda _: kept_client.post(HERE, json=fhir_response(**OWN), headers=ONCE), range(4)
            ))  # fmt: skip
        assert sorted(each.status_code for each in made) == [200, 200, 200, 201]
        assert len({each.json()["id"] for each in made}) == 1

    def test_another_identifier_than_the_condition_names_is_refused(self, kept_client):
        other = {"If-None-Exist": "identifier=urn:oid:1.2.3.4|response-2"}
        refused = kept_client.post(HERE, json=fhir_response(**OWN), headers=other)
        assert refused.status_code == 412
        assert findings(refused.json()) == [("business-rule", "QuestionnaireResponse.identifier")]

    def test_without_the_condition_a_second_one_is_a_duplicate(self, kept_client):
        create(kept_client, fhir_response(**OWN))
        refused = kept_client.post(HERE, json=fhir_response(**OWN))
        assert refused.status_code == 409
        assert findings(refused.json()) == [("duplicate", "QuestionnaireResponse.identifier")]

    def test_two_organisations_may_use_one_identifier(self, kept_client, other_client):
        ids = {create(each, fhir_response(**OWN), **ONCE).json()["id"]
               for each in (kept_client, other_client)}  # fmt: skip
        assert len(ids) == 2


class TestUpdate:
    @pytest.fixture
    def kept(self, kept_client):
        return create(kept_client, fhir_response(**OWN)).json()

    def test_makes_a_new_version_and_leaves_the_old(self, kept_client, kept):
        better = kept | {"status": "amended", "item": [{"linkId": "topic.mood", "item": [
            {"linkId": "phq4_nervous", "answer": [{"valueInteger": 3}]}]}]}  # fmt: skip
        here = f"{HERE}/{kept['id']}"
        made = kept_client.put(here, json=better, headers={"If-Match": 'W/"1"'})
        assert (made.status_code, made.headers["etag"]) == (200, 'W/"2"')
        assert made.headers["location"].endswith(f"{here}/_history/2")
        read = kept_client.get(here)
        assert (read.headers["etag"], read.json()["status"]) == ('W/"2"', "amended")
        assert read.json()["item"] == better["item"]
        assert kept_client.get(f"{here}/_history/1").json()["item"] == kept["item"]
        assert kept_client.get(f"{here}/_history/2").json() == read.json()
        assert kept_client.get(f"{here}/_history/3").status_code == 404
        observation = kept_client.get(f"/fhir/Observation/{kept['id']}").json()
        assert (observation["status"], observation["meta"]["versionId"]) == ("amended", "2")
        provenance = kept_client.get(f"/fhir/Provenance/{kept['id']}").json()
        assert provenance["activity"]["coding"][0]["code"] == "UPDATE"
        found = kept_client.get(HERE).json()["entry"]
        assert [each["resource"]["meta"]["versionId"] for each in found] == ["2"]

    def test_the_report_of_the_correction_replaces_the_first(self, kept_client, kept):
        here = f"{HERE}/{kept['id']}"
        assert kept_client.put(here, json=kept, headers={"If-Match": "1"}).status_code == 200
        told = [
            each["resource"] for each in kept_client.get("/fhir/DocumentReference").json()["entry"]
        ]
        later, earlier = told
        assert (earlier["status"], later["status"]) == ("superseded", "current")
        superseded = [each["meta"]["lastUpdated"] for each in told]
        assert superseded[0] == superseded[1] > earlier["date"]
        alone = kept_client.get(f"/fhir/DocumentReference/{earlier['id']}").json()
        assert alone["meta"] == earlier["meta"]
        (replaced,) = later["relatesTo"]
        assert replaced["target"]["identifier"] == earlier["masterIdentifier"]

    @pytest.mark.parametrize(("match", "status"), [(None, 400), ('W/"2"', 412), ("nonsense", 412)])
    def test_needs_the_version_that_is_corrected(self, kept_client, kept, match, status):
        headers = {"If-Match": match} if match else {}
        refused = kept_client.put(f"{HERE}/{kept['id']}", json=kept, headers=headers)
        assert refused.status_code == status
        assert refused.json()["resourceType"] == "OperationOutcome"
        assert kept_client.get(f"{HERE}/{kept['id']}").headers["etag"] == 'W/"1"'

    def test_of_two_at_once_one_is_told_that_it_is_late(self, kept_client, kept):
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(
                lambda _: kept_client.put(
                    f"{HERE}/{kept['id']}", json=kept, headers={"If-Match": 'W/"1"'}
                ).status_code,
                range(2),
            ))  # fmt: skip
        assert sorted(statuses) in ([200, 409], [200, 412])

    def test_another_id_or_identifier_or_patient_is_refused(self, kept_client, kept):
        here, match = f"{HERE}/{kept['id']}", {"If-Match": 'W/"1"'}
        changed = [
            {"id": "other"},
            {"identifier": {"system": "urn:oid:1.2.3.4", "value": "response-2"}},
            {"subject": {"identifier": {"system": "urn:oid:1.2.3", "value": "another"}}},
        ]
        statuses = [kept_client.put(here, json=kept | each, headers=match).status_code
                    for each in changed]  # fmt: skip
        assert statuses == [422, 409, 409]

    def test_there_is_no_update_that_creates(self, kept_client):
        nowhere = f"{HERE}/6f6f6f6f-0000-4000-8000-00000000dead"
        refused = kept_client.put(nowhere, json=fhir_response(), headers={"If-Match": 'W/"1"'})
        assert refused.status_code == 404


class TestReadAndSearch:
    def test_who_has_the_version_is_told_that_nothing_changed(self, kept_client):
        here = f"{HERE}/{create(kept_client, fhir_response()).json()['id']}"
        assert kept_client.get(here, headers={"If-None-Match": 'W/"1"'}).status_code == 304
        assert kept_client.get(here, headers={"If-None-Match": 'W/"2"'}).status_code == 200

    def test_each_tells_since_when_it_is_so_and_head_tells_the_same_without_it(self, kept_client):
        first = create(kept_client, fhir_response()).json()
        for kind in ("QuestionnaireResponse", "Observation", "DocumentReference", "Composition"):
            here = f"/fhir/{kind}/{first['id']}"
            read, head = kept_client.get(here), kept_client.head(here)
            since = parsedate_to_datetime(read.headers["last-modified"])
            told = datetime.fromisoformat(read.json()["meta"]["lastUpdated"])
            assert since == told.replace(microsecond=0)
            assert (head.status_code, head.content) == (200, b"")
            for name in ("content-type", "content-length", "etag", "last-modified"):
                assert head.headers[name] == read.headers[name]

    def test_what_is_no_id_is_not_found(self, kept_client):
        for where in ("x!y", "x" * 65, "1", "%20", "6F6F6F6F-0000-4000-8000-00000000DEAD"):
            for kind in ("QuestionnaireResponse", "Observation", "Binary", "DocumentReference"):
                missing = kept_client.get(f"/fhir/{kind}/{where}")
                assert (missing.status_code, missing.json()["issue"][0]["code"]) == (
                    404,
                    "not-found",
                )
        made = create(kept_client, fhir_response()).json()["id"]
        for number in ("0", "x", "9" * 10):
            assert kept_client.get(f"{HERE}/{made}/_history/{number}").status_code == 404

    def test_a_report_tells_its_digest(self, kept_client):
        made = create(kept_client, fhir_response()).json()["id"]
        for where in (f"/fhir/Binary/{made}", f"/v1/screenings/{made}/report.txt"):
            report = kept_client.get(where)
            digest = b64encode(hashlib.sha256(report.content).digest()).decode()
            assert report.headers["repr-digest"] == f"sha-256=:{digest}:"

    @pytest.mark.parametrize("authored", ["2019", "2019-04"])
    def test_a_day_that_is_known_in_part_stays_so(self, kept_client, authored):
        made = create(kept_client, fhir_response() | {"authored": authored}).json()
        assert made["authored"] == authored
        observation = kept_client.get(f"/fhir/Observation/{made['id']}").json()
        assert observation["effectiveDateTime"] == authored
        kept = kept_client.get(f"/v1/screenings/{made['id']}").json()
        assert kept["context"]["answered_on"] is None

    def test_finds_by_patient_identifier_form_and_id(self, kept_client, questionnaires):
        literal = create(
            kept_client, fhir_response(**OWN) | {"subject": {"reference": "Patient/p1"}}
        )
        form = questionnaires["nociplastic-patient"]
        other = create(kept_client, response(form, drawn(form, 2)))
        ids = {name: each.json()["id"] for name, each in (("p1", literal), ("other", other))}
        for query, expected in {
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
            f"questionnaire={FHIR}/Questionnaire/nociplastic-patient|1.0.0": ["other"],
            f"questionnaire={FHIR}/Questionnaire/nociplastic-patient": ["other"],
            f"questionnaire={FHIR}/Questionnaire/nociplastic|1.0.0": [],
            "questionnaire=http://else.where/q|1": [],
        }.items():
            found = kept_client.get(f"{HERE}?{query}")
            assert found.status_code == 200, (query, found.text)
            address, _, rest = query.rpartition("&")
            for where, form in ((HERE, query), (f"{HERE}?{address}", rest)):
                assert by_form(kept_client, where, form).json() == found.json(), (query, where)
            assert kept_client.post(f"{HERE}/_search?{query}").json() == found.json()
            told = [each["resource"]["id"] for each in found.json().get("entry", ())]
            assert told == [ids[name] for name in expected], query

    def test_pages_lead_through_all_of_them(self, kept_client):
        made = [create(kept_client, fhir_response()).json()["id"] for _ in range(5)]
        here, seen = f"{HERE}?_count=2&patient:identifier=MRN-0042", []
        while here is not None:
            page = kept_client.get(here).json()
            seen += [each["resource"]["id"] for each in page["entry"]]
            links = {each["relation"]: each["url"] for each in page["link"]}
            here = links.get("next")
        assert seen == made[::-1]

    @pytest.mark.parametrize(
        "query", ["pateint=p1", "_count=0", "_count=101", "_page=made-up", "_page=x&patient=p1",
                  "patient=p1&patient=p2", "identifier=response-1",
                  "patient=p1&patient:identifier=x", "_count=two"]
    )  # fmt: skip
    def test_what_cannot_be_searched_by_is_refused_and_not_passed_over(self, kept_client, query):
        for refused in (kept_client.get(f"{HERE}?{query}"), by_form(kept_client, HERE, query)):
            assert refused.status_code == 422
            assert refused.json()["resourceType"] == "OperationOutcome"

    def test_a_form_takes_the_place_of_no_body_of_another_kind(self, kept_client):
        here = f"{HERE}/_search"
        for sent, status in (
            ({"json": {"patient": "p1"}}, 415),
            ({"content": b"patient=p1"}, 415),
            ({"content": b"patient=p1", "headers": {"Content-Type": "text/plain"}}, 415),
            ({"data": {"patient": "p" * 17_000}}, 413),
            ({"content": b"patient=\xff", "headers": {"Content-Type": FORM_MEDIA_TYPE}}, 400),
            ({"content": b"patient=p1&&", "headers": {"Content-Type": FORM_MEDIA_TYPE}}, 400),
        ):
            refused = kept_client.post(here, **sent)
            assert (refused.status_code, refused.json()["resourceType"]) == (
                status,
                "OperationOutcome",
            )

    def test_a_screening_of_the_api_is_a_response_that_could_be_sent(self, kept_client):
        kept = kept_client.post("/v1/screenings", json=request("MRN-7", "red_flag")).json()
        told = kept_client.get(f"{HERE}/{kept['id']}").json()
        scored = kept_client.post(f"{HERE}/$score", json=told).json()["parameter"]
        observation = kept_client.get(f"/fhir/Observation/{kept['id']}").json()
        assert [each["name"] for each in scored] == ["return"]
        assert points(scored[0]["resource"]) == points(observation)

    def test_entered_in_error_is_said_on_everything(self, kept_client):
        made = create(kept_client, fhir_response()).json()["id"]
        kept_client.post(f"/v1/screenings/{made}/entered-in-error", json={"reason": "mixed up"})
        for kind in ("QuestionnaireResponse", "Observation", "RiskAssessment",
                     "DocumentReference", "Composition"):  # fmt: skip
            told = kept_client.get(f"/fhir/{kind}/{made}")
            assert told.json()["status"] == "entered-in-error", kind
            assert told.headers["etag"] == 'W/"2"'


def first_item(body: dict, **changes) -> dict:
    item = body["item"][0]["item"][0]
    changed = {name: each for name, each in (item | changes).items() if each is not None}
    return body | {"item": [body["item"][0] | {"item": [changed, *body["item"][0]["item"][1:]]}]}


ITEM = "QuestionnaireResponse.item[0].item[0]"
BODY = fhir_response()
SAME = BODY["item"][0]["item"][0]
REFUSED = [
    (BODY | {"status": "in-progress"}, ("business-rule", "QuestionnaireResponse.status")),
    (BODY | {"questionnaire": f"{FHIR}/Questionnaire/phq4"},
     ("not-found", "QuestionnaireResponse.questionnaire")),
    (BODY | {"questionnaire": f"{FHIR}/Questionnaire/phq4|9.9.9"},
     ("not-found", "QuestionnaireResponse.questionnaire")),
    ({k: v for k, v in BODY.items() if k != "subject"},
     ("required", "QuestionnaireResponse.subject")),
    (BODY | {"subject": {"display": "Zed"}}, ("required", "QuestionnaireResponse.subject")),
    (BODY | {"subject": {"reference": "#contained"}},
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
    (BODY | {"implicitRules": "http://x.example"}, ("structure", "QuestionnaireResponse")),
    (BODY | {"made_up": 1}, ("structure", "QuestionnaireResponse")),
    (BODY | {"language": ""}, ("structure", "QuestionnaireResponse.language")),
    (BODY | {"item": {}}, ("structure", "QuestionnaireResponse.item")),
    (BODY | {"item": ["x"]}, ("structure", "QuestionnaireResponse.item[0]")),
    (BODY | {"item": [SAME]}, ("invariant", "QuestionnaireResponse.item[0].linkId")),
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
    (first_item(BODY, answer=[]), ("structure", f"{ITEM}.answer")),
    (first_item(BODY, item=[SAME]), ("structure", f"{ITEM}.item")),
    (first_item(BODY, modifierExtension=[{"url": "x"}]), ("structure", ITEM)),
    (BODY | {"item": [{"linkId": "total.sum", "answer": [{"valueString": "x"}]}]},
     ("structure", "QuestionnaireResponse.item[0]")),
]  # fmt: skip


class TestWhatIsRefused:
    @pytest.mark.parametrize(("body", "finding"), REFUSED)
    def test_is_refused_by_its_place(self, client, body, finding):
        refused = client.post(HERE, json=body)
        assert refused.status_code == 422, refused.text
        assert finding in findings(refused.json())

    def test_every_finding_is_told_at_once(self, client):
        items = [each | {"answer": [{"valueInteger": 9}]} for each in BODY["item"][0]["item"]]
        body = BODY | {"item": [{"linkId": "topic.mood", "item": items}], "status": "stopped"}
        assert len(findings(client.post(HERE, json=body).json())) == 5

    def test_a_misordered_question_is_refused(self, client):
        items = BODY["item"][0]["item"][::-1]
        body = BODY | {"item": [{"linkId": "topic.mood", "item": items}]}
        assert findings(client.post(HERE, json=body).json())[0][0] == "invariant"

    def test_a_clinicians_question_is_disabled_in_the_patients_form(self, client, questionnaires):
        form = questionnaires["nociplastic"]
        values = {"evoked_on_examination": [{"valueCoding": {
            "system": f"{SYSTEM}/nociplastic/evoked_on_examination", "code": NONE}}]}  # fmt: skip
        sent = response(form, values)
        assert client.post(HERE, json=sent).status_code == 201
        sent["questionnaire"] = sent["questionnaire"].replace("|", "-patient|")
        refused = client.post(HERE, json=sent)
        assert findings(refused.json()) == [
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
        sent = response(questionnaires["nociplastic"], values)
        code, where = findings(client.post(HERE, json=sent).json())[0]
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
        for body in bodies:
            refused = client.post(HERE, json=body)
            assert refused.status_code in (400, 422)
            assert refused.json()["resourceType"] == "OperationOutcome"
            assert canary not in refused.text


ODD = [None, 0, "", " ", "x", [], {}, [[]], [{}], {"url": ["x"]}, True, 1.5, "9" * 201, [1, 1]]


def places(value, path=()):
    """The path to everything inside."""
    if isinstance(value, dict | list):
        for step, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, step)
            yield from places(each, (*path, step))


def replaced(body: dict, path: tuple, odd) -> dict:
    whole = deepcopy(body)
    here = whole
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = odd
    return whole


def test_whatever_stands_in_any_place_no_fault_of_ours_comes_of_it(client, questionnaires):
    form = questionnaires["nociplastic"]
    weight = {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 1}
    coding = {"system": f"{SYSTEM}/nociplastic/pain_sites", "code": "neck", "extension": [weight]}
    values = {
        "age_years": [{"valueInteger": 44}],
        "pain_duration_months": [{"valueDecimal": 1.5}],
        "pain_sites": [{"valueCoding": coding}],
        "pain_symmetric": [{"valueBoolean": True}],
    }
    body = response(form, values, author={"reference": "Practitioner/1"}, authored="2026-11-20",
                    encounter={"identifier": {"value": "V"}}, **OWN)  # fmt: skip
    body["item"].append({"linkId": "total.predominance", "answer": [{"valueDecimal": 1}]})
    assert client.post(f"{HERE}/$score", json=body).status_code == 200
    for path in places(body):
        for odd in ODD:
            answer = client.post(f"{HERE}/$score", json=replaced(body, path, odd))
            assert answer.status_code in (200, 422), (path, odd, answer.text)
            if answer.status_code == 422:
                assert answer.json()["resourceType"] == "OperationOutcome"


class TestWhatTheClientComputed:
    def test_is_ignored_compared_and_told(self, kept_client):
        other = {"linkId": "total.sum", "answer": [{"valueDecimal": 11}]}
        body = fhir_response() | {"item": [*fhir_response()["item"], other]}
        made = create(kept_client, body, Prefer="return=OperationOutcome")
        (issue,) = made.json()["issue"]
        assert issue["severity"] == "warning"
        assert issue["expression"] == ["QuestionnaireResponse.item[1].answer[0].value"]
        here = made.headers["location"].split("/")[-3]
        observation = kept_client.get(f"/fhir/Observation/{here}").json()
        assert observation["valueQuantity"]["value"] == 4
        assert any("total 'sum'" in note["text"] for note in observation["note"])

    def test_is_passed_over_where_it_is_the_same(self, client):
        same = {"linkId": "total.sum", "answer": [{"valueDecimal": 4}]}
        body = fhir_response() | {"item": [*fhir_response()["item"], same]}
        told = client.post(f"{HERE}/$score", json=body).json()["parameter"]
        assert [each["name"] for each in told] == ["return"]

    def test_weights_too(self, client, questionnaires):
        weight = {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue",
                  "valueDecimal": 771.25}  # fmt: skip
        coding = {"system": f"{SYSTEM}/nociplastic/pain_extent", "code": "spot",
                  "extension": [weight]}  # fmt: skip
        form = questionnaires["nociplastic"]
        sent = response(form, {"pain_extent": [{"valueCoding": coding}]})
        told = client.post(f"{HERE}/$score", json=sent).json()["parameter"]
        assert [each["name"] for each in told] == ["return", "issues"]
        (issue,) = told[1]["resource"]["issue"]
        assert (issue["severity"], "771.25" in json.dumps(told[0])) == ("warning", False)


class TestOperations:
    def test_score_keeps_nothing_and_takes_parameters_too(self, kept_client):
        wrapped = {"resourceType": "Parameters", "parameter": [
            {"name": "questionnaire-response", "resource": fhir_response()}]}  # fmt: skip
        bare, inside = (kept_client.post(f"{HERE}/$score", json=body).json()
                        for body in (fhir_response(), wrapped))  # fmt: skip
        told = [points(each["parameter"][0]["resource"]) for each in (bare, inside)]
        assert told[0] == told[1]
        assert told[0]["sum"] == 4
        assert kept_client.get("/v1/screenings").json()["screenings"] == []
        for wrong in ({"resourceType": "Parameters"}, {"resourceType": "Patient"}):
            assert kept_client.post(f"{HERE}/$score", json=wrong).status_code == 422

    def test_score_needs_no_patient(self, client):
        body = {k: v for k, v in fhir_response().items() if k != "subject"}
        told = client.post(f"{HERE}/$score", json=body).json()["parameter"][0]["resource"]
        assert "subject" not in told

    def test_extract_keeps_nothing_and_says_how_to_make_each_thing_once(self, kept_client):
        body = fhir_response(**OWN)
        told = kept_client.post(f"{HERE}/$extract", json=body).json()["parameter"][0]["resource"]
        kinds = [each["resource"]["resourceType"] for each in told["entry"]]
        assert kinds == ["QuestionnaireResponse", "Observation", "RiskAssessment"]
        conditions = [each["request"]["ifNoneExist"] for each in told["entry"]]
        assert conditions[0] == "identifier=urn:oid:1.2.3.4|response-1"
        assert kept_client.get("/v1/screenings").json()["screenings"] == []


def test_another_organisations_response_is_not_found_by_any_search(kept_client, other_client):
    made = create(other_client, fhir_response(**OWN)).json()["id"]
    for query in (f"_id={made}", "identifier=urn:oid:1.2.3.4|response-1",
                  "patient:identifier=MRN-0042"):  # fmt: skip
        assert "entry" not in kept_client.get(f"{HERE}?{query}").json()


def test_refusals_leave_their_row_in_the_audit(kept_service, kept_clinic, kept_client):
    kept_client.post(HERE, json={"resourceType": "Patient"})
    assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "wrong_shape")
    writing = calling(kept_service, kept_clinic, ["screenings:write"])
    assert writing.get(HERE).status_code == 403
    assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "missing_scope")
