"""Resources of nociplastic 2.0.0: valid R4, what is new said, confidential ones restricted."""

import json
from collections.abc import Iterator

import pytest
from support.callers import calling
from support.interop.fhir_validators import needs_node, validate_resources
from support.interop.questionnaire_responses import build_response, draw_answers
from support.second_release import (
    CONFIDENTIAL,
    EXPLAINED,
    SCORED,
    SECOND,
    UNSETTLED,
    WITHHELD,
    WORKED_CASES,
    assess_case,
)

RESULTS = ("Observation", "RiskAssessment", "Provenance", "DocumentReference", "Composition")
RESTRICTED = ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R")


@pytest.fixture(scope="module")
def caller(second_service):
    from support import builders

    return calling(second_service, builders.clinic(second_service.services.store, "Second"))


def store_case(caller, case) -> str:
    """Store a case and return the id of its screening."""
    body = {
        "rulebook": "nociplastic@2.0.0",
        "patient": {"reference": "MRN-0042"},
        "answers": json.loads(case.intake),
    }
    if case.clinician_named:
        body["clinician"] = {"reference": "GP-12"}
    response = caller.post("/v1/screenings", json=body)
    assert response.status_code == 201, response.text
    return response.json()["id"]


def read_resources(caller, screening: str, *, with_report: bool) -> Iterator[dict]:
    """Read every resource of a screening, alone and in bundles."""
    for kind in ("QuestionnaireResponse", *RESULTS):
        yield caller.get(f"/fhir/{kind}/{screening}").json()
    yield caller.get(f"/fhir/Composition/{screening}/$document").json()
    yield caller.get(f"/fhir/Observation?_id={screening}").json()
    if with_report:
        as_resource = {"Accept": "application/fhir+json"}
        yield caller.get(f"/fhir/Binary/{screening}", headers=as_resource).json()
        extracted = caller.post(f"/fhir/QuestionnaireResponse/{screening}/$extract").json()
        yield extracted["parameter"][0]["resource"]


@pytest.fixture(scope="module")
def resources(caller) -> dict[str, list[dict]]:
    """Every resource of each worked case, by the name of the case; some with their report."""
    with_report = (UNSETTLED, CONFIDENTIAL, WITHHELD)
    return {
        case.name: list(
            read_resources(caller, store_case(caller, case), with_report=case in with_report)
        )
        for case in WORKED_CASES
    }


def find(resources: dict[str, list[dict]], case, kind: str) -> dict:
    return next(item for item in resources[case.name] if item["resourceType"] == kind)


def components(observation: dict) -> dict[str, dict]:
    return {item["code"]["coding"][0]["code"]: item for item in observation["component"]}


def notes(resource: dict) -> str:
    return "\n".join(note["text"] for note in resource["note"])


def list_labels(resource: dict) -> list[tuple[str, str]]:
    labels = resource.get("meta", {}).get("security", [])
    return [(label["system"], label["code"]) for label in labels]


@needs_node
def test_every_resource_is_valid_by_four_validators(caller, resources):
    forms = [caller.get(f"/fhir/Questionnaire/{name}").json() for name in
             ("nociplastic", "nociplastic-patient")]  # fmt: skip
    assert {form["version"] for form in forms} == {"2.0.0"}
    all_resources = [*forms, *(item for items in resources.values() for item in items)]
    assert len(all_resources) > 70
    faults = zip(all_resources, validate_resources(all_resources), strict=True)
    assert [(item["resourceType"], wrong) for item, wrong in faults if wrong] == []


def test_no_resource_has_a_probability(resources):
    text = json.dumps(resources)
    assert "alternative.radiculopathy" in text
    for word in ("probabilityDecimal", "probabilityRange", "relativeRisk"):
        assert word not in text


