"""CDS Hooks: cards beside a chart, for EHRs that prove themselves, of the patient that is open."""

import json
import time
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from starlette.testclient import TestClient
from support.browser.practitioners import visiting
from support.builders import add, do, kept_in, request
from support.callers import audited, bearing, last_act
from support.interop.fhir_validators import faults, needs_node
from support.interop.hospital_issuers import Hospital, Signer

from api.main import create_app
from api.security.claims import CLOCK_SKEW_SECONDS
from api.store.accounts import issuers
from api.store.operations import housekeeping
from api.store.screenings import screenings
from schemas.issuer import IssuerTerms

BASE = "http://127.0.0.1:8000"
PATH = "/cds-services/nociplastic"
SYSTEM = "urn:oid:1.2.3"
SERVER = "https://ehr.example/fhir"


@pytest.fixture
def store(kept_service):
    return kept_service.state.store


@pytest.fixture
def ehr(store, kept_clinic):
    return Hospital(store, kept_clinic, "hooks", scopes=("screenings:read",), patient_system=SYSTEM)


def hook(number: str = "MRN-0042", system: str | None = SYSTEM, **more) -> dict:
    identifier = {"value": number} | ({"system": system} if system else {})
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "fhirServer": SERVER,
        "fhirAuthorization": {"access_token": "opens-the-ehr", "token_type": "Bearer"},
        "context": {"userId": "Practitioner/dr1", "patientId": "p1"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "p1", "identifier": [identifier]}
        },
    } | more


def called(service, ehr: Hospital, body=None, path: str = PATH, method: str = "POST", **claims):
    token = ehr.token(ehr.claims(**{"sub": None, "aud": BASE + path} | claims))
    return bearing(service, token).request(method, path, json=body)


def cards(service, ehr: Hospital, **more) -> list[dict]:
    answer = called(service, ehr, hook(**more))
    assert answer.status_code == 200, answer.text
    return answer.json()["cards"]


class TestDiscovery:
    def test_names_a_service_for_each_instrument(self, kept_service, kept_clinic, ehr):
        answer = called(kept_service, ehr, path="/cds-services", method="GET")
        services = answer.json()["services"]
        assert {each["id"] for each in services} == {"nociplastic", "phq4"}
        for each in services:
            assert each["hook"] == "patient-view"
            assert each["prefetch"] == {"patient": "Patient/{{context.patientId}}"}
            assert cards_of(called(kept_service, ehr, hook(), f"/cds-services/{each['id']}"))
        assert last_act(kept_service, kept_clinic)[0] == "read"


def cards_of(answer) -> list[dict]:
    return answer.json()["cards"]


