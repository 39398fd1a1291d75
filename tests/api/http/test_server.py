"""A real server over loopback: it answers, and no client blocks it."""

import asyncio
import contextlib
import json
import re
import socket
import time
import urllib.request
from ipaddress import IPv4Address

import httpx2
import pytest
from support.builders import build_store_settings
from support.servers.async_thread import run_aside
from support.servers.processes import issue_first_token, run, serving

from api.http.server import bind_sockets, build_base_url


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    settings = build_store_settings(folder)
    token = issue_first_token(settings)
    short = {"NOCISCREEN_HEADER_SECONDS": "1", "NOCISCREEN_BODY_SECONDS": "1"}
    with serving(settings, folder / "log", **short) as server:
        host, port = re.search(r"http://([\d.]+):(\d+)", server.address).groups()
        yield host, int(port), token.strip(), folder / "log"


def talk(address, raw: bytes) -> bytes:
    """Send these bytes and read until the server closes."""
    with socket.create_connection(address[:2], timeout=10) as connection:
        connection.sendall(raw)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_it_answers(address):
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/health/ready") as response:
        assert response.read() == b'{"status":"ok"}'
        assert "server" not in response.headers


def test_headers_that_never_come_are_cut_off(address):
    assert talk(address, b"") == b""
    assert talk(address, b"GET /health/live HTTP/1.1\r\nHost: x\r\n") == b""


def test_headers_that_are_too_large_are_refused(address):
    raw = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000
    assert talk(address, raw).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("size", [33_000, 100_000])
def test_headers_that_are_too_large_are_refused_even_where_they_come_at_once(address, size):
    raw = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"x" * size + b"\r\n\r\n"
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        assert not talk(address, raw).startswith(b"HTTP/1.1 200 ")


def test_headers_that_end_in_two_pieces_are_not_counted_with_the_body(address):
    head = (
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100001\r\nAuthorization: Bearer " + address[2].encode() + b"\r\n\r"
    )
    with socket.create_connection(address[:2], timeout=10) as connection:
        connection.sendall(head)
        time.sleep(0.2)
        connection.sendall(b"\n" + b"{" + b" " * 99_999 + b"}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 422 ")


def test_a_client_that_disconnects_is_not_an_error_of_the_service(address):
    raw = (
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nAuthorization: Bearer " + address[2].encode() + b"\r\n\r\n{"
    )
    with socket.create_connection(address[:2], timeout=10) as connection:
        connection.sendall(raw)
    for _ in range(100):
        logged = [json.loads(line) for line in address[3].read_text().splitlines()]
        left = [item for item in logged if item.get("status") == 499]
        if left:
            break
        time.sleep(0.1)
    assert left
    assert not [item for item in logged if item["event"] == "uncaught_exception"]


def test_a_body_that_never_comes_is_408(address):
    raw = (
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nAuthorization: Bearer " + address[2].encode() + b"\r\n\r\n{"
    )
    assert talk(address, raw).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health/live HTTP/1.1\nHost: x\n\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
def test_what_is_not_plain_http_is_400(address, raw):
    assert talk(address, raw).startswith(b"HTTP/1.1 400 ")


def test_a_port_in_use_is_reported_in_a_sentence(address, tmp_path):
    process = run(build_store_settings(tmp_path), "serve", "--port", str(address[1]))
    assert (process.returncode, process.stdout) == (69, "")
    expected = f"port {address[1]} of 127.0.0.1 is in use; "
    assert process.stderr.startswith(expected)
    assert "PORT=8080 make serve" in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_public_address_follows_the_port_where_none_is_set(tmp_path):
    with serving(build_store_settings(tmp_path), NOCISCREEN_PUBLIC_URL=None) as server:
        configuration = httpx2.get(f"{server.address}/fhir/.well-known/smart-configuration").json()
    assert configuration["token_endpoint"] == f"{server.address}/v1/oauth/token"


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1", "127.0.0.1"), (str(IPv4Address(0)), "127.0.0.1"), ("::1", "[::1]")],
)
def test_what_listens_has_an_address_that_can_be_called(host, name):
    (listening,) = bind_sockets(host, 0)
    with listening:
        port = listening.getsockname()[1]
        assert build_base_url(host, listening) == f"http://{name}:{port}"


def test_an_answer_waits_for_no_other():
    """On an asyncio server: what the socket says of itself decides whether Nagle's delay is off."""

    async def delayed() -> list[int]:
        configuration: list[int] = []
        accepted_event = asyncio.Event()

        class AcceptingProtocol(asyncio.Protocol):
            def connection_made(self, transport):
                own = transport.get_extra_info("socket")
                configuration.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                accepted_event.set()

        (listening,) = bind_sockets("127.0.0.1", 0)
        server = await asyncio.get_running_loop().create_server(AcceptingProtocol, sock=listening)
        async with server:
            _, writer = await asyncio.open_connection(*listening.getsockname())
            await accepted_event.wait()
            writer.close()
            await writer.wait_closed()
        return configuration

    assert run_aside(delayed()) == [1]
