"""No page of the desk is heavier than 60 kB as sent, however much was answered."""

import pytest
from support.path_resources import create_resource
from support.scoring.vignettes import SECOND

from api.desk.screenings.answer_parts import FOR_CLINICIANS
from api.web.page_texts import list_languages

MOST_BYTES = 60_000
SCREENINGS = "/v1/screenings"
HEALTHY = {
    "cancer_ever": False,
    "cannot_self_report": False,
    "diagnoses": [],
    "imaging_findings": ["disc_bulge", "disc_degeneration", "rotator_cuff_tear"],
    "inflammatory_disease_active": False,
    "medicines": [],
    "motor_or_reflex_loss": False,
    "phq9_item9": 0,
    "pregnant": False,
    "raised_inflammatory_marker": False,
    "sensory_loss": False,
    "surgery_within_3_months": False,
}


def answer_everything() -> dict:
    """Answer each question of nociplastic 2.0.0, with every option where several may be chosen."""
    answers = {}
    for question in SECOND.rulebook.question:
        options = [option.id for option in question.options]
        match question.kind:
            case "boolean":
                answers[question.id] = True
            case "choice":
                answers[question.id] = options[0]
            case "multi":
                answers[question.id] = options
            case _:
                answers[question.id] = int(question.maximum)
    return answers | {"age_years": 44, "pain_duration_months": 60}


ALL_ANSWERS = answer_everything()
CALM = {
    name: [] if name.startswith("rf_") else answer for name, answer in ALL_ANSWERS.items()
} | HEALTHY
MUST_ANSWERS = {"age_years": 44, "pain_duration_months": 60}


@pytest.mark.parametrize(
    ("answers", "status", "least_flags"),
    [
        (ALL_ANSWERS, "withheld_red_flag", 50),
        (CALM, "scored", 0),
        (MUST_ANSWERS, "insufficient_information", 0),
    ],
    ids=["everything", "calm", "must answers"],
)
def test_no_page_of_a_screening_is_heavier_than_60_kb(client, desk, answers, status, least_flags):
    body = {
        "rulebook": "nociplastic@2.0.0",
        "patient": {"reference": "MRN-1", "name": "Ada Example " * 15},
        "answered_by": "patient",
        "answers": answers,
        "note": "A note. " * 100,
    }
    screening = create_resource(client, SCREENINGS, body)
    assert screening["assessment"]["status"] == status
    assert len(screening["assessment"]["safety"]["flags"]) >= least_flags
    topics = [f"/answers?topic={topic}" for topic in (1, 3, 7, 8, 10, 11, 12, FOR_CLINICIANS)]
    weights = {}
    for language in list_languages():
        for part in ("", "/reasons", "/answers-given", "/evidence", "/patient", "/note", *topics):
            address = f"/desk/screenings/{screening['id']}{part}"
            response = desk.get(address, headers={"Accept-Language": language})
            assert response.status_code == 200, part
            weights[language, part] = len(response.content)
    assert weights["de", ""] > 10_000
    assert {page: weight for page, weight in weights.items() if weight > MOST_BYTES} == {}


def test_an_empty_answer_form_is_not_heavier_either(desk):
    for instrument in ("nociplastic", "phq4"):
        response = desk.get(f"/desk/new?rulebook={instrument}")
        assert len(response.content) <= MOST_BYTES
