"""CDS Hooks: cards for the patient whose chart is open, for authenticated EHRs."""

import json
import time
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from starlette.testclient import TestClient
from support.browser.practitioners import open_browser
from support.builders import CANONICAL, add, build_store_settings, do, request
from support.callers import audited, bearing, last_act, replace_service
from support.interop.ehr_stand_in import running_ehr
from support.interop.fhir_validators import needs_node, validate_resources
from support.interop.hospital_issuers import Hospital, Signer, allow_host

from api.auth.ehr_client import EhrClient
from api.main import create_app
from api.outbound.bulkhead import Bulkhead
from api.security.claims import CLOCK_SKEW_SECONDS
from api.store.accounts import issuers
from api.store.operations import housekeeping
from api.store.screenings import screenings
from schemas.organisations.issuer import IssuerTerms

BASE = "http://127.0.0.1:8000"
PATH = "/cds-services/nociplastic"
SYSTEM = "urn:oid:1.2.3"
SERVER = "https://ehr.example/fhir"


@pytest.fixture
def store(kept_service):
    return kept_service.services.store


@pytest.fixture
def ehr(store, kept_clinic):
    return Hospital(store, kept_clinic, "hooks", scopes=("screenings:read",), patient_system=SYSTEM)


def build_hook(number: str = "MRN-0042", system: str | None = SYSTEM, **members) -> dict:
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
    } | members


def call_service(
    service, ehr: Hospital, body=None, path: str = PATH, method: str = "POST", **claims
):
    token = ehr.sign_token(ehr.build_claims(**{"sub": None, "aud": BASE + path} | claims))
    return bearing(service, token).request(method, path, json=body)


def fetch_cards(service, ehr: Hospital, path: str = PATH, **members) -> list[dict]:
    response = call_service(service, ehr, build_hook(**members), path)
    assert response.status_code == 200, response.text
    return response.json()["cards"]


class TestDiscovery:
    def test_lists_a_service_for_each_instrument(self, kept_service, kept_clinic, ehr):
        response = call_service(kept_service, ehr, path="/cds-services", method="GET")
        services = response.json()["services"]
        assert {service["id"] for service in services} == {"nociplastic", "phq4"}
        for service in services:
            assert service["hook"] == "patient-view"
            assert service["prefetch"] == {"patient": "Patient/{{context.patientId}}"}
            assert fetch_cards(kept_service, ehr, f"/cds-services/{service['id']}")
        assert last_act(kept_service, kept_clinic)[0] == "read"


