"""Loopback addresses, and requests forwarded by a proxy that is not trusted."""

import pytest
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.http.networks import is_forwarded_untrusted, is_loopback

PROXY, CLIENT = "10.0.0.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("desk.localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - compared, not bound
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
    ],
)
def test_this_computer_is_told_from_others(host, expected):
    assert is_loopback(host) == expected


@pytest.mark.parametrize(
    ("trusted", "headers", "expected"),
    [
        (PROXY, {}, False),
        ("127.0.0.1", {}, False),
        (PROXY, {"X-Forwarded-For": CLIENT}, False),
        (PROXY, {"X-Forwarded-For": f"{CLIENT}:4711"}, False),
        (PROXY, {"X-Forwarded-For": f"198.51.100.1, {CLIENT}"}, False),
        ("127.0.0.1", {"X-Forwarded-For": CLIENT}, True),
        ("127.0.0.1", {"Forwarded": f"for={CLIENT}"}, True),
        (PROXY, {"Forwarded": f"for={CLIENT}"}, True),
    ],
)
def test_a_request_is_forwarded_untrusted_if_uvicorn_left_the_address_of_the_proxy(
    trusted, headers, expected
):
    verdicts = []

    async def app(scope, _receive, send):
        verdicts.append(is_forwarded_untrusted(scope))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    proxied = ProxyHeadersMiddleware(app, trusted_hosts=trusted)
    TestClient(proxied, client=(PROXY, 50000)).get("/", headers=headers)
    assert verdicts == [expected]


def test_a_peer_without_an_address_is_no_proxy():
    scope = {"client": None, "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
    assert not is_forwarded_untrusted(scope)
