"""Everything that is sent: valid R4 by others' reckoning, no Condition, no diagnosis, no answer
where none was given; every claim of the CapabilityStatement done."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from copy import deepcopy

import pytest
from support.builders import EXAMPLES, FHIR, fhir_response, request
from support.interop.fhir_validators import faults, needs_node, told
from support.interop.questionnaire_responses import drawn, findings, response
from support.path_resources import UNKNOWN

from api.fhir.questionnaire_catalogue import list_questionnaire_forms
from api.fhir.resources.operation_outcome import convert_problem
from api.problems import PROBLEM_DEFINITIONS, Problem
from scoring.catalogue import load_catalogue

HERE = "/fhir/QuestionnaireResponse"
DIAGNOSES = ("icd", "snomed", "sct", "2.16.840.1.113883.6.90", "2.16.840.1.113883.6.96",
             "condition", "mondo", "orpha", "omim", "icpc", "read-code")  # fmt: skip
RESULTS = ("Observation", "RiskAssessment", "Provenance", "DocumentReference", "Composition")


def examples() -> list[str]:
    """The names of the example intakes that score, are withheld, and are out of scope."""
    return sorted(file.stem for file in EXAMPLES.glob("*.json"))


@pytest.fixture(scope="module")
def caller(service):
    from support import builders
    from support.callers import calling

    return calling(service, builders.clinic(service.state.store, "Outputs"))


@pytest.fixture(scope="module")
def sent(caller) -> list[dict]:
    """A resource of every kind and every sort of case that this server sends."""
    return list(_sent(caller))


def _sent(caller) -> Iterator[dict]:
    open_ones = ["metadata", "Questionnaire", "OperationDefinition/QuestionnaireResponse-score"]
    for path in open_ones:
        yield caller.get(f"/fhir/{path}").json()
    form = caller.get("/fhir/Questionnaire/nociplastic").json()
    bodies = [response(form, drawn(form, seed), authored="2026-11-20") for seed in range(3)]
    own = {"identifier": {"system": "urn:oid:1.2.3.4", "value": "a response, odd|one"}}
    literal = {"subject": {"reference": "https://ehr.example/fhir/Patient/p1", "display": "A B"},
               "encounter": {"reference": "Encounter/e1"}}  # fmt: skip
    bodies.append(fhir_response(**own, **literal, author={"reference": "Practitioner/dr1"}))
    kept = [caller.post(HERE, json=body).json() for body in bodies]
    for name in examples():
        body = request("MRN 7|x", name, system="a system that is no URI", encounter="V 1")
        if "phq4" not in body["rulebook"]:
            kept.append({"id": caller.post("/v1/screenings", json=body).json()["id"]})
    amended = kept[3] | {"status": "amended"}
    caller.put(f"{HERE}/{kept[3]['id']}", json=amended, headers={"If-Match": 'W/"1"'})
    wrong = caller.post("/v1/screenings", json=request("x", "red_flag")).json()["id"]
    caller.post(f"/v1/screenings/{wrong}/entered-in-error", json={"reason": "mixed up"})
    for each in [*(each["id"] for each in kept), wrong]:
        yield from (caller.get(f"/fhir/{kind}/{each}").json()
                    for kind in ("QuestionnaireResponse", *RESULTS))  # fmt: skip
        yield caller.get(f"/fhir/Composition/{each}/$document").json()
        yield caller.post(f"{HERE}/{each}/$score").json()
    last = kept[3]["id"]
    yield caller.post(f"{HERE}/{last}/$extract").json()
    yield caller.get(f"/fhir/Binary/{last}", headers={"Accept": "application/fhir+json"}).json()
    yield caller.post(f"{HERE}/$extract", json=bodies[3]).json()
    claim = {"linkId": "total.sum", "answer": [{"valueDecimal": 1}]}
    yield caller.post(f"{HERE}/$score", json=fhir_response() | {"item": [claim]}).json()
    for kind in ("QuestionnaireResponse", "DocumentReference", "Observation"):
        yield caller.get(f"/fhir/{kind}?_count=3").json()
    yield caller.get("/fhir/AuditEvent?_count=300").json()
    yield caller.post(
        HERE, json=fhir_response(), headers={"Prefer": "return=OperationOutcome"}
    ).json()
    yield caller.post(HERE, json={"resourceType": "Patient"}).json()
    yield caller.get(f"{HERE}?unknown=1").json()
    yield caller.get("/fhir/Nothing").json()


def within(value: object) -> Iterator[dict]:
    """Every object inside."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from within(each)
    elif isinstance(value, list):
        for each in value:
            yield from within(each)