class TestCards:
    def test_of_a_patient_without_a_screening_say_that_it_is_due(self, kept_service, ehr):
        (card,) = fetch_cards(kept_service, ehr)
        assert card["summary"].endswith("questionnaire due")
        assert card["indicator"] == "info"
        (action,) = card["suggestions"][0]["actions"]
        task = action["resource"]
        assert (task["resourceType"], task["for"]) == ("Task", {"reference": "Patient/p1"})
        (task_input,) = task["input"]
        assert (
            task_input["valueCanonical"] == f"{CANONICAL}/Questionnaire/nociplastic-patient|2.0.0"
        )
        assert card["selectionBehavior"] == "at-most-one"

    def test_of_two_instruments_have_two_suggestions_with_stable_ids(self, kept_service, ehr):
        first, repeated, second, second_repeated = (
            fetch_cards(kept_service, ehr, f"/cds-services/{service}")[0]["suggestions"][0]["uuid"]
            for service in ("nociplastic", "phq4")
            for _ in range(2)
        )
        assert first == repeated
        assert second == second_repeated
        assert first != second

    @needs_node
    def test_suggest_an_order_that_validators_accept(self, kept_service, ehr):
        (card,) = fetch_cards(kept_service, ehr)
        (action,) = card["suggestions"][0]["actions"]
        assert validate_resources([action["resource"]]) == [[]]

    def test_of_a_screening_show_its_band_and_its_url(self, kept_service, store, kept_clinic, ehr):
        screening = add(store, kept_clinic, system=SYSTEM)
        *_, card = fetch_cards(kept_service, ehr)
        band = screening.assessment.totals["predominance"].band
        assert band in card["summary"].lower()
        assert card["indicator"] == "info"
        assert "not a diagnosis" in card["detail"]
        (link,) = card["links"]
        assert link["url"] == f"{BASE}/desk/screenings/{screening.id}"
        assert last_act(kept_service, kept_clinic) == ("read", "ok", "screening", screening.id)
        page = open_browser(kept_service).get(
            link["url"].removeprefix(BASE), follow_redirects=False
        )
        assert page.headers["location"].startswith("/sign-in")

    def test_red_flags_come_first(self, kept_service, store, kept_clinic, ehr):
        screening = add(store, kept_clinic, example="red_flag", system=SYSTEM)
        first, second = fetch_cards(kept_service, ehr)
        assert (first["indicator"], second["indicator"]) == ("critical", "critical")
        flags = screening.assessment.safety.flags
        assert flags
        for flag in flags:
            assert flag.label in first["detail"]
            assert flag.action in first["detail"]
        assert "Not acknowledged in nociscreen." in first["detail"]
        do(store, kept_clinic, screenings.acknowledge_red_flags, screening, "Dr G", "sent on")
        assert "\nAcknowledged in nociscreen." in fetch_cards(kept_service, ehr)[0]["detail"]

    def test_without_a_band_say_why(self, kept_service, kept_client, ehr):
        body = request("MRN-0042", "too_little_known", system=SYSTEM)
        assert kept_client.post("/v1/screenings", json=body).status_code == 201
        assert "insufficient information" in fetch_cards(kept_service, ehr)[-1]["summary"]

    def test_of_an_old_screening_say_its_age_and_that_another_is_due(
        self, kept_service, store, kept_clinic, ehr
    ):
        add(store, kept_clinic, system=SYSTEM)
        with time_machine.travel(time.time() + timedelta(days=89).total_seconds()):
            cards = fetch_cards(kept_service, ehr)
        assert [card["indicator"] for card in cards] == ["warning", "info"]
        assert [card for card in cards if "suggestions" in card] == []
        with time_machine.travel(time.time() + timedelta(days=90, hours=1).total_seconds()):
            *_, due = fetch_cards(kept_service, ehr)
        assert "more than 90 days ago" in due["detail"]

    def test_are_the_same_for_the_same_request(self, kept_service, store, kept_clinic, ehr):
        add(store, kept_clinic, system=SYSTEM)
        assert fetch_cards(kept_service, ehr) == fetch_cards(kept_service, ehr)

    def test_follow_the_standard_and_contain_no_diagnosis(
        self, kept_service, store, kept_clinic, ehr
    ):
        add(store, kept_clinic, example="red_flag", system=SYSTEM)
        with time_machine.travel(time.time() + timedelta(days=400).total_seconds()):
            cards = fetch_cards(kept_service, ehr)
        assert [card["indicator"] for card in cards] == ["critical", "critical", "info"]
        for card in cards:
            assert 0 < len(card["summary"]) < 140
            assert card["source"]["label"] == "nociscreen"
            assert all(card.values()), "no empty list, no null"
        text = json.dumps(cards)
        for word in ("Condition", "diagnosed", "systemActions", "icd", "snomed", "MRN-0042"):
            assert word not in text


