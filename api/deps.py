"""What routes need: the guarded route, which lets nothing in unproved, and named parameters.

A guarded route checks in this order: who calls, how often, scope, parameters, media type, size,
time, JSON. Only then does the framework see the body. What it refuses leaves a row in the audit.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from api import strict_json
from api.acts import Acts, Creates
from api.limits import RateLimiter
from api.logs import REQUEST_ID
from api.papers import Printed
from api.problems import MEDIA_TYPE, FieldError, Problem, ProblemBody
from api.rendering import Renderer
from api.security.access import AccessTokens
from api.security.credentials import looks_like_api_key, read_api_key
from api.settings import Settings
from api.store import callers
from api.store.callers import Caller
from api.store.refusals import STRANGER, Refusals
from api.store.store import Store
from api.store.transaction import Actor
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
    404: "Nothing here, or nothing that you may see",
    405: "Method not allowed",
    408: "The body came too slowly",
    409: "It does not go with what is kept",
    413: "The body is too large",
    415: "Not JSON by its media type",
    422: "Readable, but of the wrong shape",
    429: "Too many at once; see Retry-After",
    500: "Something of ours failed",
    503: "Not ready; see Retry-After",
}
GUARDED = (401, 403, 422, 429, 503)
TAKING = (400, 401, 403, 408, 413, 415, 422, 429, 503)


def guarded(scope: str) -> type[APIRoute]:
    """A class of routes whose callers need this scope and, if anything, send JSON."""
    return type("GuardedRoute", (GuardedRoute,), {"scope": scope})


class GuardedRoute(APIRoute):
    """A route behind a token; see `guarded`."""

    scope: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        secured = {"security": [{"token": [self.scope]}, {"api_key": []}]}
        kwargs["openapi_extra"] = secured | (kwargs.get("openapi_extra") or {})
        super().__init__(*args, **kwargs)

    @cached_property
    def _query(self) -> frozenset[str]:
        """The names of the parameters that the address may carry."""
        elsewhere = params.Path, params.Header, params.Cookie
        return frozenset(
            each.alias
            for each in get_flat_params(self.dependant)
            if not isinstance(each.field_info, elsewhere)
        )

    @cached_property
    def _members(self) -> frozenset[str]:
        """The names of all members that the body may hold, at whatever depth."""
        kind: Any = self.body_field and self.body_field.field_info.annotation
        return frozenset(_properties(TypeAdapter(kind).json_schema()))

    async def _take_json(self, request: Request) -> None:
        """Take the body. What is wrong in it is told by names that are ours."""
        try:
            await _take_json(request)
        except Problem as refused:
            raise refused.within(self._members) if refused.errors else refused from None

    def get_route_handler(self) -> Handler:
        """The framework's handler behind the checks."""
        handle = super().get_route_handler()

        async def guard(request: Request) -> Response:
            try:
                caller = await run_in_threadpool(_caller, request)
                request.state.caller = caller
                _admit(request, caller, self.scope)
                _check_query(request, self._query)
                if self.body_field:
                    await self._take_json(request)
                return await handle(request)
            except Problem as refused:
                await run_in_threadpool(_record, request, refused.code)
                raise
            except RequestValidationError:
                await run_in_threadpool(_record, request, "wrong_shape")
                raise

        return guard


def _properties(schema: Any) -> Iterator[str]:
    """Every name of a member in a JSON schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from _properties(each)
    elif isinstance(schema, dict):
        named = schema.get("properties")
        yield from named if isinstance(named, dict) else ()
        for each in schema.values():
            yield from _properties(each)


def _caller(request: Request) -> Caller:
    """Who calls, as the store knows it now. Raises Problem `no_token` or `bad_token`."""
    state = request.app.state
    store: Store = state.store
    caller = None
    credential = _credential(request)
    if looks_like_api_key(credential):
        try:
            caller = callers.by_api_key(store, *read_api_key(credential))
        except ValueError:
            caller = None
    else:
        tokens: AccessTokens = state.tokens
        caller = callers.by_token(store, tokens.verify(credential))
    if caller is None:
        raise Problem("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return caller


def _credential(request: Request) -> str:
    """The one credential that the request carries."""
    bearers = request.headers.getlist("authorization")
    keys = request.headers.getlist("x-api-key")
    if len(keys) == 1 and not bearers and looks_like_api_key(keys[0]):
        return keys[0]
    kind, _, token = bearers[0].partition(" ") if len(bearers) == 1 and not keys else ("", "", "")
    if kind.lower() != "bearer" or not token:
        raise Problem("no_token", headers={"WWW-Authenticate": "Bearer"})
    return token.strip(" ")


def _admit(request: Request, caller: Caller, scope: str) -> None:
    settings: Settings = request.app.state.settings
    limiter: RateLimiter = request.app.state.limiter
    limiter.take(caller.client, caller.requests_per_minute or settings.client_requests_per_minute)
    if scope not in caller.scopes:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        raise Problem("missing_scope", headers={"WWW-Authenticate": challenge})


def _check_query(request: Request, names: frozenset[str]) -> None:
    """Refuse a parameter that the route does not know, and one that is given twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    errors = [
        FieldError(
            pointer="", code="extra_forbidden", detail="there is no parameter of a name given"
        )
        for name in set(given) - names
    ] + [
        FieldError(pointer=f"/{name}", code="doubled_name", detail="must not be given twice")
        for name in sorted(names)
        if given.count(name) > 1
    ]
    if errors:
        raise Problem("wrong_shape", errors=errors)


