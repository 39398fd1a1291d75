"""`$populate`: what is known of a patient is filled in, and red flags are left open."""

from datetime import date

import pytest
from support import builders
from support.builders import CANONICAL, fhir_response, request
from support.callers import calling

from api.fhir.definitions.populated_response import calculate_age

NUMBER = {"system": "urn:oid:1.2.3", "value": "MRN-0042"}


@pytest.fixture(scope="module")
def caller(service):
    return calling(service, builders.clinic(service.services.store, "Populate"))


def populate(caller, form: str, subject: dict | None = None, **more):
    parameter = [{"name": "subject", "valueReference": subject}] if subject else []
    body = {"resourceType": "Parameters", "parameter": parameter} | more
    return caller.post(f"/fhir/Questionnaire/{form}/$populate", json=body)


def read_populated(answer) -> tuple[dict, str]:
    """The response, and what the issue says."""
    assert answer.status_code == 200, answer.text
    response, issues = (it["resource"] for it in answer.json()["parameter"])
    return response, issues["issue"][0]["details"]["text"]


def list_answers(response: dict) -> dict:
    return {item["linkId"]: item["answer"] for group in response.get("item", ())
            for item in group["item"]}  # fmt: skip


def test_the_answers_of_the_latest_screening_are_filled_in(caller):
    subject = {"identifier": NUMBER}
    caller.post("/fhir/QuestionnaireResponse", json=fhir_response())
    response, text = read_populated(populate(caller, "phq4", subject))
    assert response["questionnaire"] == f"{CANONICAL}/Questionnaire/phq4|1.0.0"
    assert (response["status"], response["subject"]) == ("in-progress", subject)
    items = fhir_response()["item"][0]["item"]
    assert list_answers(response) == {item["linkId"]: item["answer"] for item in items}
    assert "2026-11-20" in text
    completed = response | {"status": "completed"}
    assert caller.post("/fhir/QuestionnaireResponse", json=completed).status_code == 201


def test_red_flags_stay_open_and_the_age_follows_from_the_date_of_birth(caller):
    intake = request("MRN-9", "red_flag", birth_date="1980-02-03")
    screening = caller.post("/v1/screenings", json=intake).json()
    question_names = set(caller.get(f"/v1/screenings/{screening['id']}").json()["answers"])
    response, _ = read_populated(
        populate(caller, "nociplastic", {"identifier": {"value": "MRN-9"}})
    )
    answers = list_answers(response)
    assert answers["age_years"][0]["valueInteger"] >= 46
    assert screening["assessment"]["safety"]["flags"] != []
    assert {name for name in question_names if name.startswith("rf_")} != set()
    assert {name for name in answers if name.startswith("rf_")} == set()


@pytest.mark.parametrize(
    ("today", "age"), [("2026-02-02", 45), ("2026-02-03", 46), ("2026-12-31", 46)]
)
def test_an_age_is_in_whole_years(today, age):
    assert calculate_age(date(1980, 2, 3), date.fromisoformat(today)) == age


def test_an_unknown_patient_gets_an_empty_form(caller, service):
    caller.post("/fhir/QuestionnaireResponse", json=fhir_response())
    stranger = calling(service, builders.clinic(service.services.store, "Another"))
    for asker, subject in [
        (caller, {"reference": "Patient/nobody"}),
        (caller, {"identifier": {"value": "MRN-0042"}}),
        (stranger, {"identifier": NUMBER}),
    ]:
        response, text = read_populated(populate(asker, "phq4", subject))
        assert ("item" in response, text) == (False, "Nothing is known of this patient.")


@pytest.mark.parametrize(
    ("form", "subject", "more", "status"),
    [
        ("phq4", None, {}, 422),
        ("phq4", {"display": "x"}, {}, 422),
        ("phq4", {"reference": "Group/1"}, {}, 422),
        ("phq4", None, {"parameter": [1, {"name": "subject", "valueReference": 7}]}, 422),
        ("none", {"reference": "Patient/1"}, {}, 404),
    ],
)
def test_a_patient_and_a_form_are_needed(caller, form, subject, more, status):
    assert populate(caller, form, subject, **more).status_code == status