class TestThePatient:
    @pytest.mark.parametrize(
        ("patient", "members"),
        [
            ({"system": SYSTEM}, {}),
            ({}, {}),  # the EHR's own system also matches patients without a system
            ({"reference": "p1", "system": SERVER}, {"number": "other"}),
            ({"reference": "p1", "system": SERVER}, {"fhirServer": f"{SERVER}/"}),
        ],
    )
    def test_is_found_by_number_and_system(
        self, kept_service, store, kept_clinic, ehr, patient, members
    ):
        add(store, kept_clinic, **{"reference": "MRN-0042"} | patient)
        assert fetch_cards(kept_service, ehr, **members)[0]["links"]

    @pytest.mark.parametrize(
        ("patient", "members"),
        [
            ({"system": "urn:oid:9"}, {}),
            ({"reference": "p1"}, {}),  # an id of the EHR is not a patient reference here
            ({"reference": "p1", "system": "https://other.example/fhir"}, {}),
            ({"reference": "MRN-0042"}, {"system": "urn:oid:9"}),
            ({"reference": "MRN-0042"}, {"system": None}),
            ({"reference": "p1", "system": SERVER}, {"fhirServer": None}),
            ({"reference": "mrn-0042", "system": SYSTEM}, {}),
        ],
    )
    def test_is_not_mistaken_for_another(
        self, kept_service, store, kept_clinic, ehr, patient, members
    ):
        add(store, kept_clinic, **patient)
        (card,) = fetch_cards(kept_service, ehr, **members)
        assert "links" not in card

    def test_is_looked_up_in_one_organisation_only(self, kept_service, store, other_clinic, ehr):
        other_screening = add(store, other_clinic, system=SYSTEM)
        (card,) = fetch_cards(kept_service, ehr)
        assert "links" not in card
        assert other_screening.id not in json.dumps(card)

    def test_has_the_latest_valid_screening(self, kept_service, store, kept_clinic, ehr):
        first = add(store, kept_clinic, system=SYSTEM)
        last = add(store, kept_clinic, system=SYSTEM)
        assert last.id in fetch_cards(kept_service, ehr)[0]["links"][0]["url"]
        do(store, kept_clinic, screenings.mark_entered_in_error, last, "another patient")
        assert first.id in fetch_cards(kept_service, ehr)[0]["links"][0]["url"]

    @pytest.mark.parametrize("prefetch", [None, {}, {"patient": None}])
    @pytest.mark.parametrize("missing", ["fhirServer", "fhirAuthorization"])
    def test_must_be_prefetched_or_readable(self, kept_service, ehr, prefetch, missing):
        hook = build_hook(prefetch=prefetch) | {missing: None}
        response = call_service(kept_service, ehr, hook)
        assert (response.status_code, response.json()["type"]) == (
            412,
            "/problems/prefetch_missing",
        )
        assert f"`{missing}`" in response.json()["detail"]

    def test_is_read_at_an_allowed_host_with_the_token_of_the_call(
        self, kept_service, kept_clinic, store, ehr
    ):
        screening = add(store, kept_clinic, "N-1", system=SYSTEM)
        with running_ehr() as chart:
            replace_service(kept_service, ehr_client=EhrClient(store, Bulkhead()))
            authorization = {"access_token": "an-access-token"}
            members = {"fhirServer": chart.fhir_url, "fhirAuthorization": authorization}
            hook = build_hook(prefetch=None, **members)
            refusals = [call_service(kept_service, ehr, hook)]
            allow_host(store, kept_clinic, chart.host_port)
            assert screening.id in fetch_cards(kept_service, ehr, **members, prefetch=None)[0][
                "links"][0]["url"]  # fmt: skip
            members["fhirAuthorization"] = {"access_token": "another"}
            refusals.append(call_service(kept_service, ehr, hook | members))
        assert [response.status_code for response in refusals] == [412, 412]
        kept_service.services.denied_requests.flush()
        reasons = [row.kind for row in audited(kept_service, kept_clinic) if row.action == "refuse"]
        assert reasons == ["patient_not_allowed", "patient_refused"]

    @pytest.mark.parametrize(
        "patient",
        [{"resourceType": "Patient", "id": "p2"}, {"id": "p1"}, {"resourceType": "Group"}],
    )
    def test_must_be_the_one_in_the_context(self, kept_service, ehr, patient):
        response = call_service(kept_service, ehr, build_hook(prefetch={"patient": patient}))
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/prefetch/patient"

    @pytest.mark.parametrize("identifier", [7, "x", [7], [{}], [{"system": 1, "value": []}]])
    def test_with_invalid_identifiers_has_no_screening(self, kept_service, ehr, identifier):
        patient = {"resourceType": "Patient", "id": "p1", "identifier": identifier}
        (card,) = fetch_cards(kept_service, ehr, prefetch={"patient": patient})
        assert "links" not in card


