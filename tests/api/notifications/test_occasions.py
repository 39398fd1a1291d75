"""What queues a notification at each entrance: JSON, FHIR and the API of links."""

import pytest
from sqlalchemy import select
from support import builders
from support.builders import do
from support.callers import replace_service
from support.interop.questionnaire_responses import build_response, list_questions

from api.store.accounts import practitioners
from api.store.database.tables import NotificationRow

LINKS = "/v1/links"
LINK = {"patient": {"reference": "MRN-0042"}, "rulebook": "phq4"}
SEND_TO = {"medium": "email", "address": "patient@example.org"}


@pytest.fixture
def store(kept_service, kept_clinic):
    """The shared store, with a practitioner of the clinic who gets alerts."""
    store = kept_service.services.store
    do(store, kept_clinic, practitioners.add_practitioner, "r", "N", (), "grace@example.org")
    return store


@pytest.fixture
def with_mail(kept_service, monkeypatch):
    """The service sends e-mail, but no SMS."""
    settings = kept_service.services.settings.model_copy(update={"smtp_host": "127.0.0.1"})
    replace_service(kept_service, monkeypatch, settings=settings)


def list_kinds(store, clinic) -> list[str]:
    with store.read_all_organisations() as session:
        is_own = NotificationRow.organisation_id == clinic.organisation
        return sorted(session.execute(select(NotificationRow.kind).where(is_own)).scalars())


@pytest.mark.parametrize(
    ("example", "answered_by", "kinds"),
    [
        ("red_flag", "patient", ["alert"]),
        ("red_flag", "clinician", []),
        ("widespread_pain", "patient", []),
    ],
)
def test_an_urgent_screening_over_the_api_alerts_unless_a_clinician_entered_it(
    store, kept_client, kept_clinic, example, answered_by, kinds
):
    body = builders.request(example=example) | {"answered_by": answered_by}
    assert kept_client.post("/v1/screenings", json=body).status_code == 201
    assert list_kinds(store, kept_clinic) == kinds


@pytest.mark.parametrize(
    ("option", "kinds"), [("saddle_numbness", ["alert"]), ("none-of-these", [])]
)
def test_an_urgent_response_over_fhir_alerts(store, kept_client, kept_clinic, option, kinds):
    questionnaire = kept_client.get("/fhir/Questionnaire/nociplastic").json()
    values = {
        question["linkId"]: [choice]
        for _, question in list_questions(questionnaire)
        if question["linkId"] == "rf_spine_and_nerves"
        for choice in question["answerOption"]
        if choice["valueCoding"]["code"] == option
    }
    response = kept_client.post(
        "/fhir/QuestionnaireResponse",
        json=build_response(questionnaire, values),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert (len(values), response.status_code) == (1, 201)
    assert list_kinds(store, kept_clinic) == kinds


@pytest.mark.usefixtures("with_mail")
class TestALinkOverTheApi:
    @pytest.mark.parametrize(
        ("more", "kinds"),
        [
            ({"send_to": SEND_TO}, ["invitation", "reminder"]),
            ({"send_to": SEND_TO, "reminder_days": 0}, ["invitation"]),
            ({}, []),
        ],
    )
    def test_is_sent_on_request(self, store, kept_client, kept_clinic, more, kinds):
        response = kept_client.post(LINKS, json=LINK | more)
        assert response.status_code == 201
        assert list_kinds(store, kept_clinic) == kinds

    @pytest.mark.parametrize(
        ("send_to", "code"),
        [
            ({"medium": "sms", "address": "+447700900123"}, "not_configured"),
            ({"medium": "email", "address": "+447700900123"}, "wrong_value"),
        ],
    )
    def test_is_not_created_where_it_cannot_be_sent(
        self, store, kept_client, kept_clinic, send_to, code
    ):
        response = kept_client.post(LINKS, json=LINK | {"send_to": send_to})
        assert response.status_code == 422
        assert [error["code"] for error in response.json()["errors"]] == [code]
        assert kept_client.get(LINKS).json()["links"] == []
        assert list_kinds(store, kept_clinic) == []


@pytest.mark.usefixtures("with_mail")
def test_an_export_of_the_patient_holds_the_messages(kept_client):
    kept_client.post(LINKS, json=LINK | {"send_to": SEND_TO, "reminder_days": 0})
    exported = kept_client.post("/v1/patients/export", json={"reference": "MRN-0042"}).json()
    ((kind, address),) = [(it["kind"], it["address"]) for it in exported["notifications"]]
    assert (kind, address) == ("invitation", SEND_TO["address"])


def test_a_practitioner_has_an_address_that_can_be_removed(kept_client):
    new = {"reference": "x", "name": "Dr X", "email": "x@example.org"}
    practitioner = kept_client.post("/v1/practitioners", json=new).json()
    assert (practitioner["email"], practitioner["gets_alerts"]) == ("x@example.org", True)
    path, change = f"/v1/practitioners/{practitioner['id']}", {"email": None, "gets_alerts": False}
    updated = kept_client.patch(path, json=change).json()
    assert (updated["email"], updated["gets_alerts"]) == (None, False)
    assert kept_client.patch(path, json={"email": "no address"}).status_code == 422
