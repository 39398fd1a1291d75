"""Compresses JSON for callers that accept gzip.

Pages are never compressed: they hold CSRF tokens and what a visitor sent. Nor are parts of
files, which are sent by byte range, and problems, which FHIR paths turn into OperationOutcomes.
"""

import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.content_negotiation import is_gzip_accepted
from api.problems import PROBLEM_MEDIA_TYPE

MIN_BYTES = 1024
LEVEL = 4
_JSON_ENDINGS = ("/json", "+json")


class JsonCompression:
    """An ASGI middleware that compresses JSON responses of one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        accepted = scope["type"] == "http" and is_gzip_accepted(
            Headers(scope=scope).get("accept-encoding")
        )
        await self._app(scope, receive, _Compressor(send).send if accepted else send)


class _Compressor:
    """Holds the start of a response back until the first piece says whether it is the only one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_json(message):
            self._start = message
            return
        if self._start is not None and message["type"] == "http.response.body":
            start, self._start = self._start, None
            if not message.get("more_body") and len(message.get("body", b"")) >= MIN_BYTES:
                start, message = _compress(start, message)
            await self._send(start)
        await self._send(message)


def _is_json(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    media_type = headers.get("content-type", "").partition(";")[0]
    is_plain_json = media_type.endswith(_JSON_ENDINGS) and media_type != PROBLEM_MEDIA_TYPE
    return is_plain_json and "content-range" not in headers


def _compress(start: Message, message: Message) -> tuple[Message, Message]:
    body = gzip.compress(message["body"], LEVEL, mtime=0)
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    headers.add_vary_header("Accept-Encoding")
    return {**start, "headers": headers.raw}, {**message, "body": body}