NOW = int(time.time())


class TestAnEhr:
    @pytest.mark.parametrize("algorithm", ["ES384", "RS384", "ES256"])
    def test_authenticates_by_its_own_key(self, kept_service, store, kept_clinic, algorithm):
        ehr = Hospital(store, kept_clinic, "hooks", algorithm)
        assert call_service(kept_service, ehr, build_hook()).status_code == 403
        terms = IssuerTerms(keys=[ehr.export_jwk()], scopes=("screenings:read",))
        do(store, kept_clinic, issuers.update_issuer, ehr.issuer.id, terms=terms)
        assert call_service(kept_service, ehr, build_hook()).status_code == 200

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
    def test_must_send_the_required_claims(self, kept_service, ehr, claims):
        with time_machine.travel(NOW, tick=False):
            response = call_service(kept_service, ehr, build_hook(), **claims)
        assert (response.status_code, response.json()["type"]) == (401, "/problems/invalid_token")

    def test_can_use_a_token_only_once(self, kept_service, kept_clinic, store, ehr):
        claims, start = ehr.build_claims(aud=BASE + PATH), time.time()
        caller = bearing(kept_service, ehr.sign_token(claims))
        assert caller.post(PATH, json=build_hook()).status_code == 200
        for later in (0, 200, 240 + CLOCK_SKEW_SECONDS - 2):
            with time_machine.travel(start + later, tick=False):
                housekeeping.run_housekeeping(store, "ES256", 30)
                assert caller.post(PATH, json=build_hook()).status_code == 401
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.outcome) == ("refuse", "invalid_token")

    def test_cannot_call_other_routes(self, kept_service, ehr):
        for path in ("/v1/screenings", "/fhir/Observation"):
            token = ehr.sign_token(ehr.build_claims(aud=BASE + path), typ="at+jwt")
            assert bearing(kept_service, token).get(path).status_code == 401

    def test_cannot_use_tokens_of_clients_or_users(
        self, kept_client, kept_clinic, kept_service, store
    ):
        assert kept_client.post(PATH, json=build_hook()).status_code == 401
        access = Hospital(store, kept_clinic, "access", audience=BASE + PATH,
                          scopes=("screenings:read",))  # fmt: skip
        assert call_service(kept_service, access, build_hook()).status_code == 401

    def test_cannot_sign_with_another_key(self, kept_service, ehr):
        for signer in (Signer(), Signer("RS256")):
            token = signer.sign_token(ehr.build_claims(aud=BASE + PATH))
            assert bearing(kept_service, token).post(PATH, json=build_hook()).status_code == 401

    def test_cannot_name_a_key_url_in_a_token(self, kept_service, ehr):
        token = ehr.sign_token(
            ehr.build_claims(aud=BASE + PATH), jku="https://attacker.example/jwks"
        )
        assert bearing(kept_service, token).post(PATH, json=build_hook()).status_code == 401

    def test_gets_404_for_an_unknown_service(self, kept_service, ehr):
        for path in ("/cds-services/unknown", "/cds-services/unknown/feedback"):
            body = build_hook() if path.endswith("unknown") else build_feedback(str(uuid4()))
            assert call_service(kept_service, ehr, body, path).status_code == 404

    @pytest.mark.parametrize(
        "change",
        [{"hook": "order-sign"}, {"hookInstance": "1"}, {"context": {}}, {"fhirServer": "x"},
         {"context": {"patientId": "a b"}}],
        ids=str,
    )  # fmt: skip
    def test_must_send_a_valid_hook(self, kept_service, ehr, change):
        assert call_service(kept_service, ehr, build_hook(**change)).status_code == 422

    def test_has_its_access_token_neither_returned_nor_logged(self, kept_service, ehr, capfd):
        response = call_service(kept_service, ehr, build_hook())
        assert "opens-the-ehr" not in response.text + capfd.readouterr().out


