"""Launches from an EHR: who and for whom are as the EHR says, and nothing else is believed."""

from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import pytest
import time_machine
from support.browser.practitioners import (
    add_practitioner_login,
    open_browser,
    read_csrf_token,
    submit_login,
)
from support.builders import add, do
from support.callers import audited, replace_service
from support.interop.ehr_stand_in import CLIENT_ID, SYSTEM, running_ehr
from support.interop.hospital_issuers import Signer, allow_host

from api.auth.ehr_client import EhrClient
from api.http.rate_limit import RateLimiter
from api.outbound.bulkhead import Bulkhead
from api.store.accounts import issuers, login_credentials
from api.store.forms import links
from schemas.organisations.issuer import IssuerTerms

FAILED = "The launch did not work"


@pytest.fixture(scope="session")
def shared_ehr():
    with running_ehr() as ehr:
        yield ehr


@pytest.fixture
def ehr(shared_ehr, kept_service, kept_clinic, store):
    """An EHR that the clinic trusts."""
    shared_ehr.reset()
    shared_ehr.subject = f"practitioner-{uuid4()}"
    replace_service(kept_service, rate_limiter=RateLimiter())
    replace_service(kept_service, ehr_client=EhrClient(store, Bulkhead()))
    allow_host(store, kept_clinic, shared_ehr.host_port)
    terms = IssuerTerms(
        key_set_url=f"{shared_ehr.url}/jwks", client_id=CLIENT_ID, patient_system=SYSTEM
    )
    arguments = "launch", shared_ehr.fhir_url, "", terms
    issuer = do(store, kept_clinic, issuers.add_issuer, *arguments)
    yield shared_ehr
    do(store, kept_clinic, issuers.delete_issuer, issuer.id)


@pytest.fixture
def grace(store, kept_clinic):
    return add_practitioner_login(store, kept_clinic)


@pytest.fixture
def linked_login(store, kept_clinic, grace, ehr):
    """The practitioner, whose account of the EHR is linked."""
    do(store, kept_clinic, login_credentials.add_identity, grace.id, ehr.fhir_url, ehr.subject)
    return grace


@pytest.fixture
def browser(kept_service):
    return open_browser(kept_service)


def begin(browser, ehr, launch: str = "l-1") -> str:
    """Begin a launch; return the address that the EHR sends the browser back to."""
    query = {"iss": ehr.fhir_url} | ({"launch": launch} if launch else {})
    response = browser.get("/launch", params=query)
    assert response.status_code == 303, response.text
    target = urlsplit(response.headers["location"])
    _, back = ehr.answer_get(target.path, target.query, "")
    return "/launch/return?" + urlsplit(back).query


def launch_desk(browser, ehr, launch: str = "l-1") -> str:
    """Launch the desk; return the page on which the practitioner arrives."""
    response = browser.get(begin(browser, ehr, launch))
    assert response.headers["location"] == "/desk/launch", response.text
    return browser.get("/desk/launch").headers.get("location", "")


@pytest.mark.usefixtures("linked_login")
class TestALaunchByAKnownPractitioner:
    @pytest.mark.parametrize("launch", ["l-1", ""])
    def test_opens_the_page_of_the_patient(self, browser, ehr, store, kept_clinic, launch):
        screening = add(store, kept_clinic, "N-1", system=SYSTEM)
        location = launch_desk(browser, ehr, launch)
        assert location == f"/desk/screenings/{screening.id}/patient"
        assert browser.get(location).status_code == 200
        request = ehr.authorization
        scope = f"openid fhirUser {'launch' if launch else 'launch/patient'} patient/Patient.r"
        assert (request["scope"], request["aud"]) == (scope, ehr.fhir_url)
        assert request.get("launch", "") == launch
        assert request["code_challenge_method"] == "S256"
        assert "N-1" not in str(browser.cookies)

    def test_offers_an_intake_where_there_is_no_screening(self, browser, ehr, store, kept_clinic):
        add(store, kept_clinic, "N-1", system="urn:oid:9")
        assert launch_desk(browser, ehr) == ""
        page = browser.get("/desk/launch").text
        assert "Pat Test" in page
        fields = {"token": read_csrf_token(page), "rulebook": "phq4"}
        created = browser.post("/desk/launch/intake", data=fields)
        assert "/intake/" in created.text
        (link,) = do(store, kept_clinic, links.list_links, 9).links
        patient = link.patient
        assert (patient.reference, patient.system, patient.name) == ("N-1", SYSTEM, "Pat Test")
        assert browser.get("/desk/launch").headers["location"] == "/desk"

    def test_without_a_patient_opens_the_desk(self, browser, ehr):
        ehr.token = {}
        assert launch_desk(browser, ehr) == "/desk"


def list_ehr_practitioners(service, clinic):
    """What the audit says of the EHR's users: who, and with what outcome."""
    rows = [row for row in audited(service, clinic) if row.kind == "ehr_practitioner"]
    return [(row.action, row.target, row.outcome) for row in rows]