@needs_node
def test_every_resource_is_valid_by_four_validators(sent):
    found = {
        f"{number} {each['resourceType']}": wrong
        for number, (each, wrong) in enumerate(zip(sent, faults(sent), strict=True))
        if wrong
    }
    assert found == {}


@needs_node
def test_the_validators_would_have_found_it(sent):
    first = {each["resourceType"]: each for each in reversed(sent)}
    broken = []
    for kind, change in [
        ("Observation", {"status": "nope"}), ("Observation", {"made_up": 1}),
        ("Observation", {"category": {}}), ("Observation", {"code": None}),
        ("RiskAssessment", {"status": "x"}), ("DocumentReference", {"content": []}),
        ("Provenance", {"agent": []}), ("Questionnaire", {"status": "done"}),
        ("Composition", {"section": [{}]}), ("QuestionnaireResponse", {"authored": "today"}),
        ("QuestionnaireResponse", {"item": [{"linkId": "a", "answer": [{"valueX": 1}]}]}),
        ("Binary", {"contentType": None}), ("OperationOutcome", {"issue": [{"severity": "bad"}]}),
        ("Bundle", {"type": "heap"}), ("CapabilityStatement", {"kind": "x"}),
    ]:  # fmt: skip
        whole = deepcopy(first[kind] if kind in first else _inside(sent, kind)) | change
        broken.append({name: each for name, each in whole.items() if each is not None})
    assert [each["resourceType"] for each, wrong in zip(broken, faults(broken), strict=True)
            if not wrong] == []  # fmt: skip


def _inside(sent: list[dict], kind: str) -> dict:
    return next(
        each for whole in sent for each in within(whole) if each.get("resourceType") == kind
    )


class TestNoDiagnosis:
    def test_no_condition_and_no_code_of_a_disease_in_anything_sent(self, sent):
        kinds = {each["resourceType"] for whole in sent for each in within(whole)
                 if "resourceType" in each}  # fmt: skip
        assert {"Observation", "RiskAssessment", "DocumentReference", "Bundle"} <= kinds
        assert not kinds & {"Condition", "ClinicalImpression", "DiagnosticReport", "Flag"}
        systems = {
            each["system"] for whole in sent for each in within(whole) if "code" in each
            and isinstance(each.get("system"), str)
        }  # fmt: skip
        for system in (each for each in systems if not each.startswith(f"{FHIR}/CodeSystem/")):
            assert not any(word in system.lower() for word in DIAGNOSES), system

    def test_systems_are_those_that_were_thought_of(self, sent):
        systems = {
            each["system"]
            for whole in sent
            for each in within(whole)
            if {"code", "system"} <= set(each) and isinstance(each["system"], str)
        }
        own = {each for each in systems if each.startswith(f"{FHIR}/CodeSystem/")}
        assert systems - own <= {
            "http://loinc.org",
            "http://unitsofmeasure.org",
            "http://dicom.nema.org/resources/ontology/DCM",
            "http://hl7.org/fhir/restful-interaction",
            "http://hl7.org/fhir/questionnaire-item-control",
            "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext",
            "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
            "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
            *(f"http://terminology.hl7.org/CodeSystem/{name}" for name in (
                "audit-event-type", "data-absent-reason", "observation-category",
                "provenance-participant-type", "restful-security-service", "v3-DataOperation",
            )),
        }  # fmt: skip

    def test_no_probability_stands_anywhere(self, sent):
        for whole in sent:
            for each in within(whole):
                assert not {"probabilityDecimal", "probabilityRange", "relativeRisk"} & set(each)


