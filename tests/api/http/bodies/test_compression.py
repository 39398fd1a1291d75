"""JSON of one piece is compressed for callers that accept gzip, and nothing else is."""

import asyncio
import gzip

import pytest
from starlette.datastructures import Headers

from api.http.bodies.compression import MIN_BYTES, JsonCompression

LONG = b"[" + b" " * (MIN_BYTES - 2) + b"]"


def send_through(
    *pieces: bytes,
    content_type: str = "application/json",
    accept: str = "gzip",
    **more_headers: str,
) -> tuple[Headers, list[bytes]]:
    """Return the headers and the pieces that a caller gets from an app that sends these."""
    own_headers = {"content-type": content_type} | more_headers
    raw_headers = [(k.replace("_", "-").encode(), v.encode()) for k, v in own_headers.items()]
    messages = []

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": raw_headers})
        for number, piece in enumerate(pieces, 1):
            more = {"more_body": True} if number < len(pieces) else {}
            await send({"type": "http.response.body", "body": piece} | more)

    async def send(message):
        messages.append(message)

    scope = {"type": "http", "headers": [(b"accept-encoding", accept.encode())]}
    asyncio.run(JsonCompression(app)(scope, None, send))
    start, *bodies = messages
    return Headers(raw=start["headers"]), [body["body"] for body in bodies]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/fhir+json; charset=utf-8"]
)
def test_json_is_compressed_and_says_so(content_type):
    headers, (body,) = send_through(LONG, content_type=content_type, vary="Accept")
    assert gzip.decompress(body) == LONG
    assert len(body) < len(LONG)
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(body))
    assert headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        ((LONG[:-1],), {}),
        ((LONG, LONG), {}),
        ((LONG,), {"accept": "identity"}),
        ((LONG,), {"content_type": "text/html"}),
        ((LONG,), {"content_type": "application/problem+json"}),
        ((LONG,), {"content_range": "bytes 0-1023/2048"}),
    ],
    ids=["short", "several pieces", "not accepted", "page", "problem", "byte range"],
)
def test_anything_else_is_sent_as_it_is(pieces, parts):
    headers, bodies = send_through(*pieces, **parts)
    assert bodies == list(pieces)
    assert {"content-encoding", "content-length", "vary"}.isdisjoint(headers.keys())


def test_what_is_no_request_of_http_passes_through():
    scopes = []

    async def app(scope, *_):
        scopes.append(scope)

    asyncio.run(JsonCompression(app)({"type": "lifespan"}, None, None))
    assert scopes == [{"type": "lifespan"}]
