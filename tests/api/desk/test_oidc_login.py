"""Signing in at an identity provider: a real one, and all that it must not say."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from support.browser.identity_provider import identity_provider
from support.browser.practitioners import PASSWORD, person, sign_in_by, token_in, visiting
from support.builders import do
from support.callers import audited

from api.desk.oidc_login import MAX_RESPONSE_BYTES
from api.main import create_app
from api.store.accounts import invitations, practitioners

US = "http://testserver"


@pytest.fixture(scope="session")
def a_provider():
    with identity_provider() as listening:
        yield listening


@pytest.fixture
def provider(a_provider):
    a_provider.__dict__.update(
        subject=f"auth0|{uuid4()}",
        says={},
        header={},
        described={},
        body=b"",
        signs=a_provider.private,
    )
    return a_provider


@pytest.fixture
def service(kept_service, provider):
    """The service, with the provider set."""
    settings = kept_service.state.settings.model_copy(
        update={
            "public_url": US,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": "nociscreen",
            "oidc_client_secret": SecretStr("s3cret"),
            "oidc_name": "Clinic Account",
        }
    )
    return create_app(settings, store=kept_service.state.store)


@pytest.fixture
def invited(service, kept_clinic):
    """An invitation, by its secret."""
    store = service.state.store
    made = do(
        store,
        kept_clinic,
        practitioners.add_practitioner,
        "new",
        "Dr New",
        practitioners.DEFAULT_PRACTITIONER_SCOPES,
    )
    return do(store, kept_clinic, invitations.add_invitation, made.id)[1]


def way(client, provider, start="/sign-in/provider", **changes):
    """To the provider and back."""
    sent = client.get(start)
    assert sent.status_code == 303, sent.text
    back = provider.authorize(sent.headers["location"])
    for old, new in changes.items():
        back = back.replace(f"{old}={parse_qs(urlsplit(back).query)[old][0]}", f"{old}={new}")
    return client.get(back.removeprefix(US))


def linked(service, provider, invited):
    """A browser whose practitioner accepted by the provider's word."""
    client = visiting(service)
    answer = way(client, provider, f"/invitation/{invited}/provider")
    assert answer.headers["location"] == "/desk"
    return client


def is_in(client) -> bool:
    return client.get("/desk/account").status_code == 200


def test_an_invitation_is_accepted_and_from_then_on_the_word_of_the_provider_is_enough(
    service, kept_clinic, provider, invited
):
    assert is_in(linked(service, provider, invited))
    client = visiting(service)
    assert way(client, provider).headers["location"] == "/desk"
    assert is_in(client)
    assert audited(service, kept_clinic)[-2].action == "sign_in"
    again = visiting(service).get(f"/invitation/{invited}/provider")
    assert again.status_code == 404


def test_the_provider_is_asked_with_state_nonce_and_challenge_and_told_nothing_of_anybody(
    service, provider, invited
):
    linked(service, provider, invited)
    first = provider.asked
    way(visiting(service), provider)
    second = provider.asked
    assert first["code_challenge_method"] == "S256"
    assert set(first) == {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
                          "code_challenge", "code_challenge_method"}  # fmt: skip
    assert not {first[e] for e in ("state", "nonce", "code_challenge")} & set(second.values())
    assert invited not in str(first)


def test_whoever_is_not_known_here_is_not_let_in(service, provider):
    provider.subject = "somebody-else"
    client = visiting(service)
    assert way(client, provider).headers["location"] == "/sign-in?provider=failed"
    assert "did not work" in client.get("/sign-in?provider=failed").text
    assert not is_in(client)


@pytest.mark.parametrize(
    "says",
    [
        {"nonce": "another"}, {"nonce": None}, {"nonce": 1}, {"aud": "another"}, {"aud": None},
        {"aud": ["nociscreen", "another"]}, {"iss": "https://evil.example"}, {"iss": None},
        {"exp": 1}, {"exp": None}, {"exp": 10**12}, {"iat": None}, {"iat": 10**11}, {"sub": None},
        {"sub": ""}, {"sub": "x" * 300}, {"sub": 7}, {"azp": "another"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_says_otherwise_is_refused(service, provider, invited, says):
    linked(service, provider, invited)
    provider.says = says
    client = visiting(service)
    assert way(client, provider).headers["location"] == "/sign-in?provider=failed"
    assert not is_in(client)


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"kid": "k2"}, {"typ": "at+jwt"}, {"crit": []}],
    ids=str,
)  # fmt: skip
def test_a_token_with_another_header_is_refused(service, provider, invited, header):
    linked(service, provider, invited)
    provider.header = header
    assert way(visiting(service), provider).headers["location"] == "/sign-in?provider=failed"


