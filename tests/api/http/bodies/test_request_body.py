"""Bodies are read up to their limit, of their media type alone, and only while they come."""

import asyncio
from types import SimpleNamespace

import pytest
from fastapi import Request

from api.http.bodies.request_body import (
    FORM_MEDIA_TYPE,
    JSON,
    build_size_problem,
    merge_form_into_query,
    read_body,
    read_form_fields,
    read_json,
)
from api.problems import Problem
from api.security.strict_json import MAX_MEMBERS

SETTINGS = SimpleNamespace(max_body_bytes=10, body_seconds=5)


def build_request(*chunks: bytes, query: bytes = b"", **headers: str) -> Request:
    """Return a request with this body; headers are written with underscores."""
    messages = [{"type": "http.request", "body": it, "more_body": True} for it in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]

    async def receive():
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query}
    return Request(scope | {"headers": pairs}, receive)


def build_json_request(*chunks: bytes, **headers: str) -> Request:
    return build_request(*chunks, **{"content_type": "application/json"} | headers)


def build_form_request(body: bytes, **parts) -> Request:
    return build_request(body, **{"content_type": FORM_MEDIA_TYPE} | parts)


def refuse(coroutine) -> Problem:
    with pytest.raises(Problem) as refusal:
        asyncio.run(coroutine)
    return refusal.value


class TestSize:
    @pytest.mark.parametrize("chunks", [(b"1234567890",), (b"12345", b"67890"), ()])
    def test_a_body_up_to_the_limit_is_read(self, chunks):
        body = asyncio.run(read_body(build_request(*chunks), SETTINGS, 10))
        assert body == b"".join(chunks)

    @pytest.mark.parametrize(
        ("chunks", "headers"),
        [
            ((b"12345", b"678901"), {}),
            ((), {"content_length": "11"}),
            ((), {"content_length": "1" + "0" * 17}),
        ],
        ids=["as it comes", "as it says", "as it says at length"],
    )
    def test_a_body_over_the_limit_is_refused_and_the_connection_closed(self, chunks, headers):
        request = build_request(*chunks, **headers)
        problem = refuse(read_body(request, SETTINGS, 10, "THE_SETTING"))
        assert (problem.code, problem.extensions) == ("too_large", {"limit": 10})
        assert problem.headers == {"Connection": "close"}
        assert "more than 10 bytes" in problem.detail
        assert "(THE_SETTING)" in problem.detail

    def test_a_limit_without_a_setting_names_none(self):
        assert build_size_problem(7).detail.endswith("the limit of this operation.")

    @pytest.mark.parametrize("content_length", ["10", "", "-1", "many"])
    def test_a_length_within_the_limit_or_that_is_none_is_not_refused(self, content_length):
        request = build_request(b"12345", content_length=content_length)
        assert asyncio.run(read_body(request, SETTINGS, 10)) == b"12345"


def test_a_body_that_never_comes_is_a_timeout_that_closes_the_connection():
    async def wait_forever():
        await asyncio.Event().wait()

    request = Request(build_request().scope, wait_forever)
    problem = refuse(read_body(request, SimpleNamespace(body_seconds=0), 10))
    assert (problem.code, problem.headers) == ("request_timeout", {"Connection": "close"})


