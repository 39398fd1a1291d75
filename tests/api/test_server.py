"""A real server over loopback: it answers, and lets nobody hold it."""

import contextlib
import json
import re
import socket
import time
import urllib.request

import pytest
from keeping import kept_in
from running import run, serving


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    settings = kept_in(folder)
    token = run(settings, "token").stdout
    short = {"NOCISCREEN_HEADER_SECONDS": "1", "NOCISCREEN_BODY_SECONDS": "1"}
    with serving(settings, folder / "log", **short) as served:
        host, port = re.search(r"http://([\d.]+):(\d+)", served.address).groups()
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


def test_a_client_that_leaves_is_no_failure_of_ours(address):
    raw = (
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nAuthorization: Bearer " + address[2].encode() + b"\r\n\r\n{"
    )
    with socket.create_connection(address[:2], timeout=10) as connection:
        connection.sendall(raw)
    for _ in range(100):
        logged = [json.loads(line) for line in address[3].read_text().splitlines()]
        left = [each for each in logged if each.get("status") == 499]
        if left:
            break
        time.sleep(0.1)
    assert left
    assert not [each for each in logged if each["event"] == "failed"]


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