def build_feedback(card: str, **members) -> dict:
    feedback = {"card": card, "outcome": "accepted", "outcomeTimestamp": "2026-11-20T10:00:00Z"}
    return {"feedback": [feedback | members]}


class TestFeedback:
    def test_is_recorded_without_its_text(self, kept_service, kept_clinic, ehr):
        (card,) = fetch_cards(kept_service, ehr)
        override = {
            "outcome": "overridden",
            "overrideReason": {"reason": {"code": "x"}, "userComment": "Mrs Example is ill"},
        }
        acceptance = {"acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
        for members in (acceptance, override):
            body = build_feedback(card["uuid"], **members)
            response = call_service(kept_service, ehr, body, f"{PATH}/feedback")
            assert (response.status_code, response.json()) == (200, {})
        rows = audited(kept_service, kept_clinic)
        assert [(row.action, row.kind, row.outcome, row.target) for row in rows[-2:]] == [
            ("answer", "card", "accepted", card["uuid"]),
            ("answer", "card", "overridden", card["uuid"]),
        ]
        assert "Example" not in str(rows)

    @pytest.mark.parametrize(
        "body",
        [{}, {"feedback": []}, build_feedback("x"), build_feedback(str(uuid4()), outcome="liked")],
    )
    def test_of_another_form_is_refused(self, kept_service, ehr, body):
        assert call_service(kept_service, ehr, body, f"{PATH}/feedback").status_code == 422


class TestBrowsers:
    PREFLIGHT = {  # noqa: RUF012 - a constant
        "Origin": "https://ehr.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }

    @pytest.fixture
    def browser(self, tmp_path):
        app = create_app(
            build_store_settings(
                tmp_path, cds_hooks_origins="https://ehr.example, https://b.example"
            )
        )
        yield TestClient(app)
        app.services.renderer.close()
        app.services.store.close()

    def test_may_discover_without_a_token_where_the_operator_chose_so(
        self, tmp_path, kept_anonymous
    ):
        assert kept_anonymous.get("/cds-services").status_code == 401
        app = create_app(build_store_settings(tmp_path, cds_hooks_public_discovery=True))
        response = TestClient(app).get("/cds-services")
        assert [row["hook"] for row in response.json()["services"]] == ["patient-view"] * 2
        wrong_token = {"Authorization": "Bearer x"}
        assert TestClient(app).get("/cds-services", headers=wrong_token).status_code == 401
        app.services.renderer.close()
        app.services.store.close()

    def test_may_not_call_by_default(self, anonymous):
        response = anonymous.options(PATH, headers=self.PREFLIGHT)
        assert response.status_code == 405
        assert "access-control-allow-origin" not in response.headers

    def test_may_call_hooks_from_configured_origins(self, browser):
        response = browser.options(PATH, headers=self.PREFLIGHT)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "https://ehr.example"
        response = browser.post(PATH, headers={"Origin": "https://b.example"})
        assert response.status_code == 401
        assert response.headers["access-control-allow-origin"] == "https://b.example"

    def test_may_not_call_from_other_origins_or_other_routes(self, browser):
        for origin, path in (
            ("https://x.example", PATH),
            ("https://ehr.example", "/v1/score"),
            ("https://ehr.example", "/cds-services-x"),
        ):
            response = browser.options(path, headers=self.PREFLIGHT | {"Origin": origin})
            assert "access-control-allow-origin" not in response.headers