class TestWhatIsWithheld:
    def test_has_no_value_and_says_why(self, caller):
        made = caller.post("/v1/screenings", json=request("w", "red_flag")).json()
        assert made["assessment"]["totals"] is None
        told_ = caller.get(f"/fhir/Observation/{made['id']}").json()
        assert "valueQuantity" not in told_
        assert told_["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
        codes = {each["code"]["coding"][0]["code"]: each for each in told_["component"]}
        book = load_catalogue().find_active("nociplastic").rulebook
        for criterion in book.criterion:
            assert codes[criterion.id]["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
        risk = caller.get(f"/fhir/RiskAssessment/{made['id']}").json()
        assert "prediction" not in risk

    def test_red_flags_come_before_everything(self, caller):
        made = caller.post("/v1/screenings", json=request("w", "red_flag")).json()
        first, second, *_ = caller.get(f"/fhir/Observation/{made['id']}").json()["component"]
        assert first["code"]["coding"][0]["code"] == "safety"
        flags = [f"flag.{each['id']}" for each in made["assessment"]["safety"]["flags"]]
        assert second["code"]["coding"][0]["code"] == flags[0]

    def test_one_component_a_criterion_with_the_points_given(self, caller):
        made = caller.post("/v1/screenings", json=request("w", "widespread_pain")).json()
        told_ = caller.get(f"/fhir/Observation/{made['id']}").json()
        given = [each for each in told_["component"]
                 if each["code"]["coding"][0]["code"]
                 in {c["id"] for c in made["assessment"]["criteria"]}]  # fmt: skip
        assert len(given) == len(made["assessment"]["criteria"])
        for each, criterion in zip(given, made["assessment"]["criteria"], strict=True):
            value = each.get("valueQuantity", {}).get("value")
            assert (value is None) == ("dataAbsentReason" in each) == (criterion["points"] is None)
            assert value == criterion["points"]


def test_provenance_names_the_rulebook_by_hash_and_the_software_by_version(caller):
    made = caller.post("/v1/screenings", json=request("w")).json()
    text = caller.get(f"/fhir/Provenance/{made['id']}").text
    assert made["assessment"]["rulebook_sha256"] in text
    whole = caller.get(f"/v1/screenings/{made['id']}").json()
    assert f"nociscreen {whole['origin']['software_version']}" in text


class TestReports:
    @pytest.fixture
    def made(self, caller):
        return caller.post("/v1/screenings", json=request("w")).json()["id"]

    def test_the_binary_is_the_pdf_or_the_resource_around_it(self, caller, made):
        reference = caller.get(f"/fhir/DocumentReference/{made}").json()
        attachment = reference["content"][0]["attachment"]
        assert attachment["url"] == f"{FHIR}/Binary/{made}"
        here = attachment["url"].removeprefix(FHIR.removesuffix("/fhir"))
        for accept in ("application/pdf", "*/*"):
            answer = caller.get(here, headers={"Accept": accept})
            assert answer.headers["content-type"] == "application/pdf"
            assert answer.content.startswith(b"%PDF")
        whole = caller.get(here, headers={"Accept": "application/fhir+json"})
        assert b64decode(whole.json()["data"]).startswith(b"%PDF")
        digest = b64encode(hashlib.sha256(whole.content).digest()).decode()
        assert whole.headers["repr-digest"] == f"sha-256=:{digest}:"
        assert caller.get(here, headers={"Accept": "text/html"}).status_code == 406

    def test_the_inline_form_says_size_and_hash_of_its_bytes(self, caller, made):
        bundle = caller.post(f"{HERE}/{made}/$extract").json()["parameter"][0]["resource"]
        attachment = bundle["entry"][-1]["resource"]["content"][0]["attachment"]
        pdf = b64decode(attachment["data"])
        assert attachment["size"] == len(pdf)
        digest = hashlib.sha1(pdf, usedforsecurity=False).digest()
        assert b64decode(attachment["hash"]) == digest
        assert "url" not in attachment


@needs_node
def test_an_ehr_that_takes_the_transaction_twice_has_nothing_twice(caller):
    identified = fhir_response(
        identifier={"system": "urn:oid:1.2.3.4", "value": "for the EHR"},
        subject={"reference": "Patient/p1"},
    )
    made = caller.post(HERE, json=identified).json()
    first = caller.post(f"{HERE}/{made['id']}/$extract").json()["parameter"][0]["resource"]
    again = caller.post(f"{HERE}/{made['id']}/$extract").json()["parameter"][0]["resource"]
    caller.put(f"{HERE}/{made['id']}", json=made, headers={"If-Match": 'W/"1"'})
    later = caller.post(f"{HERE}/{made['id']}/$extract").json()["parameter"][0]["resource"]
    *statuses, held = told("ehr.mjs", [first, first, again, later])
    assert statuses[0] == ["201"] * 4
    assert statuses[1] == statuses[2] == ["200"] * 4
    assert statuses[3] == ["201"] * 4
    assert {kind: len(each) for kind, each in held.items()} == {
        "QuestionnaireResponse": 2, "Observation": 2, "RiskAssessment": 2, "DocumentReference": 2,
    }  # fmt: skip
    ids = {f"{kind}/{each['id']}" for kind, several in held.items() for each in several}
    for observation in held["Observation"]:
        assert observation["derivedFrom"][0]["reference"] in ids


class TestCapabilities:
    """Everything that the CapabilityStatement claims is done once."""

    @pytest.fixture
    def claims(self, caller):
        return caller.get("/fhir/metadata").json()

    @pytest.fixture
    def made(self, caller):
        return caller.post(HERE, json=fhir_response()).json()["id"]

    def test_interactions(self, caller, claims, made):
        names = {"Questionnaire": "phq4", "OperationDefinition": "QuestionnaireResponse-score"}
        for each in claims["rest"][0]["resource"]:
            here, kind = f"/fhir/{each['type']}", each["type"]
            one = f"{here}/{names.get(kind, made)}"
            for interaction in (held["code"] for held in each["interaction"]):
                match interaction:
                    case "read":
                        done = caller.get(one)
                    case "vread":
                        version = "1.0.0" if kind == "Questionnaire" else "1"
                        done = caller.get(f"{one}/_history/{version}")
                    case "search-type":
                        done = caller.get(here)
                        assert done.json()["type"] == "searchset"
                    case "create":
                        done = caller.post(here, json=fhir_response())
                    case "update":
                        other = caller.post(here, json=fhir_response()).json()
                        done = caller.put(f"{here}/{other['id']}", json=other,
                                          headers={"If-Match": 'W/"1"'})  # fmt: skip
                    case _:
                        pytest.fail(f"{kind}: {interaction} is claimed and not tried here")
                assert done.status_code in (200, 201), (kind, interaction, done.text)

    def test_search_parameters(self, caller, claims, made):
        values = {"url": f"{FHIR}/Questionnaire/phq4", "version": "1.0.0", "status": "active",
                  "_id": made, "identifier": "a|b", "patient": "p1",
                  "questionnaire": f"{FHIR}/Questionnaire/phq4|1.0.0"}  # fmt: skip
        nowhere = {"url": "http://else.where/q", "version": "9.9.9", "status": "retired",
                   "_id": UNKNOWN["screening"], "identifier": "no|no", "patient": "nobody",
                   "questionnaire": "http://else.where/q|1"}  # fmt: skip
        for each in claims["rest"][0]["resource"]:
            for parameter in each.get("searchParam", ()):
                here = f"/fhir/{each['type']}"
                name = parameter["name"]
                values["_id"] = "phq4" if each["type"] == "Questionnaire" else made
                found = caller.get(here, params={name: values[name]})
                assert found.status_code == 200, (here, name, found.text)
                none = caller.get(here, params={name: nowhere[name]}).json()
                assert (none["type"], "entry" in none) == ("searchset", False), (here, name)
                for one, told_ in ((values, found.json()), (nowhere, none)):
                    by_form = caller.post(f"{here}/_search", data={name: one[name]})
                    assert by_form.json() == told_, (here, name)
                if name in ("_id", "url", "version", "status"):
                    assert found.json()["entry"], (here, name)

    def test_operations(self, caller, claims, made):
        for each in claims["rest"][0]["resource"]:
            for operation in each.get("operation", ()):
                here = f"/fhir/{each['type']}/{made}/${operation['name']}"
                method = "get" if operation["name"] == "document" else "post"
                assert caller.request(method, here).status_code == 200

    def test_our_own_operation_is_defined_where_it_says(self, caller, claims):
        defined = [operation["definition"] for each in claims["rest"][0]["resource"]
                   for operation in each.get("operation", ())]  # fmt: skip
        (own,) = (each for each in defined if each.startswith(FHIR))
        told_ = caller.get(own.removeprefix(FHIR.removesuffix("/fhir"))).json()
        assert (told_["url"], told_["code"]) == (own, "score")
        assert caller.get("/fhir/OperationDefinition/another").status_code == 404

    def test_conditional_create_and_no_update_that_creates(self, claims):
        (responses,) = (each for each in claims["rest"][0]["resource"]
                        if each["type"] == "QuestionnaireResponse")  # fmt: skip
        assert (responses["conditionalCreate"], responses["updateCreate"]) == (True, False)

    def test_formats(self, caller, claims):
        for each in claims["format"]:
            assert caller.get("/fhir/metadata", params={"_format": each}).status_code == 200
        for accept, status in [
            ("application/fhir+json", 200), ("application/json", 200), ("*/*", 200),
            ("application/fhir+json; fhirVersion=4.0", 200), ("application/fhir+xml", 406),
            ("application/fhir+json; fhirVersion=5.0", 406),
            ("application/fhir+xml, application/fhir+json;q=0.5", 200), ("text/html", 406),
        ]:  # fmt: skip
            answer = caller.get("/fhir/metadata", headers={"Accept": accept})
            assert answer.status_code == status, accept
        assert caller.get("/fhir/metadata?_format=xml").status_code == 406

    def test_nothing_is_served_that_is_not_claimed(self, service, claims):
        claimed = {each["type"] for each in claims["rest"][0]["resource"]}
        served = {path.split("/")[2] for path in service.openapi()["paths"]
                  if path.startswith("/fhir/")}  # fmt: skip
        assert served - {"metadata", ".well-known"} == claimed


class TestQuestionnaires:
    def test_each_version_of_each_rulebook_is_there_twice(self, caller, service):
        found = caller.get("/fhir/Questionnaire").json()["entry"]
        told_ = [(each["resource"]["url"], each["resource"]["version"]) for each in found]
        from api.fhir.elements import CanonicalUrls

        expected = list_questionnaire_forms(
            service.state.catalogue, CanonicalUrls(service.state.settings.public_url)
        )
        assert told_ == [(form.url, form.entry.version) for form in expected]
        assert len(set(told_)) == len(told_)

    def test_every_question_is_asked_by_its_own_id_and_in_order(self, caller):
        book = load_catalogue().find_active("nociplastic").rulebook
        form = caller.get("/fhir/Questionnaire/nociplastic").json()
        asked = [item["linkId"] for group in form["item"] if group["type"] == "group"
                 for item in group["item"]]  # fmt: skip
        assert sorted(asked) == sorted(question.id for question in book.question)

    def test_the_patients_has_no_weights_no_totals_and_nothing_for_clinicians(self, caller):
        book = load_catalogue().find_active("nociplastic").rulebook
        form = caller.get("/fhir/Questionnaire/nociplastic-patient").json()
        links = {each["linkId"] for each in within(form) if "linkId" in each}
        assert not any(link.endswith(".weight") or link.startswith("total.") for link in links)
        assert not links & {each.id for each in book.question if each.who == "clinician"}
        assert "ordinalValue" not in json.dumps(form)
        clinicians = caller.get("/fhir/Questionnaire/nociplastic").json()
        assert any(each["linkId"].endswith(".weight") for each in within(clinicians)
                   if "linkId" in each)  # fmt: skip

    def test_who_has_it_is_told_so(self, caller):
        here = "/fhir/Questionnaire/phq4"
        tag = caller.get(here).headers["etag"]
        assert caller.get(here, headers={"If-None-Match": tag}).status_code == 304
        assert caller.get(f"{here}/_history/9.9.9").status_code == 404
        assert caller.get("/fhir/Questionnaire/none").status_code == 404


class TestErrors:
    def test_every_type_of_problem_has_its_kind_of_issue(self):
        outcomes = {
            code: convert_problem(Problem(code).build_body().model_dump())
            for code in PROBLEM_DEFINITIONS
        }
        codes = {code: findings(each)[0][0] for code, each in outcomes.items()}
        assert "processing" not in codes.values()
        assert (codes["unavailable"], codes["stale"]) == ("transient", "conflict")
        for code, each in outcomes.items():
            assert code in each["issue"][0]["diagnostics"]

    @needs_node
    def test_every_type_of_problem_is_told_in_valid_r4(self):
        told_ = [
            convert_problem(Problem(code).build_body().model_dump()) for code in PROBLEM_DEFINITIONS
        ]
        assert [each for each in faults(told_) if each] == []

    def test_are_operation_outcomes_whatever_refuses(self, caller, service):
        from support.callers import bearing

        anonymous = bearing(service)
        large = {"Content-Length": str(10**9), "Content-Type": "application/json"}
        for answer, status, code in [
            (anonymous.get(HERE), 401, "login"),
            (anonymous.get("/fhir"), 404, "not-found"),
            (caller.get("/fhir/Patient/1"), 404, "not-found"),
            (caller.delete(HERE), 405, "not-supported"),
            (caller.post(HERE, content=b"{}", headers=large), 413, "too-long"),
            (caller.post(HERE, content=b"<a/>"), 415, "not-supported"),
            (caller.post(HERE, content=b"{", headers={"Content-Type": "application/json"}),
             400, "invalid"),
            (caller.get("/fhir/metadata", headers={"Host": "a b"}), 400, "invalid"),
        ]:  # fmt: skip
            assert (answer.status_code, findings(answer.json())[0][0]) == (status, code)
            assert answer.headers["content-type"] == "application/fhir+json"

    def test_elsewhere_stay_problems(self, caller):
        for path in ("/fhirx", "/v1/fhir"):
            assert caller.get(path).headers["content-type"] == "application/problem+json"

    def test_one_too_many_is_told_when_to_come_back(self, service):
        from support import builders
        from support.callers import calling

        clinic = builders.clinic(service.state.store, "Hasty")
        hasty = calling(service, clinic)
        from api.store.accounts import clients

        builders.do(service.state.store, clinic, clients.update_client, clinic.client,
                   {"requests_per_minute": 1})  # fmt: skip
        answers = [hasty.get(HERE) for _ in range(30)]
        refused = [each for each in answers if each.status_code == 429]
        assert refused
        assert findings(refused[0].json())[0][0] == "throttled"
        assert int(refused[0].headers["retry-after"]) >= 1
