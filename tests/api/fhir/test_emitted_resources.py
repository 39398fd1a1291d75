"""All emitted resources: valid R4 by external validators, no diagnosis, declared capabilities."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from copy import deepcopy
from importlib.metadata import version

import pytest
from support.builders import CANONICAL, FHIR, fhir_response, request
from support.contract_document import read_contract
from support.interop.fhir_validators import needs_node, run_node_script, validate_resources
from support.interop.questionnaire_responses import build_response, draw_answers, list_findings
from support.path_resources import UNKNOWN

from api.contract.operation_examples import load_example_intakes
from api.fhir.questionnaire_catalogue import list_questionnaire_forms
from api.fhir.resources.operation_outcome import convert_problem
from api.fhir.search_parameters import PARAMETERS
from api.problem_definitions import PROBLEM_DEFINITIONS
from api.problems import Problem
from schemas.canonical import CANONICAL_BASE
from scoring.catalogue import load_catalogue
from scoring.translations import translate_rulebook

HERE = "/fhir/QuestionnaireResponse"
DIAGNOSES = ("icd", "snomed", "sct", "2.16.840.1.113883.6.90", "2.16.840.1.113883.6.96",
             "condition", "mondo", "orpha", "omim", "icpc", "read-code")  # fmt: skip
RESULTS = ("Observation", "RiskAssessment", "DiagnosticReport", "Provenance", "DocumentReference",
           "Composition")  # fmt: skip
DEVICE = f"nociscreen-{version('nociscreen')}"


def examples() -> list[str]:
    """The names of the example intakes that score, are withheld, and are out of scope."""
    return sorted(load_example_intakes())


@pytest.fixture(scope="module")
def caller(service):
    from support import builders
    from support.callers import calling

    return calling(service, builders.clinic(service.services.store, "Outputs"))


BULK_EXPORT = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"
CERTAIN = ("_id", "url", "version", "status", "code", "base")
"""Parameters of definitions, and the id, which find something in these tests for certain."""


@pytest.fixture(scope="module")
def resources(caller) -> list[dict]:
    """Resources of every type and every kind of screening that the server sends."""
    collected_resources = list(_collect_resources(caller))
    assert len(collected_resources) > 70
    return collected_resources


def _collect_resources(caller) -> Iterator[dict]:
    open_ones = [
        "metadata", "Questionnaire", "OperationDefinition", "CodeSystem",
        "ConceptMap", "ValueSet", f"Device/{DEVICE}",
    ]  # fmt: skip
    for path in open_ones:
        yield caller.get(f"/fhir/{path}").json()
    form = caller.get("/fhir/Questionnaire/nociplastic").json()
    bodies = [
        build_response(form, draw_answers(form, seed), authored="2026-11-20") for seed in range(3)
    ]
    own = {"identifier": {"system": "urn:oid:1.2.3.4", "value": "a response, odd|one"}}
    literal = {"subject": {"reference": "https://ehr.example/fhir/Patient/p1", "display": "A B"},
               "encounter": {"reference": "Encounter/e1"},
               "basedOn": [{"reference": "ServiceRequest/SR-9"}],
               "partOf": [{"reference": "Procedure/p1"}]}  # fmt: skip
    bodies.append(fhir_response(**own, **literal, author={"reference": "Practitioner/dr1"}))
    responses = [caller.post(HERE, json=body).json() for body in bodies]
    for name in examples():
        body = request("MRN 7|x", name, system="a system that is not a URI", encounter="V 1")
        if "phq4" not in body["rulebook"]:
            responses.append({"id": caller.post("/v1/screenings", json=body).json()["id"]})
    yield caller.get("/fhir/Patient?identifier=MRN-0042").json()
    yield caller.get(f"/fhir/Patient/{responses[3]['id']}").json()
    yield caller.post(HERE, json=bodies[0] | {"status": "in-progress"}).json()
    amended = responses[3] | {"status": "amended"}
    caller.put(f"{HERE}/{responses[3]['id']}", json=amended, headers={"If-Match": 'W/"1"'})
    wrong = caller.post("/v1/screenings", json=request("x", "red_flag")).json()["id"]
    caller.post(f"/v1/screenings/{wrong}/entered-in-error", json={"reason": "mixed up"})
    for logical_id in [*(created["id"] for created in responses), wrong]:
        yield from (caller.get(f"/fhir/{kind}/{logical_id}").json()
                    for kind in ("QuestionnaireResponse", *RESULTS))  # fmt: skip
        yield caller.get(f"/fhir/Composition/{logical_id}/$document").json()
        yield caller.post(f"{HERE}/{logical_id}/$score").json()
    last = responses[3]["id"]
    yield caller.post(f"{HERE}/{last}/$extract").json()
    yield caller.get(f"{HERE}/{last}/_history").json()
    yield caller.get(f"/fhir/Binary/{last}", headers={"Accept": "application/fhir+json"}).json()
    yield caller.post(f"{HERE}/$extract", json=bodies[3]).json()
    claim = {"linkId": "total.sum", "answer": [{"valueDecimal": 1}]}
    yield caller.post(f"{HERE}/$score", json=fhir_response() | {"item": [claim]}).json()
    for kind in ("QuestionnaireResponse", "DocumentReference", "Observation"):
        yield caller.get(f"/fhir/{kind}?_count=3").json()
        yield caller.get(f"/fhir/{kind}?_summary=true&_total=accurate").json()
        yield caller.get(f"/fhir/{kind}?_elements=subject").json()
    yield caller.get(f"{HERE}?_revinclude=Observation:derived-from&_count=3").json()
    yield caller.get("/fhir/AuditEvent?_count=300").json()
    yield caller.post(
        HERE, json=fhir_response(), headers={"Prefer": "return=OperationOutcome"}
    ).json()
    yield caller.post(HERE, json={"resourceType": "Patient"}).json()
    yield caller.get(f"{HERE}?unknown=1").json()
    yield caller.get("/fhir/Nothing").json()


def within(value: object) -> Iterator[dict]:
    """Yield every JSON object within the value."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from within(member)
    elif isinstance(value, list):
        for member in value:
            yield from within(member)