@pytest.mark.parametrize(
    ("fhir_user", "row"),
    [
        ("{ehr}/Practitioner/7", ("7", "ok")),
        ("Practitioner/7", ("7", "ok")),
        ("https://another.example/fhir/Practitioner/7", ("", "unnamed")),
        ("{ehr}/Patient/p1", ("", "unnamed")),
        (f"{{ehr}}/Practitioner/{'7' * 65}", ("", "unnamed")),
        (7, ("", "unnamed")),
        (None, ("", "unnamed")),
    ],
)
def test_the_audit_names_the_user_of_the_ehr_by_its_practitioner(
    browser, ehr, linked_login, kept_service, kept_clinic, monkeypatch, fhir_user, row
):
    claim = fhir_user.format(ehr=ehr.fhir_url) if isinstance(fhir_user, str) else fhir_user
    monkeypatch.setattr(ehr, "claims", {"fhirUser": claim})
    ehr.token = {}
    assert launch_desk(browser, ehr) == "/desk"
    assert list_ehr_practitioners(kept_service, kept_clinic) == [("sign_in", *row)]
    (login,) = [it for it in audited(kept_service, kept_clinic) if it.kind == "practitioner"]
    assert (login.action, login.actor) == ("sign_in", linked_login.id)


def test_a_user_whom_the_ehr_names_as_another_practitioner_has_no_other_rights(
    browser, ehr, linked_login, kept_service, store, kept_clinic, monkeypatch
):
    colleague = add_practitioner_login(store, kept_clinic)
    monkeypatch.setattr(ehr, "claims", {"fhirUser": f"Practitioner/{colleague.id}"})
    ehr.token = {}
    assert launch_desk(browser, ehr) == "/desk"
    logins = [row for row in audited(kept_service, kept_clinic) if row.action == "sign_in"]
    assert {row.actor for row in logins} == {linked_login.id}
    assert {row.target for row in logins} == {linked_login.id, colleague.id}


def test_an_unknown_practitioner_logs_in_once_and_links_the_account(
    browser, ehr, grace, kept_service, store, kept_clinic
):
    screening = add(store, kept_clinic, "N-1", system=SYSTEM)
    assert launch_desk(browser, ehr) == "/sign-in"
    assert submit_login(browser, grace).headers["location"] == "/desk/launch"
    page = browser.get("/desk/launch").text
    assert "N-1" not in page
    linking = browser.post("/desk/launch/identity", data={"token": read_csrf_token(page)})
    assert linking.headers["location"] == "/desk/launch"
    expected = f"/desk/screenings/{screening.id}/patient"
    assert browser.get("/desk/launch").headers["location"] == expected
    assert list_ehr_practitioners(kept_service, kept_clinic) == [("sign_in", "7", "ok")]
    browser.cookies.clear()
    assert launch_desk(browser, ehr) == expected


def test_an_account_that_is_linked_is_not_linked_again(
    browser, ehr, linked_login, kept_service, store, kept_clinic
):
    colleague = add_practitioner_login(store, kept_clinic)
    ehr.subject, own = "another", ehr.subject
    launch_desk(browser, ehr)
    submit_login(browser, linked_login)
    page = browser.get("/desk/launch").text
    response = browser.post("/desk/launch/identity", data={"token": read_csrf_token(page)})
    assert response.status_code == 409
    assert login_credentials.look_up_identity(store, ehr.fhir_url, own)[1] == linked_login.id
    ehr.subject = own
    other_browser = open_browser(kept_service)
    submit_login(other_browser, colleague)
    sealed_launch = browser_launch(browser, ehr)
    other_browser.cookies.set("nociscreen_launch", sealed_launch)
    assert other_browser.get("/desk/launch").status_code == 409


def test_an_account_is_linked_only_after_a_recent_login(browser, ehr, grace, store):
    with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
        submit_login(browser, grace)
        clock.shift(timedelta(minutes=9))
        launch_desk(browser, ehr)
        token = read_csrf_token(browser.get("/desk/launch").text)
        clock.shift(timedelta(minutes=2))
        response = browser.post("/desk/launch/identity", data={"token": token})
        assert response.headers["location"] == "/sign-in"
        assert login_credentials.look_up_identity(store, ehr.fhir_url, ehr.subject) is None
        assert browser.get("/desk").headers["location"] == "/sign-in"
        answer = submit_login(browser, grace, code=grace.codes[0])
        assert answer.headers["location"] == "/desk/launch"
        token = read_csrf_token(browser.get("/desk/launch").text)
        browser.post("/desk/launch/identity", data={"token": token})
        identity = login_credentials.look_up_identity(store, ehr.fhir_url, ehr.subject)
        assert identity[1] == grace.id


def test_an_ehr_cannot_name_an_account_of_another_issuer(
    browser, ehr, grace, store, kept_clinic, monkeypatch
):
    provider = "https://idp.example"
    do(store, kept_clinic, login_credentials.add_identity, grace.id, provider, ehr.subject)
    back = begin(browser, ehr)
    monkeypatch.setattr(ehr, "discovery", {"issuer": provider})
    monkeypatch.setattr(ehr, "claims", {"iss": provider})
    assert browser.get(back).headers["location"] == "/desk/launch"
    assert "nociscreen_session" not in browser.cookies
    assert browser.get("/desk/launch").headers["location"] == "/sign-in"


