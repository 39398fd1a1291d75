"""The edition of a delivery: what is about the person stays here, unless a destination gets all."""

import json

import pytest
from support import builders
from support.callers import calling
from support.first_release import FIRST, FLAGGED_ANSWERS, UNSAFE_AT_HOME
from support.interop.questionnaire_responses import build_response
from support.path_resources import create_resource
from support.second_release import CONFIDENTIAL, SCORED, SECOND, WITHHELD, assess_case

from reports.view.editions import find_private_questions

ADDRESSES = {
    "generic-v2": "mllps://ehr.example:443",
    "generic-fhir": "https://ehr.example/fhir",
    "generic-webhook": "https://ehr.example/in",
}
PRIVATE_LABELS = [
    flag.label
    for case in (CONFIDENTIAL, WITHHELD)
    for flag in assess_case(case).safety.flags
    if flag.about_person
]


@pytest.fixture(scope="module")
def caller(second_service):
    return calling(second_service, builders.clinic(second_service.services.store, "Editions"))


def store_case(caller, case, context: dict | None = None, **answers) -> str:
    body = {
        "rulebook": SECOND.name,
        "patient": {"reference": "MRN-0042"},
        "clinician": {"reference": "GP-12"},
        **(context or {}),
        "answers": json.loads(case.intake) | answers,
    }
    return create_resource(caller, "/v1/screenings", body)["id"]


def store_first(caller, answers) -> str:
    body = {"rulebook": FIRST.name, "patient": {"reference": "MRN-0042"}, "answers": answers}
    return create_resource(caller, "/v1/screenings", body)["id"]


def preview(caller, screening: str, profile: str, **options) -> str:
    """Return what would be sent to a destination with these options."""
    new_destination = {
        "name": "EHR",
        "profile": profile,
        "address": ADDRESSES[profile],
        "options": {"document": {"how": "url"}} | options,
    }
    destination = create_resource(caller, "/v1/destinations", new_destination)["id"]
    path = f"/v1/screenings/{screening}/deliveries/preview"
    response = caller.post(path, json={"destination": destination})
    assert response.status_code == 200, response.text
    (part,) = response.json()["parts"]
    return part["text"]


@pytest.mark.parametrize("profile", sorted(ADDRESSES))
@pytest.mark.parametrize("case", [CONFIDENTIAL, WITHHELD], ids=["scored", "withheld"])
class TestByDefault:
    def test_nothing_about_the_person_is_sent(self, caller, profile, case):
        assert len(PRIVATE_LABELS) == 2
        text = preview(caller, store_case(caller, case), profile)
        assert SECOND.name in text
        assert "uicid" not in text
        assert [label for label in PRIVATE_LABELS if label in text] == []

    def test_the_full_edition_has_it(self, caller, profile, case):
        text = preview(caller, store_case(caller, case), profile, edition="full")
        assert [label for label in PRIVATE_LABELS if label in text]


class TestTheEditionForSharing:
    def test_has_no_answer_to_a_private_question(self, caller):
        screening = store_case(caller, SCORED, ace_count=4, ptsd=True, phq9_item9=1)
        bundle = json.loads(preview(caller, screening, "generic-fhir"))
        response = bundle["entry"][0]["resource"]
        asked_ids = {item["linkId"] for group in response["item"] for item in group["item"]}
        private = find_private_questions(SECOND.rulebook)
        assert {"ace_count", "ptsd", "rf_personal_safety", "phq9_item9"} <= private
        assert "pain_sites" in asked_ids
        assert asked_ids & private == set()

    def test_names_the_report_in_the_same_edition(self, caller):
        body = json.loads(preview(caller, store_case(caller, CONFIDENTIAL), "generic-webhook"))
        assert body["report"]["url"].endswith("/report.pdf?edition=shareable")
        assert body["screening"]["assessment"]["confidential"] is False

    def test_keeps_red_flags_of_the_body_and_the_points(self, caller):
        body = json.loads(preview(caller, store_case(caller, WITHHELD), "generic-webhook"))
        assessment = body["screening"]["assessment"]
        assert assessment["safety"]["tier"] == "T1"
        assert [flag["id"] for flag in assessment["safety"]["flags"]] == [
            "possible_giant_cell_arteritis",
            "bladder_change_without_back_or_leg_signs",
        ]
        scored = json.loads(preview(caller, store_case(caller, CONFIDENTIAL), "generic-webhook"))
        points = scored["screening"]["assessment"]["totals"]["predominance"]["points"]
        assert points == float(assess_case(CONFIDENTIAL).totals["predominance"].points)

    @pytest.mark.parametrize("profile", sorted(ADDRESSES))
    def test_leaves_out_the_clinicians_note(self, caller, profile):
        screening = store_case(caller, CONFIDENTIAL, context={"note": "Zaphod-4711 has a plan."})
        assert "Zaphod-4711" not in preview(caller, screening, profile)

    def test_a_note_is_sent_in_the_full_edition(self, caller):
        screening = store_case(caller, CONFIDENTIAL, context={"note": "Zaphod-4711 has a plan."})
        assert "Zaphod-4711" in preview(caller, screening, "generic-webhook", edition="full")

    def test_leaves_out_the_notes_of_acknowledgements(self, caller):
        screening = store_case(caller, CONFIDENTIAL)
        acknowledged = caller.post(
            f"/v1/screenings/{screening}/acknowledgements",
            json={"practitioner": "GP-12", "done": "Spoke about the plan."},
        )
        assert acknowledged.status_code == 201, acknowledged.text
        assert "Spoke about" not in preview(caller, screening, "generic-webhook")
        full = preview(caller, screening, "generic-webhook", edition="full")
        assert "Spoke about the plan." in full

    def test_is_not_marked_as_restricted(self, caller):
        screening = store_case(caller, CONFIDENTIAL)
        assert "v3-Confidentiality" not in preview(caller, screening, "generic-fhir")
        assert "HL70177" not in preview(caller, screening, "generic-v2")