@needs_node
def test_every_resource_is_valid_by_four_validators(resources):
    faulty_resources = {
        f"{number} {resource['resourceType']}": wrong
        for number, (resource, wrong) in enumerate(
            zip(resources, validate_resources(resources), strict=True)
        )
        if wrong
    }
    assert faulty_resources == {}


@needs_node
def test_the_validators_find_broken_resources(resources):
    first = {resource["resourceType"]: resource for resource in reversed(resources)}
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
        broken_resource = (
            deepcopy(first[kind] if kind in first else _inside(resources, kind)) | change
        )
        broken.append({name: value for name, value in broken_resource.items() if value is not None})
    verdicts = zip(broken, validate_resources(broken), strict=True)
    assert [resource["resourceType"] for resource, faults in verdicts if not faults] == []


def _inside(resources: list[dict], kind: str) -> dict:
    return next(
        element
        for resource in resources
        for element in within(resource)
        if element.get("resourceType") == kind
    )


class TestNoDiagnosis:
    def test_no_resource_is_a_condition_or_has_a_code_of_a_disease(self, resources):
        kinds = {element["resourceType"] for resource in resources for element in within(resource)
                 if "resourceType" in element}  # fmt: skip
        assert {"Observation", "RiskAssessment", "DocumentReference", "Bundle"} <= kinds
        assert not kinds & {"Condition", "ClinicalImpression", "Flag"}
        assert [it for it in within(resources) if "conclusionCode" in it] == []
        systems = {
            element["system"] for resource in resources for element in within(resource)
            if "code" in element and isinstance(element.get("system"), str)
        }  # fmt: skip
        for system in (
            candidate
            for candidate in systems
            if not candidate.startswith(f"{CANONICAL}/CodeSystem/")
        ):
            assert not any(word in system.lower() for word in DIAGNOSES), system

    def test_the_code_systems_are_the_known_ones(self, resources):
        systems = {
            element["system"]
            for resource in resources
            for element in within(resource)
            if {"code", "system"} <= set(element) and isinstance(element["system"], str)
        }
        own = {system for system in systems if system.startswith(f"{CANONICAL}/CodeSystem/")}
        assert systems - own <= {
            "http://loinc.org",
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "http://unitsofmeasure.org",
            "http://dicom.nema.org/resources/ontology/DCM",
            "http://hl7.org/fhir/restful-interaction",
            "http://hl7.org/fhir/questionnaire-item-control",
            "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext",
            "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
            "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
            *(f"http://terminology.hl7.org/CodeSystem/{name}" for name in (
                "audit-event-type", "data-absent-reason", "observation-category",
                "provenance-participant-type", "restful-security-service", "v2-0074",
                "v3-Confidentiality", "v3-DataOperation",
            )),
        }  # fmt: skip

    def test_every_own_code_is_in_the_system_at_its_url(self, caller, resources):
        codings = {
            (element["system"], element["code"])
            for resource in resources
            for element in within(resource)
            if {"code", "system"} <= set(element) and str(element["system"]).startswith(CANONICAL)
        }
        assert len(codings) > 100
        codes = {}
        for system in {system for system, _ in codings}:
            code_system = caller.get(system.removeprefix(CANONICAL_BASE)).json()
            assert code_system["url"] == system
            codes[system] = {concept["code"] for concept in code_system["concept"]}
            value_set = caller.get(code_system["valueSet"].removeprefix(CANONICAL_BASE)).json()
            assert value_set["url"] == code_system["valueSet"]
            (included,) = value_set["compose"]["include"]
            assert included == {"system": system, "concept": code_system["concept"]}
        assert [coding for coding in codings if coding[1] not in codes[coding[0]]] == []

    def test_no_probability_stands_anywhere(self, resources):
        names = {name for resource in resources for element in within(resource) for name in element}
        assert {"prediction", "qualitativeRisk"} <= names
        assert names & {"probabilityDecimal", "probabilityRange", "relativeRisk"} == set()