class TestAResponseThatNamesItsIssuer:
    """As RFC 9207 asks, so that the code of one EHR is never redeemed at another."""

    @pytest.fixture(autouse=True)
    def _linked(self, linked_login):
        pass

    def test_of_another_one_is_refused(self, browser, ehr):
        back = f"{begin(browser, ehr)}&iss=https%3A%2F%2Fanother.example"
        assert browser.get(back).status_code == 403
        assert ehr.redemption_count == 0

    def test_is_accepted(self, browser, ehr):
        back = f"{begin(browser, ehr)}&{urlencode({'iss': ehr.url})}"
        assert browser.get(back).headers["location"] == "/desk/launch"

    def test_is_required_where_the_ehr_says_so(self, browser, ehr, monkeypatch):
        supported = {"authorization_response_iss_parameter_supported": True}
        monkeypatch.setattr(ehr, "discovery", supported)
        assert browser.get(begin(browser, ehr)).status_code == 403


def browser_launch(browser, ehr) -> str:
    """Launch the desk; return the cookie that remembers for whom."""
    browser.get(begin(browser, ehr))
    return browser.cookies["nociscreen_launch"]


FAULTS = {  # what the EHR does wrong: the reason in the audit
    "discovery": ({"status": 500}, "discovery_refused"),
    "endpoint": ({"discovery": {"token_endpoint": "ftp://x"}}, "discovery_unreadable"),
    "another host": ({"discovery": {"token_endpoint": "http://192.0.2.1/t"}}, "token_not_allowed"),
    "no id token": ({"token": {"id_token": None}}, "no_id_token"),
    "another nonce": ({"claims": {"nonce": "another"}}, "id_token_malformed"),
    "another audience": ({"claims": {"aud": "another"}}, "id_token_audience"),
    "another issuer": ({"claims": {"iss": "https://another"}}, "id_token_issuer"),
    "expired": ({"claims": {"iat": 1, "exp": 2}}, "id_token_expired"),
    "another key": ({"key": Signer().key}, "id_token_signature"),
    "another patient": ({"patient": {"resourceType": "Patient", "id": "p2"}},
                        "patient_other_patient"),
    "no number": ({"patient": {"resourceType": "Patient", "id": "p1"}}, "patient_not_certain"),
    "unreadable patient": ({"token": {"patient": "p9"}}, "patient_refused"),
}  # fmt: skip


@pytest.mark.usefixtures("linked_login")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_EHR_is_refused_with_its_reason_in_the_audit_alone(  # noqa: N802
    name, browser, ehr, kept_service, kept_clinic, monkeypatch
):
    back = begin(browser, ehr)
    attributes, reason = FAULTS[name]
    for attribute, value in attributes.items():
        monkeypatch.setattr(ehr, attribute, value)
    if name == "another key":
        monkeypatch.setattr(ehr, "export_jwk", lambda: Signer().export_jwk())
    response = browser.get(back)
    assert (response.status_code, FAILED in response.text) == (403, True)
    assert reason not in response.text
    assert "nociscreen_session" not in browser.cookies
    kept_service.services.denied_requests.flush()
    refused_rows = [row for row in audited(kept_service, kept_clinic) if row.action == "refuse"]
    assert [(row.outcome, row.kind) for row in refused_rows] == [("bad_launch", reason)]


@pytest.mark.usefixtures("linked_login")
def test_a_response_without_its_own_launch_is_refused(browser, ehr, kept_service):
    back = begin(browser, ehr)
    state = parse_qs(urlsplit(back).query)["state"][0]
    for wrong_back in (back.replace(state, "another"), f"/launch/return?state={state}"):
        stranger = open_browser(kept_service)
        assert stranger.get(back).status_code == 403
        stranger.cookies.update(browser.cookies)
        assert stranger.get(wrong_back).status_code == 403
    with time_machine.travel(timedelta(minutes=11)):
        assert browser.get(back).status_code == 403


@pytest.mark.parametrize("iss", ["", "https://unknown.example/fhir", "x" * 500])
def test_a_launch_from_an_unknown_EHR_goes_nowhere(browser, iss):  # noqa: N802
    response = browser.get("/launch", params={"iss": iss})
    assert response.status_code == 403
    assert FAILED in response.text


def test_an_issuer_of_launches_has_a_client_id_and_no_other_has(store, kept_clinic):
    keys = [Signer().export_jwk()]
    for kind, client_id in (("launch", None), ("hooks", CLIENT_ID)):
        with pytest.raises(ValueError, match="client_id"):
            do(store, kept_clinic, issuers.add_issuer, kind, "https://ehr.example/fhir", "",
               IssuerTerms(keys=keys, client_id=client_id))  # fmt: skip
