"""Resources of nociplastic 1.0.0: flags by tier, and restricted if one is about the person."""

import pytest
from support import builders
from support.callers import calling
from support.first_release import (
    FIRST,
    FLAGGED_ANSWERS,
    ORDER_BY_TIER,
    OTHER_ANSWERS,
    STORED_ORDER,
    list_labels_by_tier,
)
from support.path_resources import create_resource

RESULTS = ("Observation", "RiskAssessment", "Provenance", "DocumentReference", "Composition")
RESTRICTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "code": "R",
    "display": "restricted",
}


@pytest.fixture(scope="module")
def caller(second_service):
    return calling(second_service, builders.clinic(second_service.services.store, "First"))


def store_answers(caller, answers: dict) -> dict:
    body = {"rulebook": FIRST.name, "patient": {"reference": "MRN-0042"}, "answers": answers}
    return create_resource(caller, "/v1/screenings", body)


@pytest.fixture(scope="module")
def flagged(caller) -> dict:
    return store_answers(caller, FLAGGED_ANSWERS)


def read_resources(caller, screening: dict) -> dict[str, dict]:
    return {
        kind: caller.get(f"/fhir/{kind}/{screening['id']}").json()
        for kind in ("QuestionnaireResponse", *RESULTS)
    }


def list_labels(resources: dict[str, dict]) -> list:
    return [resource["meta"].get("security") for resource in resources.values()]


class TestAFlagAboutThePerson:
    def test_makes_every_resource_restricted(self, caller, flagged):
        resources = read_resources(caller, flagged)
        assert list_labels(resources) == [[RESTRICTED]] * 6
        assert resources["DocumentReference"]["securityLabel"] == [{"coding": [RESTRICTED]}]
        assert resources["Composition"]["confidentiality"] == "R"

    def test_is_what_restricts_them(self, caller):
        resources = read_resources(caller, store_answers(caller, OTHER_ANSWERS))
        assert list_labels(resources) == [None] * 6
        assert "securityLabel" not in resources["DocumentReference"]
        assert "confidentiality" not in resources["Composition"]


class TestFlagsByTier:
    def test_stand_in_another_order_than_they_are_stored(self, flagged):
        assert [flag["id"] for flag in flagged["assessment"]["safety"]["flags"]] == STORED_ORDER

    def test_are_the_components_of_an_observation(self, caller, flagged):
        observation = caller.get(f"/fhir/Observation/{flagged['id']}").json()
        codes = [item["code"]["coding"][0]["code"] for item in observation["component"]]
        flag_codes = [code for code in codes if code.startswith("flag.")]
        assert flag_codes == [f"flag.{name}" for name in ORDER_BY_TIER]

    def test_are_the_first_notes_of_a_risk_assessment(self, caller, flagged):
        notes = caller.get(f"/fhir/RiskAssessment/{flagged['id']}").json()["note"]
        for note, label in zip(notes[:3], list_labels_by_tier(), strict=True):
            assert f": {label}. " in note["text"]

    def test_are_the_first_lines_of_a_composition(self, caller, flagged):
        section = caller.get(f"/fhir/Composition/{flagged['id']}").json()["section"][0]
        lines = section["text"]["div"].split("<p>")[1:4]
        for line, label in zip(lines, list_labels_by_tier(), strict=True):
            assert f": {label}. " in line
