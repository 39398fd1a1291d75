"""What a client sends as a QuestionnaireResponse is kept, told again, and taken again."""

import json

import pytest
from support.builders import CANONICAL, FHIR, fhir_response, request
from support.callers import calling
from support.interop.questionnaire_responses import build_response, draw_answers, list_findings

HERE = "/fhir/QuestionnaireResponse"
NUMBER = {"system": "urn:oid:1.2.3", "value": "MRN-0042"}
ASSIGNED = ("id", "identifier", "authored")
PHQ4 = f"{FHIR}/Questionnaire/phq4|1.0.0"
SIGNATURE = {
    "url": "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-signature",
    "valueSignature": {"when": "2026-11-20T10:00:00Z", "who": {"reference": "Patient/1"},
                       "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "x"}]},
}  # fmt: skip
RICH = {
    "basedOn": [{"reference": "ServiceRequest/SR-9"}],
    "partOf": [{"reference": "Procedure/p1"}],
    "encounter": {"reference": "Encounter/e1", "display": "visit"},
    "language": "de",
    "meta": {"tag": [{"system": "urn:example:tag", "code": "study-7"}],
             "profile": ["http://example.org/StructureDefinition/response"]},
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
    "author": {"reference": "Practitioner/dr1", "display": "Dr One"},
    "source": {"identifier": NUMBER},
    "extension": [SIGNATURE],
    "contained": [{"resourceType": "Device", "id": "tablet"}],
    "item": [{"linkId": "topic.mood", "text": "Stimmung", "id": "g", "item": [
        {"linkId": "phq4_down", "text": "Frage zwei", "answer": [{"valueInteger": 1}]},
        {"linkId": "phq4_nervous", "answer": [{"valueInteger": 2, "id": "a"}]}]}],
}  # fmt: skip


@pytest.fixture(scope="module")
def caller(service):
    from support import builders

    return calling(service, builders.clinic(service.services.store, "Faithful"))


def create(caller, body: dict) -> dict:
    answer = caller.post(HERE, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def without_version(resource: dict) -> dict:
    """Return the resource without what the service assigns."""
    meta = {name: value for name, value in resource.get("meta", {}).items()
            if name not in ("versionId", "lastUpdated")}  # fmt: skip
    return {name: value for name, value in resource.items() if name not in ("id", "meta")} | (
        {"meta": meta} if meta else {}
    )


@pytest.mark.parametrize("element", sorted(RICH))
def test_each_element_is_told_again_as_it_was_sent(caller, element):
    body = fhir_response() | {element: RICH[element]}
    read = without_version(caller.get(f"{HERE}/{create(caller, body)['id']}").json())
    assert {name: read[name] for name in body} == body
    assert set(read) - set(body) <= set(ASSIGNED)


def test_order_encounter_author_and_patient_reach_every_result(caller):
    body = fhir_response() | RICH
    name = create(caller, body)["id"]
    kinds = ("Observation", "RiskAssessment", "DiagnosticReport", "DocumentReference",
             "Composition", "Provenance")  # fmt: skip
    read = {kind: caller.get(f"/fhir/{kind}/{name}").json() for kind in kinds}
    order, encounter, author = RICH["basedOn"][0], RICH["encounter"], RICH["author"]
    assert read["Observation"]["basedOn"] == [order]
    assert read["Observation"]["partOf"] == RICH["partOf"]
    assert read["Observation"]["performer"] == [author]
    assert read["RiskAssessment"]["basedOn"] == order
    assert read["DiagnosticReport"]["basedOn"] == [order]
    assert read["DiagnosticReport"]["performer"] == [author]
    assert order in read["DocumentReference"]["context"]["related"]
    assert read["DocumentReference"]["context"]["encounter"] == [encounter]
    for kind in ("Observation", "RiskAssessment", "DiagnosticReport", "Composition"):
        assert read[kind]["encounter"] == encounter, kind
    for kind in ("DocumentReference", "Composition"):
        assert author in read[kind]["author"], kind
    assert author in [agent["who"] for agent in read["Provenance"]["agent"]]
    for kind in ("Observation", "RiskAssessment", "DocumentReference", "Composition"):
        assert read[kind]["subject"]["identifier"] == NUMBER, kind


def test_the_visit_of_an_intake_reaches_its_results(caller):
    intake = request("MRN-9", "red_flag", encounter="V-1")
    name = caller.post("/v1/screenings", json=intake).json()["id"]
    visit = {"type": "Encounter", "identifier": {"value": "V-1"}}
    assert caller.get(f"/fhir/Observation/{name}").json()["encounter"] == visit
    context = caller.get(f"/fhir/DocumentReference/{name}").json()["context"]
    assert context["encounter"] == [visit]


def every_way_in(caller):
    """Yield the id of a screening of each way in and each way to name its people."""
    people = [
        {}, RICH, {"author": {"type": "Practitioner", "display": "Dr One"}},
        {"author": {"reference": "PractitionerRole/1"}},
        {"author": {"identifier": NUMBER, "type": "RelatedPerson"}},
        {"source": {"type": "Practitioner", "display": "Practitioner"}},
        {"encounter": {"display": "visit"}, "source": {"reference": "Patient/1"}},
        {"subject": {"reference": "https://ehr.example/fhir/Patient/7", "display": "A B"}},
        {"subject": {"reference": "#p"}, "contained": [{
            "resourceType": "Patient", "id": "p", "identifier": [NUMBER],
            "name": [{"family": "Test", "given": ["Pat"]}]}]},
    ]  # fmt: skip
    for more in people:
        yield create(caller, fhir_response() | more)["id"]
    form = caller.get("/fhir/Questionnaire/nociplastic").json()
    yield create(caller, build_response(form, draw_answers(form, 3), authored="2026-11"))["id"]
    for respondent in ("patient", "proxy", "staff", "clinician"):
        intake = request("Patient/eAbc", "red_flag", system="no URI", name="A, B", encounter="V 1")
        intake |= {"answered_by": respondent, "note": "kept"}
        yield caller.post("/v1/screenings", json=intake).json()["id"]


def test_what_is_told_is_taken_again(caller):
    names = list(every_way_in(caller))
    assert len(names) == 14
    for name in names:
        here = f"{HERE}/{name}"
        first = caller.get(here).json()
        assert caller.post(f"{HERE}/$score", json=first).status_code == 200, first
        match = {"If-Match": 'W/"1"'}
        same = caller.put(here, json=first, headers=match)
        assert (same.status_code, same.json()) == (200, first), same.text
        amended = caller.put(here, json=first | {"status": "amended"}, headers=match)
        assert amended.status_code == 200, (first, amended.text)
        second = without_version(caller.get(here).json())
        assert second == without_version(first | {"status": "amended"})
        original = caller.get(f"/v1/screenings/{name}").json()
        correction = caller.get(f"/v1/screenings/{original['replaced_by']}").json()
        assert correction["patient"] == original["patient"]


def test_a_correction_keeps_the_note_that_fhir_cannot_say(caller):
    intake = request("MRN-10", "red_flag") | {"note": "seen with an interpreter"}
    name = caller.post("/v1/screenings", json=intake).json()["id"]
    body = caller.get(f"{HERE}/{name}").json() | {"status": "amended"}
    caller.put(f"{HERE}/{name}", json=body, headers={"If-Match": 'W/"1"'})
    amended = caller.get(f"/v1/screenings/{name}").json()["replaced_by"]
    context = caller.get(f"/v1/screenings/{amended}").json()["context"]
    assert context["note"] == "seen with an interpreter"


def test_entered_in_error_withdraws(caller):
    first = create(caller, fhir_response())
    here, wrong = f"{HERE}/{first['id']}", first | {"status": "entered-in-error"}
    assert caller.put(here, json=wrong).status_code == 400
    answer = caller.put(here, json=wrong, headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.json()["status"]) == (200, "entered-in-error")
    assert answer.headers["etag"] == 'W/"2"'
    screening = caller.get(f"/v1/screenings/{first['id']}").json()
    assert screening["state"] == "entered_in_error"
    again = caller.put(here, json=wrong, headers={"If-Match": 'W/"2"'})
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"')
    revived = caller.put(here, json=first, headers={"If-Match": 'W/"2"'})
    assert revived.status_code == 409
    assert (
        caller.post(HERE, json=fhir_response() | {"status": "entered-in-error"}).status_code == 422
    )


def test_no_odd_element_causes_a_server_error(caller):
    for element in RICH:
        for odd in ({"x": 1}, ["x"], [{}], [[]], "x", 1, [{"security": 1}], {"security": "x"}):
            body = fhir_response() | RICH | {element: odd}
            answer = caller.post(f"{HERE}/$extract", json=body)
            assert answer.status_code in (200, 422), (element, odd, answer.text)


class TestVersions:
    def test_a_merge_makes_a_version_and_leaves_the_history(self, caller):
        contained = [{"resourceType": "Patient", "id": "p", "identifier": [
            {"system": "urn:oid:1.2.3", "value": "ETG-1"}]}]  # fmt: skip
        body = fhir_response() | {"subject": {"reference": "#p"}, "contained": contained}
        name = create(caller, body)["id"]
        kinds = ("QuestionnaireResponse", "Observation", "RiskAssessment", "DocumentReference",
                 "Composition")  # fmt: skip
        before = {kind: caller.get(f"/fhir/{kind}/{name}") for kind in kinds}
        merge = {"retired": {"reference": "ETG-1", "system": "urn:oid:1.2.3"},
                 "survivor": {"reference": "ETG-2", "system": "urn:oid:1.2.3"}}  # fmt: skip
        assert caller.post("/v1/patients/merge", json=merge).status_code == 200
        for kind, earlier in before.items():
            match = {"If-None-Match": earlier.headers["etag"]}
            later = caller.get(f"/fhir/{kind}/{name}", headers=match)
            assert (later.status_code, later.headers["etag"]) == (200, 'W/"2"'), kind
            assert later.json()["meta"]["lastUpdated"] > earlier.json()["meta"]["lastUpdated"]
            assert later.json()["subject"]["identifier"]["value"] == "ETG-2"
            assert "ETG-1" not in later.text, kind
        first = caller.get(f"{HERE}/{name}/_history/1")
        assert first.json() == before["QuestionnaireResponse"].json()
        current = caller.get(f"{HERE}/{name}").json() | {"status": "amended"}
        answer = caller.put(f"{HERE}/{name}", json=current, headers={"If-Match": 'W/"2"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"3"')
        numbers = [caller.get(f"{HERE}/{name}/_history/{n}").json() for n in (1, 2, 3)]
        assert numbers[0] == first.json()
        assert [it["meta"]["versionId"] for it in numbers] == ["1", "2", "3"]
        history = caller.get(f"{HERE}/{name}/_history").json()
        assert (history["type"], history["total"]) == ("history", 3)
        assert [entry["resource"] for entry in history["entry"]] == numbers[::-1]
        requests = [entry["request"]["method"] for entry in history["entry"]]
        assert requests == ["PUT", "PUT", "POST"]


GROUP = fhir_response()["item"][0]
NERVOUS, DOWN = GROUP["item"][:2]
SPELLINGS = {
    "url without version": {"questionnaire": f"{FHIR}/Questionnaire/phq4"},
    "url with a slash": {"questionnaire": f"{FHIR}/Questionnaire/phq4/"},
    "relative url": {"questionnaire": "Questionnaire/phq4|1.0.0"},
    "path": {"questionnaire": "/fhir/Questionnaire/phq4"},
    "another order": {"item": [GROUP | {"item": GROUP["item"][::-1]}]},
    "no groups": {"item": GROUP["item"]},
    "a question in a question": {"item": [NERVOUS | {"item": GROUP["item"][1:]}]},
    "a question in an answer": {"item": [NERVOUS | {"answer": [
        NERVOUS["answer"][0] | {"item": GROUP["item"][1:]}]}]},
    "empty items": {"item": [GROUP | {"item": [it | {"item": []} for it in GROUP["item"]]}]},
    "empty elements": {"language": "", "text": None, "basedOn": [], "partOf": [{}]},
    "a help item": {"item": [GROUP, {"linkId": "phq4_down.help", "text": "x"}]},
    "numbers with decimals": {"item": [GROUP | {"item": [
        it | {"answer": [{"valueDecimal": it["answer"][0]["valueInteger"]}]}
        for it in GROUP["item"]]}]},
    "contained patient": {"subject": {"reference": "#p"}, "contained": [
        {"resourceType": "Patient", "id": "p", "identifier": [NUMBER]}]},
    "subject by reference": {"subject": {"reference": "Patient/123", "display": "Pat Test"}},
    "amended": {"status": "amended"},
}  # fmt: skip


class TestSpellings:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_that_mean_the_same_are_scored_the_same(self, caller, spelling):
        body = fhir_response() | SPELLINGS[spelling]
        answer = caller.post(f"{HERE}/$score", json=body)
        assert answer.status_code == 200, answer.text
        observation = answer.json()["parameter"][0]["resource"]
        assert observation["valueQuantity"]["value"] == 4

    def test_the_answer_names_the_version_that_was_used(self, caller):
        body = fhir_response() | {"questionnaire": f"{FHIR}/Questionnaire/phq4"}
        assert create(caller, body)["questionnaire"] == f"{CANONICAL}/Questionnaire/phq4|1.0.0"

    def test_an_empty_element_is_named_and_not_kept(self, caller):
        body = fhir_response() | {"language": "", "item": [GROUP | {"item": [DOWN | {"item": []}]}]}
        answer = caller.post(HERE, json=body, headers={"Prefer": "return=OperationOutcome"})
        assert sorted(list_findings(answer.json())) == [
            ("structure", "QuestionnaireResponse.item[0].item[0].item"),
            ("structure", "QuestionnaireResponse.language"),
        ]
        assert {issue["severity"] for issue in answer.json()["issue"]} == {"warning"}

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            ({"valueCoding": {"code": "spot"}}, "spot"),
            ({"valueCoding": {"display": "  {label} "}}, "spot"),
            ({"valueString": "{label}"}, "spot"),
            ({"valueCoding": {"code": "spot", "display": "in other words"}}, "spot"),
            ({"valueCoding": {"system": "http://else.where", "code": "spot"}}, None),
            ({"valueCoding": {"display": "nothing like it"}}, None),
            ({"valueCoding": {"code": "spot"}, "valueString": "{label}"}, None),
            ({"valueString": "nothing like it"}, None),
        ],
    )
    def test_of_an_option_are_taken_where_only_one_is_meant(self, caller, value, code):
        form = caller.get("/fhir/Questionnaire/nociplastic").json()
        questions = {it["linkId"]: it for group in form["item"] for it in group.get("item", ())}
        labels = {it["valueCoding"]["code"]: it["valueCoding"]["display"]
                  for it in questions["pain_extent"]["answerOption"]}  # fmt: skip
        answer_sent = json.loads(json.dumps(value).replace("{label}", labels["spot"].upper()))
        body = build_response(form, {"pain_extent": [answer_sent]})
        answer = caller.post(HERE, json=body)
        if code is None:
            assert answer.status_code == 422
            return
        screening = caller.get(f"/v1/screenings/{answer.json()['id']}").json()
        assert screening["answers"]["pain_extent"] == code
        assert answer.json()["item"] == body["item"]