class TestWhatIsWithheld:
    def test_has_no_value_and_says_why(self, caller):
        screening = caller.post("/v1/screenings", json=request("w", "red_flag")).json()
        assert screening["assessment"]["totals"] is None
        observation = caller.get(f"/fhir/Observation/{screening['id']}").json()
        assert "valueQuantity" not in observation
        assert observation["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
        codes = {
            component["code"]["coding"][0]["code"]: component
            for component in observation["component"]
        }
        book = load_catalogue().find_active("nociplastic").rulebook
        for criterion in book.criterion:
            assert codes[criterion.id]["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
        risk = caller.get(f"/fhir/RiskAssessment/{screening['id']}").json()
        assert "prediction" not in risk

    def test_red_flags_come_before_everything(self, caller):
        screening = caller.post("/v1/screenings", json=request("w", "red_flag")).json()
        first, second, *_ = caller.get(f"/fhir/Observation/{screening['id']}").json()["component"]
        assert first["code"]["coding"][0]["code"] == "safety"
        flags = [f"flag.{flag['id']}" for flag in screening["assessment"]["safety"]["flags"]]
        assert second["code"]["coding"][0]["code"] == flags[0]

    def test_one_component_a_criterion_with_the_points_given(self, caller):
        screening = caller.post("/v1/screenings", json=request("w", "widespread_pain")).json()
        observation = caller.get(f"/fhir/Observation/{screening['id']}").json()
        criterion_ids = {criterion["id"] for criterion in screening["assessment"]["criteria"]}
        components = [component for component in observation["component"]
                      if component["code"]["coding"][0]["code"] in criterion_ids]  # fmt: skip
        assert len(components) == len(screening["assessment"]["criteria"])
        for component, criterion in zip(
            components, screening["assessment"]["criteria"], strict=True
        ):
            value = component.get("valueQuantity", {}).get("value")
            assert (
                (value is None)
                == ("dataAbsentReason" in component)
                == (criterion["points"] is None)
            )
            assert value == criterion["points"]


def test_provenance_names_the_rulebook_by_hash_and_the_software_by_version(caller):
    screening = caller.post("/v1/screenings", json=request("w")).json()
    text = caller.get(f"/fhir/Provenance/{screening['id']}").text
    assert screening["assessment"]["rulebook_sha256"] in text
    stored_screening = caller.get(f"/v1/screenings/{screening['id']}").json()
    assert f"nociscreen {stored_screening['origin']['software_version']}" in text


class TestReports:
    @pytest.fixture
    def screening_id(self, caller):
        return caller.post("/v1/screenings", json=request("w")).json()["id"]

    def test_the_binary_is_the_pdf_or_the_resource_around_it(self, caller, screening_id):
        reference = caller.get(f"/fhir/DocumentReference/{screening_id}").json()
        attachment = reference["content"][0]["attachment"]
        assert attachment["url"] == f"{FHIR}/Binary/{screening_id}"
        here = attachment["url"].removeprefix(FHIR.removesuffix("/fhir"))
        for accept in ("application/pdf", "*/*"):
            answer = caller.get(here, headers={"Accept": accept})
            assert answer.headers["content-type"] == "application/pdf"
            assert answer.content.startswith(b"%PDF")
        binary = caller.get(here, headers={"Accept": "application/fhir+json"})
        assert b64decode(binary.json()["data"]).startswith(b"%PDF")
        digest = b64encode(hashlib.sha256(binary.content).digest()).decode()
        assert binary.headers["repr-digest"] == f"sha-256=:{digest}:"
        assert caller.get(here, headers={"Accept": "text/html"}).status_code == 406

    def test_the_inline_form_says_size_and_hash_of_its_bytes(self, caller, screening_id):
        bundle = caller.post(f"{HERE}/{screening_id}/$extract").json()["parameter"][0]["resource"]
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
    created = caller.post(HERE, json=identified).json()
    first = caller.post(f"{HERE}/{created['id']}/$extract").json()["parameter"][0]["resource"]
    again = caller.post(f"{HERE}/{created['id']}/$extract").json()["parameter"][0]["resource"]
    amended = created | {"status": "amended"}
    caller.put(f"{HERE}/{created['id']}", json=amended, headers={"If-Match": 'W/"1"'})
    later = caller.post(f"{HERE}/{created['id']}/$extract").json()["parameter"][0]["resource"]
    *statuses, stored_resources = run_node_script("ehr.mjs", [first, first, again, later])
    assert statuses[0] == ["201"] * 4
    assert statuses[1] == statuses[2] == ["200"] * 4
    assert statuses[3] == ["201"] * 4
    assert {kind: len(resources) for kind, resources in stored_resources.items()} == {
        "QuestionnaireResponse": 2, "Observation": 2, "RiskAssessment": 2, "DocumentReference": 2,
    }  # fmt: skip
    ids = {
        f"{kind}/{resource['id']}"
        for kind, several in stored_resources.items()
        for resource in several
    }
    for observation in stored_resources["Observation"]:
        assert observation["derivedFrom"][0]["reference"] in ids


def list_capabilities(statement: dict, part: str, key: str) -> list[tuple[str, str]]:
    """Return the type and the name of everything that this part of the statement declares."""
    return [
        (capability["type"], declared[key])
        for capability in statement["rest"][0]["resource"]
        if capability["type"] != "Subscription"  # which has tests of its own
        for declared in capability.get(part, ())
    ]


def interact(  # noqa: PLR0911 - one for each interaction
    caller, kind: str, interaction: str, screening_id: str
):
    """Use the interaction once and return the response."""
    names = {"Questionnaire": "phq4", "OperationDefinition": "QuestionnaireResponse-score",
             "CodeSystem": "phq4-band", "ValueSet": "phq4-band",
             "ConceptMap": "phq4-loinc", "Device": DEVICE}  # fmt: skip
    one = f"/fhir/{kind}/{names.get(kind, screening_id)}"
    if kind == "Patient":
        one = f"/fhir/Patient/{find_patient_id(caller)}"
    match interaction:
        case "read" | "history-instance":
            return caller.get(one if interaction == "read" else f"{one}/_history")
        case "vread":
            return caller.get(f"{one}/_history/{'1.0.0' if kind == 'Questionnaire' else '1'}")
        case "search-type":
            query = "?identifier=a|b" if kind == "Patient" else ""
            return caller.get(f"/fhir/{kind}{query}")
        case "create":
            return caller.post(f"/fhir/{kind}", json=fhir_response())
        case "patch":
            created = caller.post(f"/fhir/{kind}", json=fhir_response()).json()
            headers = {"If-Match": 'W/"1"', "Content-Type": "application/json-patch+json"}
            content = '[{"op": "add", "path": "/language", "value": "de"}]'
            return caller.patch(f"/fhir/{kind}/{created['id']}", content=content, headers=headers)
        case "update":
            created = caller.post(f"/fhir/{kind}", json=fhir_response()).json()
            where = f"/fhir/{kind}/{created['id']}"
            return caller.put(where, json=created, headers={"If-Match": 'W/"1"'})
    return pytest.fail(f"{kind}: {interaction} is declared and not tested here")


def find_patient_id(caller) -> str:
    bundle = caller.get("/fhir/Patient?identifier=MRN-0042").json()
    return str(bundle["entry"][0]["resource"]["id"])


def search_by_query(caller, searches: dict[tuple[str, str], str]) -> dict:
    answers = {
        (kind, name): caller.get(f"/fhir/{kind}", params={name: value})
        for (kind, name), value in searches.items()
    }
    assert {answer.status_code for answer in answers.values()} == {200}
    return {place: answer.json() for place, answer in answers.items()}


def search_by_form(caller, searches: dict[tuple[str, str], str]) -> dict:
    return {
        (kind, name): caller.post(f"/fhir/{kind}/_search", data={name: value}).json()
        for (kind, name), value in searches.items()
    }


def search_operations(caller, **parameters: str) -> list[str]:
    entries = caller.get("/fhir/OperationDefinition", params=parameters).json()["entry"]
    return sorted(entry["resource"]["id"] for entry in entries)


class TestCapabilities:
    """Each capability that the CapabilityStatement declares is used once."""

    @pytest.fixture
    def claims(self, caller):
        statement = caller.get("/fhir/metadata").json()
        assert len(statement["rest"][0]["resource"]) == 17
        return statement

    @pytest.fixture
    def screening_id(self, caller):
        return caller.post(HERE, json=fhir_response()).json()["id"]

    def test_interactions(self, caller, claims, screening_id):
        declared = list_capabilities(claims, "interaction", "code")
        answers = {
            (kind, interaction): interact(caller, kind, interaction, screening_id)
            for kind, interaction in declared
        }
        assert len(answers) == 34
        assert {declared: answer.status_code for declared, answer in answers.items()} == {
            (kind, interaction): 201 if interaction == "create" else 200
            for kind, interaction in declared
        }
        searches = [answer for (_, name), answer in answers.items() if name == "search-type"]
        assert [answer.json()["type"] for answer in searches] == ["searchset"] * 13

    def test_search_parameters(self, caller, claims, screening_id):
        values = {"url": f"{FHIR}/Questionnaire/phq4", "version": "1.0.0", "status": "active",
                  "_id": screening_id, "identifier": "a|b", "patient": "p1", "subject": "p1",
                  "questionnaire": f"{FHIR}/Questionnaire/phq4|1.0.0", "code": "score",
                  "base": BULK_EXPORT}  # fmt: skip
        nowhere = {"url": "http://else.where/q", "version": "9.9.9", "status": "retired",
                   "_id": UNKNOWN["screening"], "identifier": "no|no", "patient": "unknown",
                   "subject": "unknown", "questionnaire": "http://else.where/q|1",
                   "code": "unknown", "base": "http://else.where/q"}  # fmt: skip
        declared = [
            (kind, name)
            for kind, name in list_capabilities(claims, "searchParam", "name")
            if name not in PARAMETERS.get(kind, ())  # which have a test of their own
        ]
        assert len(declared) == 35
        some = {(kind, name): values[name] for kind, name in declared}
        some["Questionnaire", "_id"] = "phq4"
        for kind in ("CodeSystem", "ValueSet"):
            some[kind, "_id"], some[kind, "url"] = "phq4-band", f"{FHIR}/{kind}/phq4/band"
        some["ConceptMap", "_id"] = "phq4-loinc"
        some["ConceptMap", "url"] = f"{FHIR}/ConceptMap/phq4-loinc"
        some["OperationDefinition", "_id"] = "export"
        some["Patient", "_id"] = find_patient_id(caller)
        some["OperationDefinition", "url"] = f"{FHIR}/OperationDefinition/export"
        bundles = search_by_query(caller, some)
        assert search_by_form(caller, some) == bundles
        certain = [place for place in declared if place[1] in CERTAIN]
        assert [place for place in certain if not bundles[place].get("entry")] == []
        none = {(kind, name): nowhere[name] for kind, name in declared}
        empty_bundles = search_by_query(caller, none)
        assert search_by_form(caller, none) == empty_bundles
        assert [place for place, bundle in empty_bundles.items() if "entry" in bundle] == []
        assert {bundle["type"] for bundle in empty_bundles.values()} == {"searchset"}

    def test_operations(self, caller, claims, screening_id):
        subject = {"name": "subject", "valueReference": {"reference": "Patient/p1"}}
        body = {"resourceType": "Parameters", "parameter": [subject]}
        places = {"Questionnaire": "/phq4", "Patient": ""}
        statuses = {
            (kind, operation): caller.request(
                "get" if operation in ("document", "export") else "post",
                f"/fhir/{kind}{places.get(kind, f'/{screening_id}')}/${operation}",
                json=body if operation == "populate" else None,
            ).status_code
            for kind, operation in list_capabilities(claims, "operation", "name")
        }
        assert statuses == {
            ("Questionnaire", "populate"): 200,
            ("QuestionnaireResponse", "score"): 200,
            ("QuestionnaireResponse", "extract"): 200,
            ("Composition", "document"): 200,
            ("Patient", "export"): 202,
        }

    def test_a_score_is_read_by_get_too(self, caller, screening_id):
        here = f"{HERE}/{screening_id}/$score"
        assert caller.get(here).json() == caller.post(here).json()

    def test_the_device_of_a_result_is_served(self, caller, screening_id):
        device = caller.get(f"/fhir/Device/{DEVICE}").json()
        observation = caller.get(f"/fhir/Observation/{screening_id}").json()
        assert device["identifier"] == [observation["device"]["identifier"]]
        rulebook, sha256 = observation["method"]["text"].split(", SHA-256 ")
        assert {"type": {"text": f"SHA-256 of {rulebook}"}, "value": sha256} in device["version"]
        assert caller.get("/fhir/Device/nociscreen-0").status_code == 404

    def test_each_operation_is_defined_at_its_url(self, caller, claims):
        (rest,) = claims["rest"]
        declared = [(None, it) for it in rest["operation"]]
        declared += [
            (capability["type"], it)
            for capability in rest["resource"]
            for it in capability.get("operation", ())
        ]
        definitions = [
            caller.get(it["definition"].removeprefix(CANONICAL_BASE)).json() for _, it in declared
        ]
        assert [(it["url"], it["code"], it.get("resource")) for it in definitions] == [
            (it["definition"], it["name"], [kind] if kind else None) for kind, it in declared
        ]
        assert search_operations(caller) == sorted(it["id"] for it in definitions)
        assert len(definitions) == 7
        assert search_operations(caller, base=BULK_EXPORT) == ["export"]
        assert caller.get("/fhir/OperationDefinition/another").status_code == 404

    def test_interactions_of_the_whole_system(self, caller, claims):
        (rest,) = claims["rest"]
        assert [it["code"] for it in rest["interaction"]] == ["batch", "transaction"]
        for kind in ("batch", "transaction"):
            answer = caller.post("/fhir", json={"resourceType": "Bundle", "type": kind})
            assert (answer.status_code, answer.json()["type"]) == (200, f"{kind}-response")

    def test_conditional_writes_and_no_update_that_creates(self, claims):
        (responses,) = (capability for capability in claims["rest"][0]["resource"]
                        if capability["type"] == "QuestionnaireResponse")  # fmt: skip
        assert (responses["conditionalCreate"], responses["updateCreate"]) == (True, False)
        assert responses["conditionalUpdate"] is True  # tests/api/fhir/routes/test_conditional_*
        assert claims["patchFormat"] == ["application/json-patch+json"]

    def test_formats(self, caller, claims):
        for media_type in claims["format"]:
            assert caller.get("/fhir/metadata", params={"_format": media_type}).status_code == 200
        for accept, status in [
            ("application/fhir+json", 200), ("application/json", 200), ("*/*", 200),
            ("application/fhir+json; fhirVersion=4.0", 200), ("application/fhir+xml", 406),
            ("application/fhir+json; fhirVersion=5.0", 406),
            ("application/fhir+xml, application/fhir+json;q=0.5", 200), ("text/html", 406),
        ]:  # fmt: skip
            answer = caller.get("/fhir/metadata", headers={"Accept": accept})
            assert answer.status_code == status, accept
        assert caller.get("/fhir/metadata?_format=xml").status_code == 406

    def test_nothing_is_served_that_is_not_claimed(self, claims):
        claimed_types = {capability["type"] for capability in claims["rest"][0]["resource"]}
        served_types = {path.split("/")[2] for path in read_contract()["paths"]
                  if path.startswith("/fhir/")}  # fmt: skip
        assert {it for it in served_types if it[0] != "$"} - {
            "metadata",
            ".well-known",
        } == claimed_types


def codings_of(item: dict) -> list[dict]:
    return [option["valueCoding"] for option in item.get("answerOption", ())]


def read_translation(element: dict, language: str) -> str:
    """Return the text in this language by the translation extension."""
    (content,) = (
        parts["content"]["valueString"]
        for extension in element["extension"]
        if extension["url"] == "http://hl7.org/fhir/StructureDefinition/translation"
        for parts in [{part["url"]: part for part in extension["extension"]}]
        if parts["lang"]["valueCode"] == language
    )
    return content


class TestQuestionnaires:
    def test_each_version_of_each_rulebook_is_there_twice(self, caller, service):
        entries = caller.get("/fhir/Questionnaire").json()["entry"]
        versions = [(entry["resource"]["url"], entry["resource"]["version"]) for entry in entries]
        from api.fhir.elements import CanonicalUrls

        forms = list_questionnaire_forms(
            service.services.catalogue, CanonicalUrls(service.services.settings.public_url)
        )
        assert versions == [(form.url, form.entry.version) for form in forms]
        assert len(set(versions)) == len(versions)

    def test_every_question_is_asked_by_its_own_id_and_in_order(self, caller):
        book = load_catalogue().find_active("nociplastic").rulebook
        form = caller.get("/fhir/Questionnaire/nociplastic").json()
        link_ids = [item["linkId"] for group in form["item"] if group["type"] == "group"
                 for item in group["item"]]  # fmt: skip
        assert sorted(link_ids) == sorted(question.id for question in book.question)

    def test_the_patients_has_no_weights_no_totals_and_nothing_for_clinicians(self, caller):
        book = load_catalogue().find_active("nociplastic").rulebook
        form = caller.get("/fhir/Questionnaire/nociplastic-patient").json()
        links = {item["linkId"] for item in within(form) if "linkId" in item}
        assert not any(link.endswith(".weight") or link.startswith("total.") for link in links)
        assert not links & {
            question.id for question in book.question if question.who == "clinician"
        }
        assert "ordinalValue" not in json.dumps(form)
        clinicians = caller.get("/fhir/Questionnaire/nociplastic").json()
        assert any(item["linkId"].endswith(".weight") for item in within(clinicians)
                   if "linkId" in item)  # fmt: skip

    @pytest.mark.parametrize("language", ["de", "es"])
    @pytest.mark.parametrize("name", ["nociplastic", "phq4-patient"])
    def test_texts_and_options_have_their_translations(self, caller, name, language):
        loaded = load_catalogue().find_active(name.removesuffix("-patient"))
        book = translate_rulebook(loaded, language)
        questions, option_count = book.questions_by_id, 0
        form = caller.get(f"/fhir/Questionnaire/{name}").json()
        assert read_translation(form["_title"], language) == book.rulebook.title
        question_items = [item for group in form["item"] if group["type"] == "group"
                 for item in group["item"]]  # fmt: skip
        for item in question_items:
            question = questions[item["linkId"]]
            assert read_translation(item["_text"], language) == question.text
            for option, coding in zip(question.options, codings_of(item), strict=False):
                assert read_translation(coding["_display"], language) == option.label
                option_count += 1
            for help_item in item.get("item", ()):
                if help_item["linkId"].endswith(".help"):
                    assert read_translation(help_item["_text"], language) == question.help
        assert question_items
        assert (option_count > 50) == (name == "nociplastic")

    def test_questions_have_the_loinc_codes_that_are_verified_and_no_others(self, caller):
        sent_codes = {}
        for name in ("nociplastic", "phq4"):
            form = caller.get(f"/fhir/Questionnaire/{name}").json()
            for item in within(form):
                if "linkId" in item and "code" in item:
                    (coding,) = item["code"]
                    assert coding["system"] == "http://loinc.org"
                    sent_codes[item["linkId"]] = coding["code"]
        assert form["code"] == [{"system": "http://loinc.org", "code": "69724-3"}]
        assert sent_codes == {
            "phq4_nervous": "69725-0", "phq4_worrying": "68509-9",
            "phq4_interest": "44250-9", "phq4_down": "44255-8",
            "phq9_item9": "44260-8", "phq9_total": "44261-6", "gad7_total": "70274-6",
            "peg_pain": "75893-8",
        }  # fmt: skip

    def test_a_concept_map_says_which_codes_are_verified(self, caller):
        (group,) = caller.get("/fhir/ConceptMap/nociplastic-loinc").json()["group"]
        targets = {it["code"]: it["target"][0] for it in group["element"]}
        assert (targets["peg_pain"]["code"], targets["peg_pain"]["comment"]) == (
            "75893-8", "verified",
        )  # fmt: skip
        unverified = {it["equivalence"] for it in targets.values() if it["comment"] != "verified"}
        assert unverified == {"relatedto"}
        assert group["source"] == caller.get("/fhir/Questionnaire/nociplastic").json()["url"]
        assert caller.get("/fhir/ConceptMap/none").status_code == 404

    def test_an_answer_may_copy_an_option_with_its_translations(self, caller):
        form = caller.get("/fhir/Questionnaire/nociplastic").json()
        group, item = next(
            (group, item) for group in form["item"] for item in group.get("item", ())
            if "answerOption" in item
        )  # fmt: skip
        answer = [{"valueCoding": codings_of(item)[0]}]
        body = build_response(form, {}, authored="2026-11-20") | {
            "item": [
                {"linkId": group["linkId"], "item": [{"linkId": item["linkId"], "answer": answer}]}
            ]
        }
        assert caller.post(f"{HERE}/$score", json=body).status_code == 200

    def test_a_client_that_has_the_version_gets_304(self, caller):
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
        codes = {code: list_findings(outcome)[0][0] for code, outcome in outcomes.items()}
        assert "processing" not in codes.values()
        assert (codes["unavailable"], codes["version_mismatch"]) == ("transient", "conflict")
        for code, outcome in outcomes.items():
            assert code in outcome["issue"][0]["diagnostics"]

    @needs_node
    def test_every_problem_type_is_a_valid_r4_outcome(self):
        outcomes = [
            convert_problem(Problem(code).build_body().model_dump()) for code in PROBLEM_DEFINITIONS
        ]
        assert [faults for faults in validate_resources(outcomes) if faults] == []

    def test_every_refusal_is_an_operation_outcome(self, caller, service):
        from support.callers import bearing

        anonymous = bearing(service)
        large = {"Content-Length": str(10**9), "Content-Type": "application/json"}
        for answer, status, code in [
            (anonymous.get(HERE), 401, "login"),
            (anonymous.get("/fhir"), 405, "not-supported"),
            (caller.get("/fhir/Condition/1"), 404, "not-supported"),
            (caller.delete(HERE), 405, "not-supported"),
            (caller.post(HERE, content=b"{}", headers=large), 413, "too-long"),
            (caller.post(HERE, content=b"<a/>"), 415, "not-supported"),
            (caller.post(HERE, content=b"{", headers={"Content-Type": "application/json"}),
             400, "invalid"),
            (caller.get("/fhir/metadata", headers={"Host": "a b"}), 400, "invalid"),
        ]:  # fmt: skip
            assert (answer.status_code, list_findings(answer.json())[0][0]) == (status, code)
            assert answer.headers["content-type"] == "application/fhir+json"

    def test_elsewhere_stay_problems(self, caller):
        for path in ("/fhirx", "/v1/fhir"):
            assert caller.get(path).headers["content-type"] == "application/problem+json"

    def test_a_throttled_client_gets_retry_after(self, service):
        from support import builders
        from support.callers import calling

        clinic = builders.clinic(service.services.store, "Hasty")
        hasty = calling(service, clinic)
        from api.store.accounts import clients

        builders.do(service.services.store, clinic, clients.update_client, clinic.client,
                   {"requests_per_minute": 1})  # fmt: skip
        answers = [hasty.get(HERE) for _ in range(30)]
        throttled_answers = [answer for answer in answers if answer.status_code == 429]
        assert throttled_answers
        assert list_findings(throttled_answers[0].json())[0][0] == "throttled"
        assert int(throttled_answers[0].headers["retry-after"]) >= 1
