"""Connections by raw sockets to a real server: no client blocks it, no answer repeats a request."""

import contextlib
import json
import os
import re
import socket
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest
from support.servers.forked_program import ForkedProgram, run_program

ASK = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
EXAMPLE = Path(__file__).parents[3] / "api" / "contract" / "examples" / "widespread_pain.json"
CANARY = "Zaphod Beeblebrox 4711"


class Address(NamedTuple):
    """Where a server listens, what opens it and where it logs."""

    host: str
    port: int
    token: str
    log: Path


@contextlib.contextmanager
def serving(folder: Path, **settings: str):
    variables = {f"NOCISCREEN_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | variables
    run_program(["admin", "first"], environment, folder)
    token = run_program(["token"], environment, folder).stdout
    words = ["serve", "--port", "0"]
    with ForkedProgram(words, environment, folder, folder / "log") as process:
        host, port = re.search(r"http://([\d.]+):(\d+)", process.stdout.readline()).groups()
        yield Address(host, int(port), token.strip(), folder / "log")
        process.terminate()
        assert re.fullmatch(r"To sign in for the first time, open \S+\n", process.stdout.read())


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server whose deadlines are short, so that tests need not wait."""
    folder = tmp_path_factory.mktemp("server")
    with serving(
        folder, header_seconds="2", body_seconds="1", response_timeout_seconds="1"
    ) as address:
        yield address


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server of few connections, and patient with them."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, header_seconds="60", max_connections="20") as address:
        yield address


def connected(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=20)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def talk(address: Address, *pieces: bytes) -> bytes:
    """Send these pieces and read until the server ends the connection."""
    with connected(address) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        return rest(connection)


def trickle(connection: socket.socket) -> None:
    """Send a byte from time to time, for longer than any server in these tests waits."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        connection.sendall(b" ")
        time.sleep(0.05)


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code of a problem that is the last answer on its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json\r\n" in head + b"\r\n"
    assert b"connection: close" in head
    assert re.search(rb"x-request-id: [0-9a-f]{32}", head)
    assert b"cache-control: no-store" in head
    problem_body = json.loads(body)
    return int(head.split()[1]), problem_body["type"].removeprefix("/problems/")


def is_alive(address: Address) -> bool:
    with urllib.request.urlopen(
        f"http://{address.host}:{address.port}/health/ready", timeout=20
    ) as response:
        return response.status == 200


def post(address: Address, *headers: bytes) -> bytes:
    lines = [
        b"POST /v1/score HTTP/1.1",
        b"Host: x",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + address.token.encode(),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class TestEarlyRefusals:
    """What is refused before it is sent whole: the client can send on, and reads why."""

    MEGABYTE = b" " * 1024 * 1024

    def test_a_body_that_is_too_large_gets_an_answer_before_the_connection_closes(self, address):
        for head in (b"Content-Length: 5242880", b"Transfer-Encoding: chunked"):
            with connected(address) as client:
                client.sendall(post(address, head))
                for _ in range(5):
                    chunk = b"%x\r\n%s\r\n" % (len(self.MEGABYTE), self.MEGABYTE)
                    client.sendall(self.MEGABYTE if b"Length" in head else chunk)
                assert problem(rest(client)) == (413, "too_large")

    def test_a_body_that_is_too_slow_gets_an_answer_before_the_connection_closes(self, address):
        with connected(address) as client:
            client.sendall(post(address, b"Content-Length: 100000"))
            answer = client.recv(65536)
            for _ in range(9):
                client.sendall(b" " * 10_000)
            assert problem(answer + rest(client)) == (408, "request_timeout")

    def test_who_sends_on_without_end_is_cut_off(self, address):
        with connected(address) as client:
            client.sendall(post(address, b"Content-Length: 999999999"))
            with pytest.raises(ConnectionError):
                client.sendall(self.MEGABYTE * 100)
        assert is_alive(address)

    def test_who_neither_sends_nor_closes_is_cut_off(self, address):
        with connected(address) as client:
            client.sendall(post(address, b"Content-Length: 5242880"))
            assert problem(rest(client)) == (413, "too_large")
            with pytest.raises(ConnectionError):
                trickle(client)


class TestSlowClients:
    def test_200_clients_that_send_nothing_or_half_a_header_do_not_affect_others(self, address):
        with contextlib.ExitStack() as stack:
            hangers = [stack.enter_context(connected(address)) for _ in range(200)]
            for hanger in hangers[::2]:
                hanger.sendall(ASK[:30])
            for hanger in hangers[1::4]:
                hanger.sendall(post(address, b"Content-Length: 100"))
            assert is_alive(address)
            assert {rest(hanger) for hanger in hangers[::2]} == {b""}
            assert {problem(rest(hanger)) for hanger in hangers[1::4]} == {(408, "request_timeout")}
        assert is_alive(address)

    def test_over_the_limit_the_longest_waiting_makes_room(self, small):
        with contextlib.ExitStack() as stack:
            hangers = [stack.enter_context(connected(small)) for _ in range(20)]
            newest = stack.enter_context(connected(small))
            newest.sendall(ASK)
            assert newest.recv(65536).startswith(b"HTTP/1.1 200 ")
            assert rest(hangers[0]) == b""
            hangers[-1].sendall(ASK)
            assert hangers[-1].recv(65536).startswith(b"HTTP/1.1 200 ")

    def test_ten_times_the_allowed_connections_do_not_affect_others(self, small):
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(connected(small))
            assert is_alive(small)

    def test_a_client_that_does_not_read_is_cut_off(self, address):
        requests = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200
        with connected(address) as connection:
            connection.settimeout(20)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while True:  # until the server resets what it cannot send
                    connection.sendall(requests)
        assert is_alive(address)

    def test_a_client_that_reads_gets_all_of_a_large_answer(self, address):
        url = f"http://{address.host}:{address.port}/openapi.json"
        with urllib.request.urlopen(url, timeout=20) as response:
            assert json.load(response)["openapi"].startswith("3.")


class TestWhatIsNotPlainHttp:
    @pytest.mark.parametrize(
        "raw",
        [
            b"\x00\x01\x02\r\n\r\n",
            b"GET /health/live HTTP/1.1\nHost: x\n\n",
            b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
            LENGTH + b"Transfer-Encoding: chunked\r\n\r\n",
            LENGTH + b"Content-Length: 2\r\n\r\n",
            b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
    )
    def test_it_is_400_and_a_problem(self, address, raw):
        assert problem(talk(address, raw)) == (400, "malformed_request")

    def test_headers_that_are_too_large_are_431_and_a_problem(self, address):
        head = ASK[:-2] + b"X: " + b"x" * 40_000
        assert problem(talk(address, head)) == (431, "headers_too_large")
        assert problem(talk(address, head + b"\r\n\r\n")) == (431, "headers_too_large")
        assert problem(talk(address, ASK[:-2] + b"X: ", *[b"x" * 100] * 400)) == (
            431,
            "headers_too_large",
        )

    @pytest.mark.parametrize("hosts", [b"", b"Host: x\r\nHost: x\r\n"])
    def test_not_exactly_one_host_is_400_and_the_connection_goes_on(self, address, hosts):
        raw = b"GET /health/live HTTP/1.1\r\n" + hosts + b"\r\n"
        first, second = talk(address, raw, ASK).split(b"HTTP/1.1 ")[1:]
        assert (first[:4], second[:4]) == (b"400 ", b"200 ")

    def test_101_headers_are_431(self, address):
        answer = talk(address, ASK[:-2] + b"X: y\r\n" * 100 + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")

    def test_a_body_that_is_broken_on_its_way_is_400(self, address):
        head = post(address, b"Transfer-Encoding: chunked")
        assert problem(talk(address, head, b"zz\r\n")) == (400, "malformed_request")

    def test_a_body_that_is_framing_for_the_most_part_is_400(self, address):
        head = post(address, b"Transfer-Encoding: chunked")
        extended = b"1;" + b"x" * 600_000 + b"\r\n \r\n"
        assert problem(talk(address, head, extended)) == (400, "malformed_request")
        trailers = b"0\r\n" + b"X: y\r\n" * 100_000
        assert problem(talk(address, head, trailers)) == (400, "malformed_request")

    def test_a_body_in_chunks_of_one_byte_is_read(self, address):
        head = post(address, b"Transfer-Encoding: chunked", b"Connection: close")
        answer = talk(address, head, b"1\r\n \r\n" * 50_000 + b"1\r\n1\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 422 ")

    def test_a_trailer_is_not_taken_for_a_header(self, address):
        head = post(address, b"Transfer-Encoding: chunked", b"Connection: close")
        answer = talk(address, head, b"2\r\n{}\r\n0\r\nContent-Type: text/plain\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 422 ")

    def test_after_a_refusal_its_unread_body_is_not_taken_for_headers(self, address):
        body = b" " * 200_000
        raw = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
        first, second = talk(address, raw, body, ASK).split(b"HTTP/1.1 ")[1:]
        assert (first[:4], second[:4]) == (b"401 ", b"200 ")


class TestNothingOfWhatIsSentIsTold:
    """The canary is everywhere in the requests, and nowhere in answers, metrics and log."""

    def bodies(self) -> list[bytes]:
        intake = json.loads(EXAMPLE.read_text())
        everywhere = json.dumps(mark_texts(intake)).encode()
        valid_body = json.dumps(mark_texts(intake) | {"rulebook": "nociplastic"}).encode()
        broken = CANARY.encode()
        form = b"a=" + CANARY.replace(" ", "+").encode()
        return [everywhere, valid_body, broken, form, b'{"%s": "%s"}' % (broken, broken)]

    def requests(self, address) -> list[bytes]:
        mark = CANARY.replace(" ", "%20").encode()
        canary_bytes = CANARY.encode()
        token = address.token.encode()
        heads = [
            b"%s %s?%s=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a=%s\r\n"
            b"X-Request-Id: %s\r\nIf-None-Match: %s\r\nAuthorization: %s\r\nContent-Type: %s\r\n"
            % (method, path, mark, mark, canary_bytes, canary_bytes, canary_bytes, bearer, kind)
            for method, path in [
                (b"GET", b"/" + mark),
                (b"GET", b"/v1/rulebooks/" + mark + b"/1.0.0"),
                (b"GET", b"/problems/" + mark * 9),
                (b"DELETE", b"/problems/" + mark),
                (b"POST", b"/v1/score"),
                (b"POST", b"/v1/score/report"),
                (b"POST", b"/v1/score/note"),
            ]
            for bearer in (b"Bearer " + token, b"Bearer " + canary_bytes, b"Basic " + mark)
            for kind in (
                b"application/json",
                b"application/x-www-form-urlencoded",
                b"text/" + mark,
            )
        ]
        requests = [
            head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            for head in heads
            for body in self.bodies()
        ]
        return [
            *requests,
            b"Zaphod / HTTP/1.1\r\n\r\n",
            b"GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (mark, canary_bytes),
            b"GET /%s HTTP/1.1\r\nHost: x\r\n%s: 1\r\n\r\n" % (mark, canary_bytes),
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + canary_bytes * 2000 + b"\r\n\r\n",
            post(address, b"Transfer-Encoding: chunked") + canary_bytes,
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: Zaphod\r\n\r\n",
        ]

    def test_not_in_answers_logs_or_metrics(self, address):
        refusal_count = 0
        for raw in self.requests(address):
            answer = talk(address, raw)
            status = int(answer.split(b" ", 2)[1])
            assert status != 500, raw
            if status >= 400:
                refusal_count += 1
                assert b"Zaphod" not in answer, raw
        assert refusal_count > 100
        url = f"http://{address.host}:{address.port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as response:
            metrics = response.read().decode()
        log = address.log.read_text()
        for body in (metrics, log):
            assert "Zaphod" not in body
            assert address.token not in body
        assert all("event" in json.loads(line) for line in log.splitlines())


def mark_texts(value):
    """The same value, with the canary in each of its texts."""
    if isinstance(value, dict):
        return {name: mark_texts(part) for name, part in value.items()}
    if isinstance(value, list):
        return [mark_texts(part) for part in value]
    return CANARY if isinstance(value, str) else value