class TestCards:
    def test_of_a_patient_of_whom_nothing_is_kept_say_that_it_is_due(self, kept_service, ehr):
        (card,) = cards(kept_service, ehr)
        assert card["summary"].endswith("questionnaire due")
        assert card["indicator"] == "info"
        (action,) = card["suggestions"][0]["actions"]
        task = action["resource"]
        assert (task["resourceType"], task["for"]) == ("Task", {"reference": "Patient/p1"})
        (asked,) = task["input"]
        assert asked["valueCanonical"] == f"{BASE}/fhir/Questionnaire/nociplastic-patient|1.0.0"
        assert card["selectionBehavior"] == "at-most-one"

    def test_of_two_instruments_suggest_two_things_and_the_same_each_time(self, kept_service, ehr):
        told = [
            each["suggestions"][0]["uuid"]
            for service in ("nociplastic", "phq4")
            for _ in range(2)
            for each in cards_of(called(kept_service, ehr, hook(), f"/cds-services/{service}"))
        ]
        assert told[0] == told[1] != told[2] == told[3]

    @needs_node
    def test_suggest_an_order_that_validators_of_others_take(self, kept_service, ehr):
        (card,) = cards(kept_service, ehr)
        (action,) = card["suggestions"][0]["actions"]
        assert faults([action["resource"]]) == [[]]

    def test_of_a_screening_tell_its_band_and_where_it_is(
        self, kept_service, store, kept_clinic, ehr
    ):
        made = add(store, kept_clinic, system=SYSTEM)
        *_, card = cards(kept_service, ehr)
        band = made.assessment.totals["predominance"].band
        assert band in card["summary"].lower()
        assert card["indicator"] == "info"
        assert "not a diagnosis" in card["detail"]
        (link,) = card["links"]
        assert link["url"] == f"{BASE}/desk/screenings/{made.id}"
        assert last_act(kept_service, kept_clinic) == ("read", "ok", "screening", made.id)
        page = visiting(kept_service).get(link["url"].removeprefix(BASE), follow_redirects=False)
        assert page.headers["location"].startswith("/sign-in")

    def test_red_flags_come_first(self, kept_service, store, kept_clinic, ehr):
        made = add(store, kept_clinic, example="red_flag", system=SYSTEM)
        first, second = cards(kept_service, ehr)
        assert first["indicator"] in ("warning", "critical")
        for flag in made.assessment.safety.flags:
            assert flag.label in first["detail"]
            assert flag.action in first["detail"]
        assert "Not acknowledged" in first["detail"]
        assert second["indicator"] == "info"
        do(store, kept_clinic, screenings.acknowledge_red_flags, made, "Dr G", "sent on")
        assert "Somebody acknowledged" in cards(kept_service, ehr)[0]["detail"]

    def test_what_is_withheld_is_said_to_be(self, kept_service, kept_client, ehr):
        body = request("MRN-0042", "too_little_known", system=SYSTEM)
        assert kept_client.post("/v1/screenings", json=body).status_code == 201
        assert "too little is known" in cards(kept_service, ehr)[-1]["summary"]

    def test_of_a_screening_that_is_old_say_so_and_that_another_is_due(
        self, kept_service, store, kept_clinic, ehr
    ):
        add(store, kept_clinic, system=SYSTEM)
        with time_machine.travel(time.time() + timedelta(days=89).total_seconds()):
            assert not any("suggestions" in each for each in cards(kept_service, ehr))
        with time_machine.travel(time.time() + timedelta(days=90, hours=1).total_seconds()):
            *_, due = cards(kept_service, ehr)
        assert "more than 90 days ago" in due["detail"]

    def test_are_the_same_when_asked_for_again(self, kept_service, store, kept_clinic, ehr):
        add(store, kept_clinic, system=SYSTEM)
        assert cards(kept_service, ehr) == cards(kept_service, ehr)

    def test_hold_what_the_standard_asks_and_no_diagnosis(
        self, kept_service, store, kept_clinic, ehr
    ):
        add(store, kept_clinic, example="red_flag", system=SYSTEM)
        with time_machine.travel(time.time() + timedelta(days=400).total_seconds()):
            told = cards(kept_service, ehr)
        assert [each["indicator"] for each in told] == ["critical", "info", "info"] or [
            each["indicator"] for each in told
        ] == ["warning", "info", "info"]
        for card in told:
            assert 0 < len(card["summary"]) < 140
            assert card["source"]["label"] == "nociscreen"
            assert all(card.values()), "no empty list, no null"
        text = json.dumps(told)
        for word in ("Condition", "diagnosed", "systemActions", "icd", "snomed", "MRN-0042"):
            assert word not in text


