"""Introspection and revocation: for the client's own organisation and its own tokens alone."""

import pytest
from support.builders import do, token
from support.callers import audited, bearing

from api.store.accounts import clients

INTROSPECT, REVOKE = "/v1/oauth/introspect", "/v1/oauth/revoke"


@pytest.fixture
def tokens(kept_service):
    return kept_service.services.access_tokens


@pytest.fixture
def post(kept_anonymous):
    """Posts a token as a client, authenticated by its secret."""

    def send(path: str, clinic, text: str, **more: str):
        form = {"client_id": clinic.client, "client_secret": clinic.secret, "token": text}
        return kept_anonymous.post(path, data=form | more)

    return send


def is_accepted(service, text: str) -> bool:
    return bearing(service, text).get("/v1/screenings").status_code == 200


def test_a_token_is_active_until_its_client_revokes_it(
    kept_service, kept_clinic, store, tokens, post
):
    text, other = (token(store, tokens, kept_clinic, ("screenings:read",)) for _ in range(2))
    status = post(INTROSPECT, kept_clinic, text)
    body = status.json()
    assert (status.status_code, status.headers["cache-control"]) == (200, "no-store")
    assert body.pop("exp") > 0
    assert body == {
        "active": True, "scope": "screenings:read", "client_id": kept_clinic.client,
        "sub": kept_clinic.client, "iss": "nociscreen", "aud": "nociscreen-api",
        "token_type": "Bearer",
    }  # fmt: skip
    assert is_accepted(kept_service, text)
    for _ in range(2):
        assert post(REVOKE, kept_clinic, text).status_code == 200
    assert post(INTROSPECT, kept_clinic, text).json() == {"active": False}
    assert not is_accepted(kept_service, text)
    assert is_accepted(kept_service, other)


def test_another_client_learns_nothing_and_revokes_nothing(
    kept_service, kept_clinic, other_clinic, store, tokens, post
):
    text = token(store, tokens, kept_clinic)
    assert post(INTROSPECT, other_clinic, text).json() == {"active": False}
    assert post(REVOKE, other_clinic, text).status_code == 200
    colleague = do(store, kept_clinic, clients.add_client, "colleague", ())
    _, secret = do(store, kept_clinic, clients.add_secret, colleague.id)
    here = kept_clinic._replace(client=colleague.id, secret=secret)
    assert post(INTROSPECT, here, text).json()["active"] is True
    assert post(REVOKE, here, text).status_code == 200
    assert is_accepted(kept_service, text)


@pytest.mark.parametrize("text", ["", "no token", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_inactive(kept_clinic, post, text):
    assert post(INTROSPECT, kept_clinic, text).json() == {"active": False}
    assert post(REVOKE, kept_clinic, text).status_code == 200


@pytest.mark.parametrize("path", [INTROSPECT, REVOKE])
def test_a_client_that_does_not_authenticate_learns_nothing(
    kept_service, kept_clinic, store, tokens, post, path
):
    text = token(store, tokens, kept_clinic)
    response = post(path, kept_clinic._replace(secret="nss_wrong"), text)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["cache-control"] == "no-store"
    assert is_accepted(kept_service, text)
    assert ("refuse", "secret") in {
        (row.action, row.kind) for row in audited(kept_service, kept_clinic)
    }


def test_a_form_without_a_token_is_refused(kept_clinic, kept_anonymous):
    form = {"client_id": kept_clinic.client, "client_secret": kept_clinic.secret}
    response = kept_anonymous.post(INTROSPECT, data=form)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_the_metadata_names_both_endpoints(kept_anonymous):
    metadata = kept_anonymous.get("/.well-known/oauth-authorization-server").json()
    assert metadata["introspection_endpoint"].endswith(INTROSPECT)
    assert metadata["revocation_endpoint"].endswith(REVOKE)
