"""Asking: real servers on loopback that redirect, drip, flood, lie and change their address."""

import socket
import time

import pytest
from support.interop.loopback_servers import answering, certified, in_the_house, listening

from api.outbound.allowlist import AllowedHost, HostPort
from api.outbound.connection import ConnectionPolicy, TlsCredentials
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, send_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi"


def asked(place: HostPort, *, seconds: float = 5, scheme: str = "http", **more):
    way = ConnectionPolicy(more.pop("allowed", in_the_house(place)), seconds, **more)
    name = f"{scheme}://{place.host}:{place.port}/x"
    return send_request(OutboundRequest("POST", name, {"A": "b"}, b"body"), way, max_bytes=1000)


def why(place: HostPort, **more) -> str:
    with pytest.raises(OutboundError) as caught:
        asked(place, **more)
    return caught.value.reason


def test_an_answer_comes_back():
    with listening(answering(OK)) as place:
        assert asked(place) == (200, {"content-length": "2", "x-a": "b"}, b"hi")


def test_what_was_not_allowed_is_not_even_resolved():
    def resolve(_):
        pytest.fail("it was resolved")

    assert why(HostPort("ehr.example", 443), allowed=(), scheme="https", resolve=resolve) == (
        "not_allowed"
    )


def test_a_place_in_the_house_is_not_reached_where_it_was_allowed_as_outside():
    with listening(lambda _: pytest.fail("it was reached")) as place:
        allowed = (AllowedHost(place, False),)
        assert why(place, allowed=allowed, scheme="https") == "not_allowed"


def test_a_name_that_points_into_the_house_is_not_reached():
    with listening(lambda _: pytest.fail("it was reached")) as place:
        named = HostPort("ehr.example", place.port)
        allowed = (AllowedHost(named, False),)
        told = why(named, allowed=allowed, scheme="https", resolve=lambda _: ["127.0.0.1"])
        assert told == "not_allowed"


def test_a_name_is_resolved_once_and_what_it_gave_is_used():
    with listening(answering(OK)) as place:
        named, answers = HostPort("ehr.example", place.port), [["127.0.0.1"]]
        assert (
            asked(named, allowed=in_the_house(named), resolve=lambda _: answers.pop()).status == 200
        )
        assert answers == []


def test_plain_http_goes_no_further_than_the_house():
    place = HostPort("ehr.example", 80)
    assert why(place, allowed=(AllowedHost(place, False),)) == "not_allowed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status):
    with listening(lambda _: pytest.fail("it was followed")) as other:
        to = f"Location: http://127.0.0.1:{other.port}/\r\n"
        told = f"HTTP/1.1 {status} X\r\n{to}Content-Length: 0\r\n\r\n".encode()
        with listening(answering(told)) as place:
            assert why(place) == "redirected"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "unreadable"),
        (b"no HTTP at all\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n", "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_what_is_no_answer_is_told_by_a_word(told, reason):
    with listening(answering(told)) as place:
        assert why(place) in (reason, "cut_off")


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_whoever_drips_is_cut_off_at_the_deadline(begin):
    def drip(line: socket.socket) -> None:
        line.sendall(begin)
        while True:
            line.sendall(b"x")
            time.sleep(0.05)

    with listening(drip) as place:
        assert why(place, seconds=0.4) == "too_slow"


def test_nobody_there_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = HostPort("127.0.0.1", server.getsockname()[1])
    assert why(place) == "unreachable"


def test_a_name_that_is_none_is_unresolvable():
    place = HostPort("nobody.invalid", 443)
    assert why(place, allowed=(AllowedHost(place, False),), scheme="https") == "unresolvable"


class TestTls:
    def test_speaks_to_whom_the_given_authority_proves(self, tmp_path):
        context, authority = certified(tmp_path)
        with listening(answering(OK), context) as place:
            answer = asked(place, scheme="https", trust=TlsCredentials(authority))
            assert answer.content == b"hi"

    def test_does_not_speak_to_whom_nobody_proves(self, tmp_path):
        context, _ = certified(tmp_path)
        with listening(lambda _: None, context) as place:
            assert why(place, scheme="https") == "no_tls"

    def test_does_not_speak_to_another_name(self, tmp_path):
        context, authority = certified(tmp_path, "127.0.0.2")
        with listening(lambda _: None, context) as place:
            assert why(place, scheme="https", trust=TlsCredentials(authority)) == "no_tls"

    def test_a_handshake_that_never_ends_ends_at_the_deadline(self):
        def hang(line: socket.socket) -> None:
            line.recv(1000)
            line.recv(1000)

        with listening(hang) as place:
            assert why(place, scheme="https", seconds=0.4) == "too_slow"
