"""The HTTP client, against loopback servers that redirect, drip, flood and break off."""

import socket

import pytest
from support.interop.loopback_servers import (
    allow_private,
    drip_after,
    issue_server_certificate,
    respond_with,
    running_server,
)

from api.outbound.allowlist import AllowedHost, HostPort
from api.outbound.connection import ConnectionPolicy, TlsCredentials
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, send_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi"
MAX_BYTES = 1000


def send(host_port: HostPort, *, seconds: float = 5, scheme: str = "http", **policy):
    allowed_hosts = policy.pop("allowed_hosts", allow_private(host_port))
    url = f"{scheme}://{host_port.host}:{host_port.port}/x"
    request = OutboundRequest("POST", url, {"A": "b"}, b"body")
    return send_request(request, ConnectionPolicy(allowed_hosts, seconds, **policy), MAX_BYTES)


def fail_to_send(host_port: HostPort, **options) -> str:
    """Return the reason why sending fails."""
    with pytest.raises(OutboundError) as caught:
        send(host_port, **options)
    return caught.value.reason


def refuse_connection(_: socket.socket) -> None:
    pytest.fail("the server was reached")


def test_a_response_is_returned():
    with running_server(respond_with(OK)) as host_port:
        assert send(host_port) == (200, {"content-length": "2", "x-a": "b"}, b"hi")


def test_a_host_that_is_not_allowed_is_not_even_resolved():
    def resolve(_):
        pytest.fail("the name was resolved")

    host_port = HostPort("ehr.example", 443)
    reason = fail_to_send(host_port, allowed_hosts=(), scheme="https", resolver=resolve)
    assert reason == "not_allowed"


def test_a_private_address_is_not_reached_if_the_host_is_allowed_as_public():
    with running_server(refuse_connection) as host_port:
        allowed_hosts = (AllowedHost(host_port, False),)
        assert fail_to_send(host_port, allowed_hosts=allowed_hosts, scheme="https") == "not_allowed"


def test_a_public_name_with_a_private_address_is_not_reached():
    with running_server(refuse_connection) as host_port:
        public_host = HostPort("ehr.example", host_port.port)
        reason = fail_to_send(
            public_host,
            allowed_hosts=(AllowedHost(public_host, False),),
            scheme="https",
            resolver=lambda _: ["127.0.0.1"],
        )
        assert reason == "not_allowed"


def test_a_name_is_resolved_once_and_the_checked_address_is_used():
    with running_server(respond_with(OK)) as host_port:
        public_host, answers = HostPort("ehr.example", host_port.port), [["127.0.0.1"]]
        response = send(public_host, resolver=lambda _: answers.pop())
        assert (response.status, answers) == (200, [])


def test_plain_http_is_not_sent_to_a_public_host():
    host_port = HostPort("ehr.example", 80)
    assert fail_to_send(host_port, allowed_hosts=(AllowedHost(host_port, False),)) == "not_allowed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status):
    with running_server(refuse_connection) as target:
        location = f"Location: http://127.0.0.1:{target.port}/\r\n"
        response = f"HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\n\r\n".encode()
        with running_server(respond_with(response)) as host_port:
            assert fail_to_send(host_port) == "redirected"


@pytest.mark.parametrize("head", [b"Content-Length: %d\r\n\r\n", b"\r\n"])
def test_a_response_may_be_as_large_as_the_limit_and_no_larger(head):
    for size in (MAX_BYTES, MAX_BYTES + 1):
        sized_head = head % size if b"%" in head else head
        response = b"HTTP/1.1 200 OK\r\n" + sized_head + b"x" * size
        with running_server(respond_with(response)) as host_port:
            if size == MAX_BYTES:
                assert len(send(host_port).content) == MAX_BYTES
            else:
                assert fail_to_send(host_port) == "too_large"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "connection_lost"),
        (b"no HTTP at all\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n", "unreadable"),
        (b"", "connection_lost"),
    ],
)
def test_an_invalid_response_has_a_reason(response, reason):
    with running_server(respond_with(response)) as host_port:
        assert fail_to_send(host_port) == reason


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_is_cut_off_at_the_deadline(beginning):
    with running_server(drip_after(beginning)) as host_port:
        assert fail_to_send(host_port, seconds=0.4) == "timeout"


def test_a_closed_port_is_unreachable():
    with socket.socket() as port_holder:  # keeps the port taken, but does not listen
        port_holder.bind(("127.0.0.1", 0))
        host_port = HostPort("127.0.0.1", port_holder.getsockname()[1])
        assert fail_to_send(host_port) == "unreachable"


def test_an_unknown_name_is_unresolvable():
    host_port = HostPort("unknown.invalid", 443)
    allowed_hosts = (AllowedHost(host_port, False),)
    assert fail_to_send(host_port, allowed_hosts=allowed_hosts, scheme="https") == "unresolvable"


class TestTls:
    def test_accepts_a_server_with_a_certificate_of_the_given_ca(self, tmp_path):
        context, ca_certificate = issue_server_certificate(tmp_path)
        with running_server(respond_with(OK), context) as host_port:
            credentials = TlsCredentials(ca_certificate)
            response = send(host_port, scheme="https", tls_credentials=credentials)
            assert response.content == b"hi"

    def test_refuses_a_server_with_a_certificate_of_an_unknown_ca(self, tmp_path):
        context, _ = issue_server_certificate(tmp_path)
        with running_server(lambda _: None, context) as host_port:
            assert fail_to_send(host_port, scheme="https") == "tls_failed"

    def test_refuses_a_server_with_a_certificate_for_another_name(self, tmp_path):
        context, ca_certificate = issue_server_certificate(tmp_path, "127.0.0.2")
        with running_server(lambda _: None, context) as host_port:
            credentials = TlsCredentials(ca_certificate)
            reason = fail_to_send(host_port, scheme="https", tls_credentials=credentials)
            assert reason == "tls_failed"

    def test_a_handshake_that_never_ends_is_cut_off_at_the_deadline(self):
        def hang(connection: socket.socket) -> None:
            connection.recv(1000)
            connection.recv(1000)

        with running_server(hang) as host_port:
            assert fail_to_send(host_port, scheme="https", seconds=0.4) == "timeout"