def _record(request: Request, code: str) -> None:
    held: Refusals = request.app.state.refusals
    caller: Caller | None = getattr(request.state, "caller", None)
    target = next((each for each in request.path_params.values() if _is_id(each)), "")
    held.record(_actor(request, caller), code, target)


def _is_id(text: str) -> bool:
    """Whether this has the form of an id of ours; anything else could be anybody's words."""
    try:
        return str(UUID(text[-36:])) == text[-36:] and len(text) <= 38
    except ValueError:
        return False


def _actor(request: Request, caller: Caller | None) -> Actor:
    if caller is None:
        return stranger(request)
    return stranger(request)._replace(
        organisation=caller.organisation, id=caller.client, means=caller.means
    )


def stranger(request: Request) -> Actor:
    """Whoever has not proved to be anyone, on this request."""
    route = getattr(request.scope.get("route"), "path", "")
    return STRANGER._replace(route=f"{request.method} {route}", request_id=REQUEST_ID.get() or "")


def is_known(tag: str, known: str | None) -> bool:
    """Whether `If-None-Match` names this ETag, compared weakly, or any (RFC 9110, 13.1.2)."""
    named = [each.strip().removeprefix("W/") for each in (known or "").split(",")]
    return tag in named or named == ["*"]


def peer_of(request: Request) -> str:
    """The address that the request came from."""
    return request.client.host if request.client else "unknown"


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
    body = await read_body(request, settings.body_bytes)
    request._body = body  # noqa: SLF001 - where Starlette keeps a body that was read
    request._json = strict_json.parse(body)  # noqa: SLF001 - where Starlette keeps its value


async def read_body(request: Request, most: int) -> bytes:
    """The body. Raises Problem `too_slow` or `too_large`."""
    settings: Settings = request.app.state.settings
    try:
        async with asyncio.timeout(settings.body_seconds):
            return await _bytes(request, most)
    except TimeoutError:
        raise Problem("too_slow", headers={"Connection": "close"}) from None


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


async def _known_caller(request: Request) -> Caller:
    held: Caller = request.state.caller
    return held


async def _acts(request: Request) -> Acts:
    return Acts(request.app.state.store, _actor(request, request.state.caller))


def printed(caller: Caller) -> Printed:
    """In whose name what the caller asks for is printed."""
    return Printed(caller.organisation_name, caller.test)


ScreeningId = Annotated[
    str,
    Path(
        alias="screening",
        pattern=r"^[0-9a-f-]{36}$",
        description="The id that keeping it gave.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
]
Rulebooks = Annotated[Catalogue, Depends(_catalogue)]
Reports = Annotated[Renderer, Depends(_renderer)]
Chosen = Annotated[Settings, Depends(_settings)]
Calling = Annotated[Caller, Depends(_known_caller)]
Acting = Annotated[Acts, Depends(_acts)]
_IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=257,
        pattern=r'^[\x21\x23-\x7e][\x20\x21\x23-\x7e]*$|^"[\x20\x21\x23-\x7e]+"$',
        description="Names the request: sent again within a day, it is done once and answered "
        "alike. Quoted and bare are equal.",
    ),
]


async def _creates(request: Request, acts: Acting, key: _IdempotencyKey = None) -> Creates:
    if len(request.headers.getlist("idempotency-key")) > 1:
        twice = FieldError(
            pointer="/Idempotency-Key", code="doubled_name", detail="must not be given twice"
        )
        raise Problem("wrong_shape", errors=[twice])
    return Creates(acts, request, key)


Creating = Annotated[Creates, Depends(_creates)]
