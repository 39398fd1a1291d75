"""The client of an identity provider: what it fetches, from where, and for how long."""

import json
import time
from contextlib import contextmanager

import pytest
from support.interop.loopback_servers import drip_after, read_request, respond_with, running_server

from api.auth.oidc_client import MAX_RESPONSE_BYTES, LoginSecrets, OidcClient, OidcProviderError
from api.outbound.allowlist import HostPort
from api.outbound.bulkhead import Bulkhead
from api.settings import Settings

LOGIN = LoginSecrets("state", "nonce", "verifier")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DEADLINE_SECONDS = 0.4


def build_client(issuer: str) -> OidcClient:
    settings = Settings(oidc_issuer=issuer, oidc_client_id="nociscreen")
    return OidcClient(settings, "http://testserver/return", Bulkhead(), DEADLINE_SECONDS)


def respond_with_json(value) -> bytes:
    body = json.dumps(value).encode()
    return OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@contextmanager
def running_provider(**endpoints):
    """Run a provider; `endpoints` says how it serves a path. Yields its issuer and requests."""
    requests: list[bytes] = []
    issuer: list[str] = []

    def serve(connection) -> None:
        head, _ = read_request(connection)
        path = head.split(b" ")[1].decode().rpartition("/")[2]
        requests.append(head)
        if path in endpoints:
            endpoints[path](connection)
        else:
            urls = {"token_endpoint": "/token", "jwks_uri": "/jwks"}
            document = {name: issuer[0] + url for name, url in urls.items()}
            document |= {"issuer": issuer[0], "authorization_endpoint": f"{issuer[0]}/authorize"}
            connection.sendall(respond_with_json(document))

    with running_server(serve) as host_port:
        issuer.append(f"http://127.0.0.1:{host_port.port}")
        yield issuer[0], requests


def respond_token(connection) -> None:
    connection.sendall(respond_with_json({"id_token": "e30.e30.e30"}))


@pytest.mark.parametrize("beginning", [b"", OK, OK + b"\r\n{", OK + b"Content-Length: 9\r\n\r\n"])
@pytest.mark.parametrize("slow_path", ["token", "jwks"])
def test_a_provider_that_drips_is_cut_off_at_the_deadline(slow_path, beginning):
    endpoints = {"token": respond_token, slow_path: drip_after(beginning)}
    with running_provider(**endpoints) as (issuer, requests):
        client = build_client(issuer)
        client.build_authorization_url(LOGIN)
        start = time.monotonic()
        with pytest.raises(OidcProviderError):
            client.redeem_code("code", LOGIN)
        assert time.monotonic() - start < DEADLINE_SECONDS + 1
    assert requests[-1].split(b" ")[1].decode() == f"/{slow_path}"


def test_a_discovery_document_that_drips_is_cut_off_at_the_deadline():
    with running_server(drip_after(OK)) as host_port:
        client = build_client(f"http://127.0.0.1:{host_port.port}")
        start = time.monotonic()
        with pytest.raises(OidcProviderError):
            client.build_authorization_url(LOGIN)
        assert time.monotonic() - start < DEADLINE_SECONDS + 1


def test_a_failed_discovery_is_remembered():
    heads = []

    def refuse(connection) -> None:
        heads.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    with running_server(refuse) as host_port:
        client = build_client(f"http://127.0.0.1:{host_port.port}")
        for _ in range(3):
            with pytest.raises(OidcProviderError):
                client.build_authorization_url(LOGIN)
    assert len(heads) == 1


@pytest.mark.parametrize(("spare_bytes", "is_accepted"), [(0, True), (1, False)])
def test_a_response_may_be_as_large_as_the_limit_and_no_larger(spare_bytes, is_accepted):
    responses: list[bytes] = []

    def serve(connection) -> None:
        respond_with(responses[0])(connection)

    with running_server(serve) as host_port:
        issuer = f"http://127.0.0.1:{host_port.port}"
        document = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize"}
        body = json.dumps(document).encode().ljust(MAX_RESPONSE_BYTES + spare_bytes)
        responses.append(OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        client = build_client(issuer)
        if is_accepted:
            assert client.build_authorization_url(LOGIN).startswith(f"{issuer}/authorize?")
        else:
            with pytest.raises(OidcProviderError):
                client.build_authorization_url(LOGIN)


def test_no_redirect_is_followed():
    redirect = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with running_server(respond_with(redirect)) as host_port, pytest.raises(OidcProviderError):
        build_client(f"http://127.0.0.1:{host_port.port}").build_authorization_url(LOGIN)


@pytest.mark.parametrize(
    ("issuer", "url", "host_port", "is_private_allowed"),
    [
        ("https://idp.example", "https://idp.example/token", HostPort("idp.example", 443), True),
        ("https://idp.example", "https://idp.example:8443/", HostPort("idp.example", 8443), True),
        ("https://idp.example", "https://keys.example/", HostPort("keys.example", 443), False),
        ("https://idp.example", "https://10.0.0.1/keys", HostPort("10.0.0.1", 443), False),
        ("https://idp.example", "http://127.0.0.1/keys", HostPort("127.0.0.1", 80), False),
    ],
)
def test_only_the_issuers_own_host_may_have_a_private_address(
    issuer, url, host_port, is_private_allowed
):
    policy = build_client(issuer)._build_policy(url)
    assert policy.allowed_hosts == ((host_port, is_private_allowed),)


@pytest.mark.parametrize(
    "url",
    ["http://idp.example/token", "ftp://idp.example/", "https://u@idp.example/", "idp.example"],
)
def test_a_url_without_tls_or_of_another_form_is_refused(url):
    with pytest.raises(OidcProviderError):
        build_client("https://idp.example")._build_policy(url)
