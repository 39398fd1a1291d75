"""What routes need: the guarded route, which lets nothing in unproved, and named parameters.

A guarded route checks in this order: token, scope, media type, size, time, JSON. Only then does the
framework see the body.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from api import strict_json
from api.key_file import Keys
from api.problems import MEDIA_TYPE, Problem, ProblemBody
from api.rendering import Renderer
from api.security.access import Principal
from api.settings import Settings
from scoring.catalogue import Catalogue

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON = re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route for what it refuses, for the API's description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in statuses}


_TITLES = {
    400: "Not readable",
    401: "No token, or a refused one",
    403: "The scope is missing",
    404: "Nothing here",
    405: "Method not allowed",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "Not JSON by its media type",
    422: "Readable, but of the wrong shape",
    429: "Too many at once; see Retry-After",
    500: "Something of ours failed",
    503: "Not ready; see Retry-After",
}
GUARDED = (400, 401, 403, 408, 413, 415, 422)


def guarded(scope: str) -> type[APIRoute]:
    """A class of routes whose callers need a token with this scope and, if anything, send JSON."""

    class GuardedRoute(APIRoute):
        """A route behind a token; see `guarded`."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            secured = {"security": [{"token": [scope]}]}
            kwargs["openapi_extra"] = secured | (kwargs.get("openapi_extra") or {})
            super().__init__(*args, **kwargs)

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def guard(request: Request) -> Response:
                request.state.principal = _principal(request, scope)
                if self.body_field:
                    await _take_json(request)
                return await handle(request)

            return guard

    return GuardedRoute


def _principal(request: Request, scope: str) -> Principal:
    given = request.headers.getlist("authorization")
    kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if kind.lower() != "bearer" or not token:
        raise Problem("no_token", headers={"WWW-Authenticate": "Bearer"})
    keys: Keys = request.app.state.keys
    principal = keys.verify(token.strip(" "))
    if scope not in principal.scopes:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        raise Problem("missing_scope", headers={"WWW-Authenticate": challenge})
    return principal


async def _take_json(request: Request) -> None:
    """Read the body, and lay its bytes and its value where the framework looks for them."""
    settings: Settings = request.app.state.settings
    kinds = request.headers.getlist("content-type")
    if (
        len(kinds) != 1
        or not _JSON.fullmatch(kinds[0])
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem("unsupported_media_type")
    try:
        async with asyncio.timeout(settings.body_seconds):
            body = await _bytes(request, settings.body_bytes)
    except TimeoutError:
        raise Problem("too_slow", headers={"Connection": "close"}) from None
    request._body = body  # noqa: SLF001 - where Starlette keeps a body that was read
    request._json = strict_json.parse(body)  # noqa: SLF001 - where Starlette keeps its value


async def _bytes(request: Request, most: int) -> bytes:
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said[:18]) > most:
        raise Problem("too_large", headers={"Connection": "close"})
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem("too_large", headers={"Connection": "close"})
    return bytes(body)


async def _catalogue(request: Request) -> Catalogue:
    held: Catalogue = request.app.state.catalogue
    return held


async def _renderer(request: Request) -> Renderer:
    held: Renderer = request.app.state.renderer
    return held


async def _settings(request: Request) -> Settings:
    held: Settings = request.app.state.settings
    return held


Rulebooks = Annotated[Catalogue, Depends(_catalogue)]
Reports = Annotated[Renderer, Depends(_renderer)]
Chosen = Annotated[Settings, Depends(_settings)]
