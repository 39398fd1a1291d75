"""Lets anyone keep what is public: its answers have an entity tag and an age."""

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.http.preconditions import is_etag_match

_CACHE_CONTROL = "public, max-age=300"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PublicRoute(APIRoute):
    """A route without credentials whose answers to GET are the same for everyone."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if set(options.get("methods") or ["GET"]) == {"GET"}:
            not_changed = {304: {"description": "Not changed"}}
            options["responses"] = not_changed | (options.get("responses") or {})
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> _Handler:
        """Return the handler of the route, which answers 304 to a caller that is up to date."""
        handle = super().get_route_handler()

        async def handle_public(request: Request) -> Response:
            response = await handle(request)
            if request.method in {"GET", "HEAD"} and response.status_code == 200:
                return _tag_response(request, response)
            return response

        return handle_public


def _tag_response(request: Request, response: Response) -> Response:
    digest = sha256(bytes(response.body)).hexdigest()[:32]
    tag = response.headers.setdefault("ETag", f'"{digest}"')
    response.headers.setdefault("Cache-Control", _CACHE_CONTROL)
    if not is_etag_match(tag.removeprefix("W/"), request.headers.get("if-none-match")):
        return response
    names = ("ETag", "Cache-Control", "Vary", "Last-Modified")
    headers = {name: response.headers[name] for name in names if name in response.headers}
    return Response(status_code=304, headers=headers)