class TestJson:
    @pytest.mark.parametrize("times", [1, 2])
    def test_the_bytes_and_their_value_are_kept_with_the_request(self, times):
        request = build_json_request(b'{"a": 1}')
        asyncio.run(read_json(request, SETTINGS, JSON, times))
        assert (asyncio.run(request.body()), asyncio.run(request.json())) == (b'{"a": 1}', {"a": 1})

    def test_several_intakes_may_have_as_many_times_the_bytes(self):
        ten, eleven = (b'"' + b"a" * count + b'"' for count in (8, 9))
        asyncio.run(read_json(build_json_request(ten), SETTINGS, JSON))
        assert refuse(read_json(build_json_request(eleven), SETTINGS, JSON)).code == "too_large"
        asyncio.run(read_json(build_json_request(eleven), SETTINGS, JSON, 2))

    def test_several_intakes_may_have_as_many_times_the_members(self):
        settings = SimpleNamespace(max_body_bytes=10**6, body_seconds=5)
        body = b"[" + b"0," * MAX_MEMBERS + b"0]"
        problem = refuse(read_json(build_json_request(body), settings, JSON))
        assert problem.code == "malformed_json"
        asyncio.run(read_json(build_json_request(body), settings, JSON, 2))

    @pytest.mark.parametrize(
        "headers",
        [
            {"content_type": "text/plain"},
            {"content_type": 'application/json; charset="latin-1"'},
            {"content_encoding": "gzip"},
        ],
    )
    def test_another_type_or_an_encoding_is_refused(self, headers):
        problem = refuse(read_json(build_json_request(b"1", **headers), SETTINGS, JSON))
        assert problem.code == "unsupported_media_type"
        assert problem.detail.startswith("Send `application/json`")

    def test_a_missing_body_is_told_apart_from_a_missing_type(self):
        missing = refuse(read_json(build_request(), SETTINGS, JSON))
        untyped = refuse(read_json(build_request(b"1", content_length="1"), SETTINGS, JSON))
        assert missing.code == untyped.code == "unsupported_media_type"
        assert missing.detail.startswith("This operation needs a body. Send")
        assert untyped.detail.startswith("Send")

    def test_a_fault_names_its_place(self):
        settings = SimpleNamespace(max_body_bytes=100, body_seconds=5)
        body = b'{"b": {"a": 1, "a": 2}}'
        problem = refuse(read_json(build_json_request(body), settings, JSON))
        assert [error.model_dump() for error in problem.errors] == [
            {
                "pointer": "/b",
                "code": "duplicate_name",
                "detail": "must not contain a duplicate name",
            }
        ]


class TestForms:
    def test_fields_are_returned_in_their_order_and_empty_ones_too(self):
        request = build_form_request(b"b=1&a=&b=%C3%A4", content_type=f"{FORM_MEDIA_TYPE}; x=y")
        fields = asyncio.run(read_form_fields(request, SETTINGS))
        assert fields == [("b", "1"), ("a", ""), ("b", "\u00e4")]
        assert asyncio.run(read_form_fields(build_form_request(b""), SETTINGS)) == []

    @pytest.mark.parametrize(
        "body", [b"a", b"a=1&&b=2", b"a=%FF", "a=\u00e4".encode(), b"a=1&" * 21]
    )
    def test_a_form_that_cannot_be_read_is_refused(self, body):
        problem = refuse(read_form_fields(build_form_request(body), SETTINGS))
        assert (problem.code, problem.detail) == ("malformed_request", "The form cannot be read.")

    def test_twenty_fields_are_read_and_not_one_more(self):
        twenty = b"&".join([b"a=1"] * 20)
        assert len(asyncio.run(read_form_fields(build_form_request(twenty), SETTINGS))) == 20
        problem = refuse(read_form_fields(build_form_request(twenty + b"&a=1"), SETTINGS))
        assert problem.code == "malformed_request"

    @pytest.mark.parametrize("headers", [{}, {"content_type": "application/json"}])
    def test_another_type_is_refused(self, headers):
        problem = refuse(read_form_fields(build_request(b"a=1", **headers), SETTINGS))
        assert problem.code == "unsupported_media_type"
        assert FORM_MEDIA_TYPE in problem.detail

    def test_a_form_over_its_limit_is_refused(self):
        assert (
            refuse(read_form_fields(build_form_request(b"a=12"), SETTINGS, 3)).code == "too_large"
        )
        assert asyncio.run(read_form_fields(build_form_request(b"a=1"), SETTINGS, 3)) == [
            ("a", "1")
        ]

    @pytest.mark.parametrize(("query", "merged"), [(b"x=0", b"x=0&a=1"), (b"", b"a=1")])
    def test_the_fields_stand_behind_the_query(self, query, merged):
        request = build_form_request(b"a=1", query=query)
        assert asyncio.run(merge_form_into_query(request, SETTINGS)).scope["query_string"] == merged

    def test_a_request_without_a_form_stays_as_it_is_and_other_bodies_are_refused(self):
        request = build_request(query=b"x=0")
        assert asyncio.run(merge_form_into_query(request, SETTINGS)) is request
        problem = refuse(merge_form_into_query(build_request(b"a=1"), SETTINGS))
        assert problem.code == "unsupported_media_type"