class TestAnObservation:
    def test_has_the_bands_at_both_ends_and_says_them_beside_the_band(self, resources):
        observation = find(resources, EXPLAINED, "Observation")
        ends = [
            components(observation)[f"predominance.band_{end}"]["valueCodeableConcept"]["coding"]
            for end in ("least", "most")
        ]
        assert [coding[0]["code"] for coding in ends] == ["points_away", "some"]
        band, possible = observation["interpretation"]
        assert band["coding"][0]["code"] == "points_away"
        assert possible["text"] == (
            "As answered so far: Points away; could become Points away to Some features."
        )

    def test_without_a_band_has_the_possible_ones_and_the_reasons(self, resources):
        observation = find(resources, UNSETTLED, "Observation")
        (possible,) = observation["interpretation"]
        assert possible["text"].startswith("Between Points away and Strong pattern")
        reason = components(observation)["no_band.range_too_wide"]
        assert reason["valueCodeableConcept"]["text"] == assess_case(UNSETTLED).why_no_band[0].text

    def test_has_other_explanations_with_strength_signs_and_what_would_settle_them(self, resources):
        components_by_code = components(find(resources, EXPLAINED, "Observation"))
        explanations = assess_case(EXPLAINED).alternatives
        assert len(explanations) == 4
        for explanation in explanations:
            component = components_by_code[f"alternative.{explanation.id}"]
            assert component["valueInteger"] == explanation.strength
            text = component["interpretation"][0]["text"]
            assert explanation.settle in text
            assert [sign for sign in explanation.signs if sign not in text] == []

    def test_names_the_questions_to_ask_first_and_those_not_asked(self, resources):
        text = notes(find(resources, UNSETTLED, "Observation"))
        assert "Ask first: Physical explanation, Diagnoses, Swollen or warm joint." in text
        assert "Not asked, as it does not apply: Pregnancy, Possible pregnancy," in text

    def test_that_is_withheld_keeps_flags_and_explanations_alone(self, resources):
        observation = find(resources, WITHHELD, "Observation")
        assert "valueQuantity" not in observation
        assert "interpretation" not in observation
        components_by_code = components(observation)
        assert "alternative.polymyalgia_or_giant_cell_arteritis" in components_by_code
        assert [code for code in components_by_code if "band" in code] == []

    def test_has_contradictions_as_sentences(self, caller):
        contradictory = json.loads(SCORED.intake) | {"pain_extent": "spot"}
        case = SCORED._replace(intake=json.dumps(contradictory))
        observation = caller.get(f"/fhir/Observation/{store_case(caller, case)}").json()
        contradiction = components(observation)["contradiction.many_areas_one_spot"]
        assert contradiction["valueCodeableConcept"]["text"] == (
            "Three or more areas were marked, yet the pain was called one small spot."
        )

    def test_of_a_person_out_of_scope_names_the_reason(self, caller):
        answers = json.loads(SCORED.intake) | {"age_years": 17}
        screening = store_case(caller, SCORED._replace(intake=json.dumps(answers)))
        reason = caller.get(f"/fhir/Observation/{screening}").json()["dataAbsentReason"]
        assert reason["coding"][0]["code"] == "not-applicable"
        assert "{reasons}" not in reason["text"]
        assert (
            assess_case(SCORED._replace(answers=SCORED.answers | {"age_years": 17}))
            .scope.reasons[0]
            .label
            in reason["text"]
        )


class TestARiskAssessment:
    def test_has_next_steps_with_their_cautions(self, resources):
        text = find(resources, CONFIDENTIAL, "RiskAssessment")["mitigation"]
        steps = assess_case(CONFIDENTIAL).next_steps
        cautions = {caution for step in steps for caution in step.cautions}
        assert len(cautions) > 1
        assert [step.id for step in steps if step.label not in text] == []
        assert [caution for caution in cautions if f"Caution: {caution}" not in text] == []

    def test_without_a_band_says_why_and_what_to_ask(self, resources):
        risk = find(resources, UNSETTLED, "RiskAssessment")
        assert "prediction" not in risk
        text = notes(risk)
        assert "Between Points away and Strong pattern" in text
        assert assess_case(UNSETTLED).why_no_band[0].text in text
        assert "Ask first: Physical explanation" in text
        assert "Other explanation: Radiculopathy or nerve compression. Signs: " in text

    def test_shows_an_assessed_flag_as_assessed(self, resources):
        case = WORKED_CASES[2]
        assert "T3, assessed: " in notes(find(resources, case, "RiskAssessment"))


class TestAConfidentialAssessment:
    @pytest.mark.parametrize("case", [CONFIDENTIAL, WITHHELD], ids=["scored", "withheld"])
    def test_is_restricted_in_every_resource(self, resources, case):
        unlabelled = [
            item["resourceType"]
            for item in resources[case.name]
            if list_labels(item) != [RESTRICTED]
        ]
        assert unlabelled == []
        entries = [
            entry["resource"] for item in resources[case.name] for entry in item.get("entry", ())
        ]
        assert len(entries) > 8
        assert {str(list_labels(entry)) for entry in entries} == {str([RESTRICTED])}

    def test_is_restricted_in_the_fields_for_it(self, resources):
        label = find(resources, CONFIDENTIAL, "DocumentReference")["securityLabel"][0]["coding"][0]
        assert (label["system"], label["code"]) == RESTRICTED
        assert find(resources, CONFIDENTIAL, "Composition")["confidentiality"] == "R"

    def test_is_the_only_one_with_a_label(self, resources):
        other_resources = [
            item
            for case in WORKED_CASES
            if case not in (CONFIDENTIAL, WITHHELD)
            for item in resources[case.name]
        ]
        assert len(other_resources) >= 50
        text = json.dumps(other_resources)
        assert "v3-Confidentiality" not in text
        assert [
            item for item in other_resources if list_labels(item) or "confidentiality" in item
        ] == []


class TestAQuestionnaireResponse:
    def test_scores_as_the_same_answers_sent_otherwise(self, caller):
        form = caller.get("/fhir/Questionnaire/nociplastic").json()
        for seed in range(3):
            response = build_response(form, draw_answers(form, seed))
            created = caller.post("/fhir/QuestionnaireResponse", json=response)
            assert created.status_code == 201, created.text
            screening = caller.get(f"/v1/screenings/{created.json()['id']}").json()
            assert screening["assessment"]["rulebook"] == SECOND.name
            again = {"rulebook": SECOND.name, "answers": screening["answers"]}
            scored = caller.post("/v1/score", json=again).json()
            assert scored["totals"] == screening["assessment"]["totals"]
