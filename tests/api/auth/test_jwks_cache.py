"""Clients that publish their keys: they sign in by what stands at their address, and no other."""

import time
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import select
from support.builders import do
from support.callers import last_act
from support.interop.hospital_issuers import Signer, allow_host, running_jwks_server
from support.path_resources import create_resource

from api.auth.client_authentication import ASSERTION_TYPE, TOKEN_PATH
from api.security.claims import CLOCK_SKEW_SECONDS
from api.store.accounts import clients
from api.store.database.tables import UsedAssertionRow
from api.store.operations import housekeeping

AUDIENCE = "http://127.0.0.1:8000" + TOKEN_PATH


@pytest.fixture
def jwks_server():
    with running_jwks_server() as content:
        yield content


@pytest.fixture
def store(kept_service):
    return kept_service.services.store


@pytest.fixture
def signer(store, kept_clinic, kept_client, jwks_server):
    allow_host(store, kept_clinic, jwks_server.host_port)
    signer = Signer("RS384")
    jwks_server.keys = [signer.export_jwk()]
    path = f"/v1/clients/{kept_clinic.client}/key-set"
    assert kept_client.put(path, json={"url": jwks_server.url}).status_code == 200
    return signer


def form(clinic, signer: Signer, header=None, **claims) -> dict[str, str]:
    now = int(time.time())
    content = {
        "iss": clinic.client, "sub": clinic.client, "aud": AUDIENCE,
        "exp": now + 60, "jti": str(uuid4()),
    }  # fmt: skip
    return {
        "grant_type": "client_credentials",
        "scope": "system/Observation.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signer.sign_token(content | claims, **(header or {})),
    }


def signed_in(caller, *assertion_parts, **more) -> int:
    return caller.post(TOKEN_PATH, data=form(*assertion_parts, **more)).status_code


def test_a_client_signs_in_by_what_it_publishes(kept_anonymous, kept_clinic, signer, jwks_server):
    for header in ({}, {"jku": jwks_server.url}):
        assert signed_in(kept_anonymous, kept_clinic, signer, header) == 200
    assert jwks_server.fetch_count == 1


@pytest.mark.parametrize("jku", ["https://attacker.example/jwks.json", "", 7, None])
def test_a_jku_names_the_registered_address_or_nothing(kept_anonymous, kept_clinic, signer, jku):
    expected = 200 if jku is None else 401
    assert signed_in(kept_anonymous, kept_clinic, signer, {"jku": jku}) == expected


def test_a_jku_is_refused_of_a_client_that_publishes_nothing(
    store, kept_anonymous, kept_clinic, jwks_server
):
    signer = Signer()
    jwks_server.keys = [signer.export_jwk()]
    do(store, kept_clinic, clients.add_client_key, kept_clinic.client, signer.export_jwk())
    assert signed_in(kept_anonymous, kept_clinic, signer) == 200
    assert signed_in(kept_anonymous, kept_clinic, signer, {"jku": jwks_server.url}) == 401
    assert jwks_server.fetch_count == 0


def test_a_registered_key_serves_beside_the_published(kept_anonymous, kept_clinic, store, signer):
    other = Signer(kid="by-value")
    do(store, kept_clinic, clients.add_client_key, kept_clinic.client, other.export_jwk())
    for value in (signer, other):
        assert signed_in(kept_anonymous, kept_clinic, value) == 200


def test_a_key_published_elsewhere_authenticates_no_client(
    kept_anonymous, kept_clinic, other_clinic, signer
):
    assert signed_in(kept_anonymous, other_clinic, signer) == 401
    assert signed_in(kept_anonymous, kept_clinic, Signer("ES384")) == 401


def test_for_a_client_that_is_shut_out_nothing_is_fetched(
    kept_anonymous, kept_clinic, store, signer, jwks_server
):
    do(store, kept_clinic, clients.update_client, kept_clinic.client, {"active": False})
    assert signed_in(kept_anonymous, kept_clinic, signer) == 401
    assert jwks_server.fetch_count == 0


def test_where_the_keys_cannot_be_fetched_it_is_503(
    kept_anonymous, kept_clinic, signer, jwks_server
):
    jwks_server.status = 404
    answer = kept_anonymous.post(TOKEN_PATH, data=form(kept_clinic, signer))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert answer.headers["retry-after"] == "10"


def test_an_address_that_is_forgotten_proves_nothing(
    kept_service, kept_client, kept_anonymous, kept_clinic, signer
):
    path = f"/v1/clients/{kept_clinic.client}/key-set"
    assert kept_client.delete(path).status_code == 204
    assert last_act(kept_service, kept_clinic)[:3] == ("administer", "ok", "key_set")
    assert signed_in(kept_anonymous, kept_clinic, signer) == 401
    assert kept_client.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://ehr.example/jwks.json", 200),
        ("http://ehr.example:443/jwks.json", 409),
        ("https://ehr.example:444/jwks.json", 409),
        ("https://other.example/", 409),
        ("https://127.0.0.1/", 409),
        ("https://user@ehr.example/", 422),
        ("https://127.1/", 422),
        ("ftp://ehr.example/", 422),
        ("file:///etc/passwd", 422),
        ("", 422),
    ],
)
def test_an_address_lies_where_connections_may_go(kept_client, kept_clinic, url, status):
    path = f"/v1/clients/{kept_clinic.client}/key-set"
    answer = kept_client.put(path, json={"url": url})
    assert answer.status_code == status, answer.text
    content = kept_client.get(f"/v1/clients/{kept_clinic.client}").json()["key_set_url"]
    assert content == (url if status == 200 else None)


def test_a_used_assertion_is_remembered_past_the_skew_of_clocks(
    kept_anonymous, kept_clinic, store, signer
):
    request_form, start = form(kept_clinic, signer), time.time()
    assert kept_anonymous.post(TOKEN_PATH, data=request_form).status_code == 200
    for later in (0, 59, 60 + CLOCK_SKEW_SECONDS - 2):
        with time_machine.travel(start + later, tick=False):
            housekeeping.run_housekeeping(store, "ES256", 30)
            assert kept_anonymous.post(TOKEN_PATH, data=request_form).status_code == 401
        with store.read_all_organisations() as session:
            of_client = UsedAssertionRow.client_id == kept_clinic.client
            assert len(session.execute(select(UsedAssertionRow).where(of_client)).all()) == 1


def test_a_new_client_publishes_nothing(kept_client):
    client = create_resource(kept_client, "/v1/clients", {"name": "EHR", "scopes": ["score"]})
    assert client["key_set_url"] is None