def test_a_token_that_another_signed_is_refused(service, provider, invited):
    linked(service, provider, invited)
    provider.signs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert way(visiting(service), provider).headers["location"] == "/sign-in?provider=failed"


class TestTheWayBack:
    def failed(self, client, address) -> bool:
        return client.get(address).headers["location"] == "/sign-in?provider=failed"

    def test_with_another_state_or_code_leads_nowhere(self, service, provider, invited):
        linked(service, provider, invited)
        for changes in ({"state": "x"}, {"code": "c2"}):
            answer = way(visiting(service), provider, **changes)
            assert answer.headers["location"] == "/sign-in?provider=failed"

    def test_in_another_browser_leads_nowhere(self, service, provider, invited):
        linked(service, provider, invited)
        started = visiting(service).get("/sign-in/provider")
        back = provider.authorize(started.headers["location"]).removeprefix(US)
        assert self.failed(visiting(service), back)
        other = visiting(service)
        other.get("/sign-in/provider")
        assert self.failed(other, back)

    def test_is_good_once_and_for_ten_minutes(self, service, provider, invited):
        linked(service, provider, invited)
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            client = visiting(service)
            started = client.get("/sign-in/provider")
            back = provider.authorize(started.headers["location"]).removeprefix(US)
            clock.shift(timedelta(minutes=11))
            assert self.failed(client, back)
        client = visiting(service)
        started = client.get("/sign-in/provider")
        back = provider.authorize(started.headers["location"]).removeprefix(US)
        assert client.get(back).headers["location"] == "/desk"
        assert self.failed(client, back)

    @pytest.mark.parametrize("query", ["", "?error=access_denied&state=x", "?code=&state=", "?x"])
    def test_with_nothing_in_hand_leads_nowhere(self, service, query):
        assert self.failed(visiting(service), f"/sign-in/provider/return{query}")

    def test_names_the_issuer_where_it_names_any(self, service, provider, invited):
        linked(service, provider, invited)
        client = visiting(service)
        back = provider.authorize(client.get("/sign-in/provider").headers["location"])
        assert self.failed(client, back.removeprefix(US) + "&iss=https://evil.example")


@pytest.mark.parametrize(
    "described",
    [{"issuer": "https://other.example"}, {"authorization_endpoint": "http://evil.example/a"},
     {"authorization_endpoint": None}, {"authorization_endpoint": "javascript:alert(1)"}],
    ids=str,
)  # fmt: skip
def test_a_description_that_leads_elsewhere_is_not_followed(service, provider, described):
    provider.described = described
    assert visiting(service).get("/sign-in/provider").status_code == 503


@pytest.mark.parametrize(
    "body", [b"[", b"[]", b"[" * 5000, b'"' + b"x" * MAX_RESPONSE_BYTES + b'"']
)
def test_an_answer_that_is_none_is_borne(service, provider, body):
    provider.body = body
    assert visiting(service).get("/sign-in/provider").status_code == 503


def test_one_way_of_signing_in_takes_the_place_of_the_other(
    service, kept_clinic, provider, invited
):
    linked(service, provider, invited)
    store = service.state.store
    who = person(store, kept_clinic)
    _, secret = do(store, kept_clinic, invitations.add_invitation, who.id)
    provider.subject = f"new {uuid4()}".replace(" ", "-")
    linked(service, provider, secret)
    answer = sign_in_by(visiting(service), who, code=who.codes[0])
    assert (answer.status_code, PASSWORD in answer.text) == (422, False)


def test_an_identity_belongs_to_one_practitioner(service, kept_clinic, provider, invited):
    linked(service, provider, invited)
    store = service.state.store
    who = person(store, kept_clinic)
    _, secret = do(store, kept_clinic, invitations.add_invitation, who.id)
    client = visiting(service)
    answer = way(client, provider, f"/invitation/{secret}/provider")
    assert answer.headers["location"] == "/sign-in?provider=failed"
    assert sign_in_by(visiting(service), who).status_code == 303


def test_without_a_provider_there_is_no_such_page(kept_service):
    client = visiting(kept_service)
    assert client.get("/sign-in/provider").status_code == 404
    assert "single sign-on" not in client.get("/sign-in").text
    assert token_in(client.get("/sign-in").text)
