"""Signing in at an identity provider, and the responses of a provider that are refused."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from sqlalchemy import select
from sqlmodel import col
from support.browser.identity_provider import open_identity_provider
from support.browser.practitioners import (
    PASSWORD,
    add_practitioner_login,
    open_browser,
    open_signed_in_browser,
    read_csrf_token,
    submit_form,
    submit_login,
)
from support.builders import Clinic, do
from support.callers import audited, replace_service

from api.auth.admission import WRONG_INVITATIONS
from api.auth.oidc_client import MAX_RESPONSE_BYTES
from api.http.rate_limit import RateLimiter
from api.main import create_app
from api.store.accounts import invitations, login_credentials, organisations, practitioners
from api.store.database.tables import SessionRow
from api.store.errors import UnavailableError

PUBLIC_URL = "http://testserver"
LOGIN_AT = 1_795_608_000


@pytest.fixture(scope="session")
def shared_provider():
    with open_identity_provider() as listening:
        yield listening


@pytest.fixture
def provider(shared_provider):
    shared_provider.__dict__.update(
        subject=f"auth0|{uuid4()}",
        claims={},
        header={},
        discovery={},
        body=b"",
        signing_key=shared_provider.private_key,
    )
    return shared_provider


@pytest.fixture
def service(kept_service, provider):
    """The service, with the provider set."""
    settings = kept_service.services.settings.model_copy(
        update={
            "public_url": PUBLIC_URL,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": "nociscreen",
            "oidc_client_secret": SecretStr("s3cret"),
            "oidc_name": "Clinic Account",
        }
    )
    return create_app(settings, store=kept_service.services.store)


@pytest.fixture
def invited(service, kept_clinic):
    """The secret of an invitation."""
    store = service.services.store
    practitioner = do(
        store,
        kept_clinic,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    return do(store, kept_clinic, invitations.add_invitation, practitioner.id)[1]


def sign_in_at_provider(client, provider, start="/sign-in/provider", **changes):
    """Follow the redirect to the provider and back; return the response."""
    start_response = client.get(start)
    assert start_response.status_code == 303, start_response.text
    return_url = provider.authorize(start_response.headers["location"])
    for old, new in changes.items():
        return_url = return_url.replace(
            f"{old}={parse_qs(urlsplit(return_url).query)[old][0]}", f"{old}={new}"
        )
    return client.get(return_url.removeprefix(PUBLIC_URL))


def accept_at_provider(service, provider, invited):
    """Return a browser whose practitioner accepted the invitation at the provider."""
    client = open_browser(service)
    answer = sign_in_at_provider(client, provider, f"/invitation/{invited}/provider")
    assert answer.headers["location"] == "/desk"
    return client


def is_signed_in(client) -> bool:
    return client.get("/desk/account").status_code == 200


def test_after_acceptance_the_practitioner_signs_in_at_the_provider_alone(
    service, kept_clinic, provider, invited
):
    assert is_signed_in(accept_at_provider(service, provider, invited))
    client = open_browser(service)
    assert sign_in_at_provider(client, provider).headers["location"] == "/desk"
    assert is_signed_in(client)
    assert audited(service, kept_clinic)[-2].action == "sign_in"
    again = open_browser(service).get(f"/invitation/{invited}/provider")
    assert again.status_code == 404


def test_the_request_has_state_nonce_and_challenge_and_no_personal_data(service, provider, invited):
    accept_at_provider(service, provider, invited)
    first = provider.authorization_request
    sign_in_at_provider(open_browser(service), provider)
    second = provider.authorization_request
    assert first["code_challenge_method"] == "S256"
    assert set(first) == {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
                          "code_challenge", "code_challenge_method"}  # fmt: skip
    assert not {first[e] for e in ("state", "nonce", "code_challenge")} & set(second.values())
    assert invited not in str(first)


def test_an_unknown_identity_is_refused(service, provider):
    provider.subject = "an-unknown-subject"
    client = open_browser(service)
    assert sign_in_at_provider(client, provider).headers["location"] == "/sign-in?provider=failed"
    assert "failed" in client.get("/sign-in?provider=failed").text
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"nonce": 1}, {"aud": "another"}, {"aud": None},
        {"aud": ["nociscreen", "another"]}, {"iss": "https://evil.example"}, {"iss": None},
        {"exp": 1}, {"exp": None}, {"exp": 10**12}, {"iat": None}, {"iat": 10**11}, {"sub": None},
        {"sub": ""}, {"sub": "x" * 300}, {"sub": 7}, {"azp": "another"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_with_wrong_claims_is_refused(service, provider, invited, claims):
    accept_at_provider(service, provider, invited)
    provider.claims = claims
    client = open_browser(service)
    assert sign_in_at_provider(client, provider).headers["location"] == "/sign-in?provider=failed"
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"kid": "k2"}, {"typ": "at+jwt"}, {"crit": []}],
    ids=str,
)  # fmt: skip
def test_a_token_with_a_wrong_header_is_refused(service, provider, invited, header):
    accept_at_provider(service, provider, invited)
    provider.header = header
    assert (
        sign_in_at_provider(open_browser(service), provider).headers["location"]
        == "/sign-in?provider=failed"
    )


def test_a_configured_authentication_class_is_requested_and_required(service, provider, invited):
    accept_at_provider(service, provider, invited)
    settings = service.services.settings.model_copy(update={"oidc_acr_values": "mfa phr"})
    strict = create_app(settings, store=service.services.store)
    locations = []
    for acr in ("phr", "password", None, ["mfa"], ""):
        provider.claims = {"acr": acr}
        answer = sign_in_at_provider(open_browser(strict), provider)
        locations.append(answer.headers["location"])
    assert provider.authorization_request["acr_values"] == "mfa phr"
    assert locations == ["/desk"] + ["/sign-in?provider=failed"] * 4


def test_a_token_signed_by_another_key_is_refused(service, provider, invited):
    accept_at_provider(service, provider, invited)
    provider.signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert (
        sign_in_at_provider(open_browser(service), provider).headers["location"]
        == "/sign-in?provider=failed"
    )


class TestReturn:
    def has_failed(self, client, address) -> bool:
        return client.get(address).headers["location"] == "/sign-in?provider=failed"

    def test_with_another_state_or_code_fails(self, service, provider, invited):
        accept_at_provider(service, provider, invited)
        for changes in ({"state": "x"}, {"code": "c2"}):
            answer = sign_in_at_provider(open_browser(service), provider, **changes)
            assert answer.headers["location"] == "/sign-in?provider=failed"

    def test_in_another_browser_fails(self, service, provider, invited):
        accept_at_provider(service, provider, invited)
        start_response = open_browser(service).get("/sign-in/provider")
        return_url = provider.authorize(start_response.headers["location"]).removeprefix(PUBLIC_URL)
        assert self.has_failed(open_browser(service), return_url)
        other_browser = open_browser(service)
        other_browser.get("/sign-in/provider")
        assert self.has_failed(other_browser, return_url)

    def test_is_valid_once_and_for_ten_minutes(self, service, provider, invited):
        accept_at_provider(service, provider, invited)
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            client = open_browser(service)
            start_response = client.get("/sign-in/provider")
            return_url = provider.authorize(start_response.headers["location"]).removeprefix(
                PUBLIC_URL
            )
            clock.shift(timedelta(minutes=11))
            assert self.has_failed(client, return_url)
        client = open_browser(service)
        start_response = client.get("/sign-in/provider")
        return_url = provider.authorize(start_response.headers["location"]).removeprefix(PUBLIC_URL)
        assert client.get(return_url).headers["location"] == "/desk"
        assert self.has_failed(client, return_url)

    @pytest.mark.parametrize("query", ["", "?error=access_denied&state=x", "?code=&state=", "?x"])
    def test_without_a_login_in_progress_fails(self, service, query):
        assert self.has_failed(open_browser(service), f"/sign-in/provider/return{query}")

    def test_with_another_issuer_fails(self, service, provider, invited):
        accept_at_provider(service, provider, invited)
        client = open_browser(service)
        return_url = provider.authorize(client.get("/sign-in/provider").headers["location"])
        assert self.has_failed(
            client, return_url.removeprefix(PUBLIC_URL) + "&iss=https://evil.example"
        )


ENDING_PATH = "/desk/account/sessions/others/provider"


class TestEndingSessions:
    @pytest.fixture
    def browsers(self, service, provider, invited):
        """Two browsers in which the practitioner is signed in; the clock stands still."""
        with time_machine.travel(LOGIN_AT, tick=False):
            first, second = accept_at_provider(service, provider, invited), open_browser(service)
            sign_in_at_provider(second, provider)
            yield first, second

    def end_sessions(self, client, provider, path=ENDING_PATH, **claims):
        """Log in again at the provider, and return the address that the browser is sent to."""
        provider.claims = {"auth_time": LOGIN_AT} | claims
        return sign_in_at_provider(client, provider, path).headers["location"]

    def test_asks_the_provider_for_a_new_login(self, browsers, provider):
        first = browsers[0]
        location = self.end_sessions(first, provider)
        request = provider.authorization_request
        assert (request["prompt"], request["max_age"]) == ("login", "0")
        assert location == "/desk/account?ended"
        assert "You were signed out there." in first.get(location).text
        assert [is_signed_in(browser) for browser in browsers] == [True, False]

    def test_is_offered_for_each_other_session(self, browsers, provider):
        first, second = browsers
        addresses = re.findall(
            r'href="(/desk/account/sessions/[^"]+)"', first.get("/desk/account").text
        )
        assert (len(addresses), addresses[0]) == (2, ENDING_PATH)
        assert self.end_sessions(first, provider, addresses[1]) == "/desk/account?ended"
        assert not is_signed_in(second)
        assert self.end_sessions(first, provider, addresses[1]) == "/desk/account?already-ended"

    def test_is_audited_and_renews_the_cookie(self, service, kept_clinic, browsers, provider):
        copied = open_browser(service)
        copied.cookies.update(browsers[0].cookies)
        self.end_sessions(browsers[0], provider)
        entries = [(row.action, row.outcome) for row in audited(service, kept_clinic)]
        assert entries[-2:] == [("sign_in", "renewed"), ("sign_out", "ok")]
        assert [is_signed_in(browser) for browser in (browsers[0], copied)] == [True, False]

    @pytest.mark.parametrize(
        "auth_time", [None, 1, 10**11, True, str(LOGIN_AT), [LOGIN_AT]], ids=str
    )
    def test_without_a_new_login_ends_nothing(
        self, service, kept_clinic, browsers, provider, auth_time
    ):
        location = self.end_sessions(browsers[0], provider, auth_time=auth_time)
        assert location == "/desk/account?not-renewed"
        assert "Clinic Account did not confirm" in browsers[0].get(location).text
        assert [is_signed_in(browser) for browser in browsers] == [True, True]
        entries = [(row.action, row.outcome) for row in audited(service, kept_clinic)]
        assert ("refuse", "bad_sign_in") in entries

    @pytest.mark.parametrize(
        ("seconds", "notice"),
        [(-31, "not-renewed"), (-30, "ended"), (30, "ended"), (31, "not-renewed")],
    )
    def test_allows_half_a_minute_between_the_clocks(self, browsers, provider, seconds, notice):
        location = self.end_sessions(browsers[0], provider, auth_time=LOGIN_AT + seconds)
        assert location == f"/desk/account?{notice}"

    def test_by_the_login_of_another_account_ends_nothing(
        self, service, kept_clinic, browsers, provider
    ):
        store = service.services.store
        colleague = add_practitioner_login(store, kept_clinic)
        _, secret = do(store, kept_clinic, invitations.add_invitation, colleague.id)
        provider.subject = f"colleague|{uuid4()}"
        accept_at_provider(service, provider, secret)
        location = self.end_sessions(browsers[0], provider)
        assert location == "/desk/account?unconfirmed"
        assert "your own account of Clinic Account" in browsers[0].get(location).text
        assert [is_signed_in(browser) for browser in browsers] == [True, True]

    def test_that_the_practitioner_breaks_off_ends_nothing(self, browsers, provider):
        start_response = browsers[0].get(ENDING_PATH)
        return_url = provider.authorize(start_response.headers["location"])
        answer = browsers[0].get(
            return_url.removeprefix(PUBLIC_URL).replace("code=c1", "error=access_denied")
        )
        assert answer.headers["location"] == "/desk/account?unconfirmed"
        assert [is_signed_in(browser) for browser in browsers] == [True, True]

    def test_of_a_colleague_ends_nothing(self, service, kept_clinic, browsers, provider):
        colleague = add_practitioner_login(service.services.store, kept_clinic)
        other = open_signed_in_browser(service, colleague)
        with service.services.store.read_all_organisations() as session:
            query = select(col(SessionRow.id)).where(
                col(SessionRow.practitioner_id) == colleague.id
            )
            session_id = session.execute(query).scalar_one()
        path = f"/desk/account/sessions/{session_id}/provider"
        assert self.end_sessions(browsers[0], provider, path) == "/desk/account?already-ended"
        assert is_signed_in(other)

    def test_after_the_own_session_has_ended_ends_nothing(self, browsers, provider):
        first, second = browsers
        start_response = first.get(ENDING_PATH)
        return_url = provider.authorize(start_response.headers["location"])
        submit_form(first, "/desk/account", "/sign-out")
        provider.claims = {"auth_time": LOGIN_AT}
        answer = first.get(return_url.removeprefix(PUBLIC_URL))
        assert answer.headers["location"] == "/sign-in?ended"
        assert is_signed_in(second)

    def test_by_the_form_of_those_with_a_password_ends_nothing(self, browsers):
        form = {"session": "others", "current_password": PASSWORD}
        answer = submit_form(browsers[0], "/desk/account", "/desk/account/sessions", **form)
        assert answer.headers["location"] == "/desk/account?unconfirmed"
        assert [is_signed_in(browser) for browser in browsers] == [True, True]

    def test_starts_on_these_pages_alone(self, service, browsers):
        answer = browsers[0].get(ENDING_PATH, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.headers["location"] == "/desk/account"
        assert open_browser(service).get(ENDING_PATH).headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "discovery",
    [{"issuer": "https://other.example"}, {"authorization_endpoint": "http://evil.example/a"},
     {"authorization_endpoint": None}, {"authorization_endpoint": "javascript:alert(1)"}],
    ids=str,
)  # fmt: skip
def test_a_wrong_discovery_document_is_refused(service, provider, discovery):
    provider.discovery = discovery
    assert open_browser(service).get("/sign-in/provider").status_code == 503


@pytest.mark.parametrize(
    "body", [b"[", b"[]", b"[" * 5000, b'"' + b"x" * MAX_RESPONSE_BYTES + b'"']
)
def test_an_invalid_response_is_refused(service, provider, body):
    provider.body = body
    assert open_browser(service).get("/sign-in/provider").status_code == 503


def test_one_login_method_replaces_the_other(service, kept_clinic, provider, invited):
    accept_at_provider(service, provider, invited)
    store = service.services.store
    practitioner = add_practitioner_login(store, kept_clinic)
    _, secret = do(store, kept_clinic, invitations.add_invitation, practitioner.id)
    provider.subject = f"new {uuid4()}".replace(" ", "-")
    accept_at_provider(service, provider, secret)
    answer = submit_login(open_browser(service), practitioner, code=practitioner.codes[0])
    assert (answer.status_code, PASSWORD in answer.text) == (422, False)


def test_wrong_invitations_are_limited_and_recorded_here_too(service, invited):
    replace_service(service, rate_limiter=RateLimiter(lambda: 0.0))
    client = open_browser(service)
    wrong = f"/invitation/{'A' * 43}/provider"
    statuses = [client.get(wrong).status_code for _ in range(WRONG_INVITATIONS.per_minute + 1)]
    assert statuses == [404] * WRONG_INVITATIONS.per_minute + [429]
    assert client.get(wrong).status_code == 429
    assert client.get(f"/invitation/{invited}/provider").status_code == 303
    system = Clinic(organisations.SYSTEM, "", "")
    service.services.denied_requests.flush()
    entry = audited(service, system)[-1]
    assert (entry.action, entry.outcome) == ("refuse", "not_found")


def test_a_failing_store_is_reported_as_unavailable(service, provider, invited, monkeypatch):
    def fail(*_: object) -> None:
        raise UnavailableError

    monkeypatch.setattr(login_credentials, "set_identity", fail)
    response = sign_in_at_provider(
        open_browser(service), provider, f"/invitation/{invited}/provider"
    )
    assert response.status_code == 503
    monkeypatch.undo()
    accept_at_provider(service, provider, invited)


def test_an_identity_is_linked_to_one_practitioner(service, kept_clinic, provider, invited):
    accept_at_provider(service, provider, invited)
    store = service.services.store
    practitioner = add_practitioner_login(store, kept_clinic)
    _, secret = do(store, kept_clinic, invitations.add_invitation, practitioner.id)
    client = open_browser(service)
    answer = sign_in_at_provider(client, provider, f"/invitation/{secret}/provider")
    assert answer.headers["location"] == "/sign-in?provider=failed"
    assert submit_login(open_browser(service), practitioner).status_code == 303


def test_without_a_provider_its_pages_do_not_exist(kept_service):
    client = open_browser(kept_service)
    assert client.get("/sign-in/provider").status_code == 404
    assert "single sign-on" not in client.get("/sign-in").text
    assert read_csrf_token(client.get("/sign-in").text)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_on_another_site_starts_no_login(service, invited, site):
    browser = open_browser(service)
    headers = {"Sec-Fetch-Site": site}
    for page in ("/sign-in", f"/invitation/{invited}"):
        answer = browser.get(f"{page}/provider", headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, page)
        assert not answer.headers.get("set-cookie")