class TestWhoseChart:
    @pytest.mark.parametrize(
        ("kept", "asked"),
        [
            ({"system": SYSTEM}, {}),
            ({}, {}),  # its identifier system is the one by which patients without any are numbered
            ({"reference": "p1", "system": SERVER}, {"number": "other"}),
            ({"reference": "p1", "system": SERVER}, {"fhirServer": f"{SERVER}/"}),
        ],
    )
    def test_is_found_by_number_and_system(
        self, kept_service, store, kept_clinic, ehr, kept, asked
    ):
        add(store, kept_clinic, **{"reference": "MRN-0042"} | kept)
        assert cards(kept_service, ehr, **asked)[0]["links"]

    @pytest.mark.parametrize(
        ("kept", "asked"),
        [
            ({"system": "urn:oid:9"}, {}),
            ({"reference": "p1"}, {}),  # a bare id of the EHR is no number of ours
            ({"reference": "p1", "system": "https://other.example/fhir"}, {}),
            ({"reference": "MRN-0042"}, {"system": "urn:oid:9"}),
            ({"reference": "MRN-0042"}, {"system": None}),
            ({"reference": "p1", "system": SERVER}, {"fhirServer": None}),
            ({"reference": "mrn-0042", "system": SYSTEM}, {}),
        ],
    )
    def test_is_not_taken_for_another(self, kept_service, store, kept_clinic, ehr, kept, asked):
        add(store, kept_clinic, **kept)
        (card,) = cards(kept_service, ehr, **asked)
        assert "links" not in card

    def test_is_looked_up_in_one_organisation_alone(self, kept_service, store, other_clinic, ehr):
        theirs = add(store, other_clinic, system=SYSTEM)
        (card,) = cards(kept_service, ehr)
        assert "links" not in card
        assert theirs.id not in json.dumps(card)

    def test_shows_what_holds_and_not_what_was_corrected(
        self, kept_service, store, kept_clinic, ehr
    ):
        first = add(store, kept_clinic, system=SYSTEM)
        last = add(store, kept_clinic, system=SYSTEM)
        assert last.id in cards(kept_service, ehr)[0]["links"][0]["url"]
        do(store, kept_clinic, screenings.mark_entered_in_error, last, "another patient")
        assert first.id in cards(kept_service, ehr)[0]["links"][0]["url"]

    @pytest.mark.parametrize("prefetch", [None, {}, {"patient": None}])
    def test_must_be_told(self, kept_service, ehr, prefetch):
        answer = called(kept_service, ehr, hook(prefetch=prefetch))
        assert (answer.status_code, answer.json()["type"]) == (412, "/problems/prefetch_missing")

    @pytest.mark.parametrize(
        "patient",
        [{"resourceType": "Patient", "id": "p2"}, {"id": "p1"}, {"resourceType": "Group"}],
    )
    def test_is_the_one_that_the_context_names(self, kept_service, ehr, patient):
        answer = called(kept_service, ehr, hook(prefetch={"patient": patient}))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/prefetch/patient"

    @pytest.mark.parametrize("identifier", [7, "x", [7], [{}], [{"system": 1, "value": []}]])
    def test_with_identifiers_that_are_none_has_nothing_kept(self, kept_service, ehr, identifier):
        patient = {"resourceType": "Patient", "id": "p1", "identifier": identifier}
        (card,) = cards(kept_service, ehr, prefetch={"patient": patient})
        assert "links" not in card


NOW = int(time.time())


class TestAnEhr:
    @pytest.mark.parametrize("algorithm", ["ES384", "RS384", "ES256"])
    def test_proves_itself_by_its_own_key(self, kept_service, store, kept_clinic, algorithm):
        ehr = Hospital(store, kept_clinic, "hooks", algorithm)
        assert called(kept_service, ehr, hook()).status_code == 403
        terms = IssuerTerms(keys=[ehr.jwk()], scopes=("screenings:read",))
        do(store, kept_clinic, issuers.update_issuer, ehr.entered.id, terms=terms)
        assert called(kept_service, ehr, hook()).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": BASE},
            {"aud": f"{BASE}/cds-services"},
            {"aud": f"{BASE}{PATH}/feedback"},
            {"aud": f"{BASE}{PATH}/"},
            {"aud": f"http://testserver{PATH}"},
            {"aud": [BASE + PATH, "https://other.example"]},
            {"iss": "https://other.example"},
            {"exp": NOW - 1},
            {"exp": NOW + 3600},
            {"exp": None},
            {"iat": None},
            {"jti": None},
            {"jti": ""},
        ],
    )
    def test_says_who_for_what_and_for_how_long(self, kept_service, ehr, claims):
        with time_machine.travel(NOW, tick=False):
            answer = called(kept_service, ehr, hook(), **claims)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad_token")

    def test_uses_a_token_once_however_long_it_keeps_it(
        self, kept_service, kept_clinic, store, ehr
    ):
        told, start = ehr.claims(aud=BASE + PATH), time.time()
        caller = bearing(kept_service, ehr.token(told))
        assert caller.post(PATH, json=hook()).status_code == 200
        for later in (0, 200, 240 + CLOCK_SKEW_SECONDS - 2):
            with time_machine.travel(start + later, tick=False):
                housekeeping.run_housekeeping(store, "ES256", 30)
                assert caller.post(PATH, json=hook()).status_code == 401
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.outcome) == ("refuse", "bad_token")

    def test_is_no_caller_anywhere_else(self, kept_service, ehr):
        for path in ("/v1/screenings", "/fhir/Observation"):
            token = ehr.token(ehr.claims(aud=BASE + path), typ="at+jwt")
            assert bearing(kept_service, token).get(path).status_code == 401

    def test_is_not_a_client_of_ours(self, kept_client, kept_clinic, kept_service, store):
        assert kept_client.post(PATH, json=hook()).status_code == 401
        access = Hospital(store, kept_clinic, "access", audience=BASE + PATH,
                          scopes=("screenings:read",))  # fmt: skip
        assert called(kept_service, access, hook()).status_code == 401

    def test_signs_by_no_key_of_another(self, kept_service, ehr):
        for signer in (Signer(), Signer("RS256")):
            token = signer.token(ehr.claims(aud=BASE + PATH))
            assert bearing(kept_service, token).post(PATH, json=hook()).status_code == 401

    def test_follows_no_key_address_of_a_token(self, kept_service, ehr):
        token = ehr.token(ehr.claims(aud=BASE + PATH), jku="https://attacker.example/jwks")
        assert bearing(kept_service, token).post(PATH, json=hook()).status_code == 401

    def test_asks_for_a_service_that_there_is(self, kept_service, ehr):
        for path in ("/cds-services/nobody", "/cds-services/nobody/feedback"):
            body = hook() if path.endswith("nobody") else feedback(str(uuid4()))
            assert called(kept_service, ehr, body, path).status_code == 404

    @pytest.mark.parametrize(
        "change",
        [{"hook": "order-sign"}, {"hookInstance": "1"}, {"context": {}}, {"fhirServer": "x"},
         {"context": {"patientId": "a b"}}],
        ids=str,
    )  # fmt: skip
    def test_sends_what_the_standard_says(self, kept_service, ehr, change):
        assert called(kept_service, ehr, hook(**change)).status_code == 422

    def test_opens_itself_to_nobody(self, kept_service, ehr, capfd):
        answer = called(kept_service, ehr, hook())
        assert "opens-the-ehr" not in answer.text + capfd.readouterr().output