class TestTheFullEdition:
    def test_is_marked_as_restricted_by_fhir_in_every_resource(self, caller):
        screening = store_case(caller, CONFIDENTIAL)
        bundle = json.loads(preview(caller, screening, "generic-fhir", edition="full"))
        resources = [bundle, *(entry["resource"] for entry in bundle["entry"])]
        assert len(resources) == 5
        assert {resource["meta"]["security"][0]["code"] for resource in resources} == {"R"}
        assert {*bundle["entry"][0]["resource"]["meta"]} == {"security"}

    def test_is_marked_as_restricted_by_hl7(self, caller):
        text = preview(caller, store_case(caller, CONFIDENTIAL), "generic-v2", edition="full")
        (order,) = [line for line in text.split("\r") if line.startswith("ORC|")]
        assert order.split("|")[28] == "R^Restricted^HL70177"

    def test_of_other_answers_is_not_restricted(self, caller):
        screening = store_case(caller, SCORED)
        text = preview(caller, screening, "generic-fhir", edition="full")
        assert "v3-Confidentiality" not in text
        assert "HL70177" not in preview(caller, screening, "generic-v2", edition="full")


def test_an_unknown_edition_is_refused(caller):
    new_destination = {
        "name": "EHR",
        "profile": "generic-v2",
        "address": ADDRESSES["generic-v2"],
        "options": {"edition": "secret"},
    }
    response = caller.post("/v1/destinations", json=new_destination)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/options/edition"]


class TestAResponseAsReceived:
    def store_response(self, caller) -> str:
        form = caller.get("/fhir/Questionnaire/nociplastic/_history/2.0.0").json()
        values = {"ace_count": [{"valueInteger": 4}], "age_years": [{"valueInteger": 44}]}
        body = build_response(form, values, basedOn=[{"reference": "ServiceRequest/SR-9"}])
        body["text"] = {"status": "generated", "div": "<div>Zaphod-4711</div>"}
        return create_resource(caller, "/fhir/QuestionnaireResponse", body)["id"]

    def test_is_not_sent_where_answers_are_left_out(self, caller):
        screening = self.store_response(caller)
        texts = {profile: preview(caller, screening, profile) for profile in ADDRESSES}
        assert [name for name, text in texts.items() if "Zaphod" in text] == []
        assert [name for name, text in texts.items() if "ace_count" in text] == []
        response = json.loads(texts["generic-fhir"])["entry"][0]["resource"]
        assert response["basedOn"] == [{"reference": "ServiceRequest/SR-9"}]
        links = [item["linkId"] for group in response["item"] for item in group["item"]]
        assert links == ["age_years"]

    def test_is_sent_in_the_full_edition_but_not_by_webhook(self, caller):
        screening = self.store_response(caller)
        texts = {name: preview(caller, screening, name, edition="full") for name in ADDRESSES}
        assert [name for name, text in texts.items() if "Zaphod" in text] == ["generic-fhir"]

    def test_its_order_is_the_placer_order_number(self, caller):
        lines = preview(caller, self.store_response(caller), "generic-v2").split("\r")
        numbers = [line.split("|")[2] for line in lines if line[:3] in ("ORC", "OBR")]
        assert numbers == ["SR-9", "SR-9"]


@pytest.mark.parametrize("profile", sorted(ADDRESSES))
class TestAScreeningByTheFirstRulebook:
    def test_has_no_answer_about_the_person_by_default(self, caller, profile):
        text = preview(caller, store_first(caller, FLAGGED_ANSWERS), profile)
        assert FIRST.name in text
        assert UNSAFE_AT_HOME not in text
        assert "unsafe_at_home" not in text
        assert "Numbness between the legs" in text

    def test_has_it_in_the_full_edition(self, caller, profile):
        screening = store_first(caller, FLAGGED_ANSWERS)
        assert UNSAFE_AT_HOME in preview(caller, screening, profile, edition="full")


class TestAnUnflaggedScreeningByTheFirstRulebook:
    def test_is_sent_without_the_criteria_of_private_questions(self, caller):
        answers, _ = builders.assessed("too_little_known")
        screening = store_first(caller, answers)
        shared, full = (
            json.loads(preview(caller, screening, "generic-webhook", **options))["screening"]
            for options in ({}, {"edition": "full"})
        )
        shared_rows = shared["assessment"].pop("criteria")
        full_rows = full["assessment"].pop("criteria")
        assert [row["id"] for row in full_rows if row not in shared_rows] == ["G1", "G2"]
        for screening_sent in (shared, full):
            screening_sent["assessment"].pop("patterns")
        assert shared == full
