"""Serves the application under the path of its public address.

A gateway may pass that path on or strip it. Pages and redirects name addresses from the root of the
application; they get the path here.
"""

import re
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PAGE_URL = re.compile(rb'\b(href|src|action|formaction|data-leave)="/(?!/)')


class BasePath:
    """ASGI middleware that takes the path off requests and puts it into pages and redirects."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._path = urlsplit(public_url).path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if not self._path or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(self._strip_path(scope), receive, _PathAdder(self._path, send))

    def _strip_path(self, scope: Scope) -> Scope:
        if not f"{scope['path']}/".startswith(f"{self._path}/"):
            return scope
        raw_path = scope.get("raw_path") or scope["path"].encode()
        return dict(scope) | {
            "path": scope["path"].removeprefix(self._path) or "/",
            "raw_path": raw_path.removeprefix(self._path.encode()) or b"/",
        }


class _PathAdder:
    """Sends a response with the path in its `Location` and, if it is a page, in its addresses."""

    def __init__(self, path: str, send: Send) -> None:
        self._path, self._send = path, send
        self._page_start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._page_start is None:
            await self._send(message)
        else:
            self._page += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page(self._page_start)

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        if headers.get("location", "").startswith("/"):
            headers["location"] = self._path + headers["location"]
        if headers.get("content-type", "").startswith("text/html"):
            self._page_start = message
        else:
            await self._send(message)

    async def _send_page(self, start: Message) -> None:
        addressed = rb'\1="' + self._path.encode() + b"/"
        page = _PAGE_URL.sub(addressed, self._page)
        if page:
            MutableHeaders(raw=start["headers"])["content-length"] = str(len(page))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": page})