def feedback(card: str, **more) -> dict:
    told = {"card": card, "outcome": "accepted", "outcomeTimestamp": "2026-11-20T10:00:00Z"}
    return {"feedback": [told | more]}


class TestFeedback:
    def test_is_written_down_without_a_word_of_what_was_said(self, kept_service, kept_clinic, ehr):
        (card,) = cards(kept_service, ehr)
        said = {
            "outcome": "overridden",
            "overrideReason": {"reason": {"code": "x"}, "userComment": "Mrs Example is ill"},
        }
        for more in ({"acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}, said):
            body = feedback(card["uuid"], **more)
            answer = called(kept_service, ehr, body, f"{PATH}/feedback")
            assert (answer.status_code, answer.json()) == (200, {})
        rows = audited(kept_service, kept_clinic)
        assert [(row.action, row.kind, row.outcome, row.target) for row in rows[-2:]] == [
            ("answer", "card", "accepted", card["uuid"]),
            ("answer", "card", "overridden", card["uuid"]),
        ]
        assert "Example" not in str(rows)

    @pytest.mark.parametrize(
        "body", [{}, {"feedback": []}, feedback("x"), feedback(str(uuid4()), outcome="liked")]
    )
    def test_of_another_shape_is_refused(self, kept_service, ehr, body):
        assert called(kept_service, ehr, body, f"{PATH}/feedback").status_code == 422


class TestBrowsers:
    ASKING = {  # noqa: RUF012 - the same for each
        "Origin": "https://ehr.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }

    @pytest.fixture
    def configured(self, tmp_path):
        app = create_app(kept_in(tmp_path, hooks_origins="https://ehr.example, https://b.example"))
        yield TestClient(app)
        app.state.renderer.close()
        app.state.store.close()

    def test_may_call_from_nowhere_by_default(self, anonymous):
        answer = anonymous.options(PATH, headers=self.ASKING)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers

    def test_may_call_hooks_from_where_it_is_configured(self, configured):
        answer = configured.options(PATH, headers=self.ASKING)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://ehr.example"
        told = configured.post(PATH, headers={"Origin": "https://b.example"})
        assert told.status_code == 401
        assert told.headers["access-control-allow-origin"] == "https://b.example"

    def test_may_call_nothing_else_and_from_nowhere_else(self, configured):
        for origin, path in (
            ("https://x.example", PATH),
            ("https://ehr.example", "/v1/score"),
            ("https://ehr.example", "/cds-services-x"),
        ):
            answer = configured.options(path, headers=self.ASKING | {"Origin": origin})
            assert "access-control-allow-origin" not in answer.headers
