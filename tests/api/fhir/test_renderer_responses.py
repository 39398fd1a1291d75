"""Responses as Medplum's React forms build them, scored like the same answers by `/v1`.

The files were made by `buildInitialResponse` and `removeDisabledItems` of @medplum/react-hooks
5.2.13 from the questionnaires of this service, with answers set as its form sets them. They have no
version, texts and ids on every item, and items without answers.
"""

import json
from pathlib import Path

import pytest
from support.interop.questionnaire_responses import read_points

RESPONSES = Path(__file__).parents[2] / "support" / "interop" / "renderers"
HERE = "/fhir/QuestionnaireResponse"
ANSWERS = {
    "phq4": {"phq4_nervous": 2, "phq4_down": 1},
    "nociplastic-patient": {
        "age_years": 44,
        "pain_sites": ["neck", "lower_back"],
        "pregnant": False,
    },
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_response_of_a_react_form_is_scored(client, name):
    response = json.loads((RESPONSES / f"medplum-{name}.json").read_text())
    answer = client.post(f"{HERE}/$score", json=response)
    assert answer.status_code == 200, answer.text
    body = {"rulebook": name.removesuffix("-patient"), "answers": ANSWERS[name]}
    plain = client.post("/v1/screenings", json=body | {"patient": {"reference": "N 1"}}).json()
    stored_answer = client.get(f"{HERE}/{plain['id']}/$score")
    scored = [it.json()["parameter"][0]["resource"] for it in (answer, stored_answer)]
    assert read_points(scored[0]) == read_points(scored[1])


def test_a_form_that_was_only_opened_is_kept_as_a_draft(client):
    response = json.loads((RESPONSES / "medplum-phq4.json").read_text())
    subject = {"identifier": {"system": "urn:oid:1.2.3", "value": "MRN-0042"}}
    for item in response["item"][0]["item"]:
        item.pop("answer", None)
    draft = client.post(HERE, json=response | {"status": "in-progress", "subject": subject})
    assert (draft.status_code, draft.headers["etag"]) == (201, 'W/"draft-1"'), draft.text
