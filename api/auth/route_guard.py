"""The guard: a route that lets nothing in unproved.

It checks in this order: who calls, how often, scope, parameters, media type, size, time, JSON. Only
then does the framework see the body. What it refuses leaves a row in the audit, and so does what
fails in a known caller's name.
"""

from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any
from uuid import UUID

import structlog
from fastapi import Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.auth.external_tokens import Trust, bad_token, issuer_of
from api.http.rate_limit import RateLimiter
from api.http.request_body import JSON, Media, properties, take_json
from api.observability.structured_logging import REQUEST_ID
from api.problems import FieldError, Problem
from api.security.access_tokens import AccessTokens
from api.security.client_secrets import looks_like_api_key, read_api_key
from api.security.smart_scopes import needed
from api.settings import Settings
from api.store.accounts import callers
from api.store.accounts.callers import Caller
from api.store.operations.denied_requests import STRANGER, Refusals
from api.store.store import Store
from api.store.transaction import Actor

_FHIR = "/fhir/"
_log = structlog.get_logger("nociscreen")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def guarded(scope: str, takes: Media = JSON, times: int = 1) -> type[APIRoute]:
    """A class of routes whose callers need this scope and, if anything, send JSON of this type.

    `times` is how many bodies of the size of one may come in one.
    """
    return type("GuardedRoute", (GuardedRoute,), {"scope": scope, "takes": takes, "times": times})


class GuardedRoute(APIRoute):
    """A route behind a token; see `guarded`."""

    scope: str
    takes: Media
    times: int = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        secured = {"security": [{"token": [self.scope]}, {"api_key": []}]}
        kwargs["openapi_extra"] = secured | (kwargs.get("openapi_extra") or {})
        super().__init__(*args, **kwargs)

    @cached_property
    def _fhir(self) -> str | None:
        """What a SMART scope must permit to open the route instead, where it is one of FHIR."""
        if not self.path.startswith(_FHIR):
            return None
        return needed(next(iter(self.methods or ())), self.path.removeprefix(_FHIR))

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
        return frozenset(properties(TypeAdapter(kind).json_schema()))

    def who(self, request: Request) -> Caller:
        """Who calls, as the store knows it now. Raises Problem `no_token` or `bad_token`."""
        return _caller(request)

    async def asked(self, request: Request) -> Request:
        """The request as it is to be read, of a caller that may: here, as it came."""
        return request

    async def _take_json(self, request: Request) -> None:
        """Take the body. What is wrong in it is told by names that are ours."""
        try:
            await take_json(request, self.takes, self.times)
        except Problem as refused:
            raise refused.within(self._members) if refused.errors else refused from None

    def get_route_handler(self) -> Handler:
        """The framework's handler behind the checks."""
        handle = super().get_route_handler()

        async def guard(request: Request) -> Response:
            try:
                caller = await run_in_threadpool(self.who, request)
                request.state.caller = caller
                _admit(request, caller, self.scope, self._fhir)
                request = await self.asked(request)
                check_query(request, self._query)
                if self.body_field:
                    await self._take_json(request)
                return await handle(request)
            except Problem as refused:
                await run_in_threadpool(_record, request, refused.code)
                raise
            except RequestValidationError:
                await run_in_threadpool(_record, request, "wrong_shape")
                raise
            except (HTTPException, ClientDisconnect):
                raise
            except Exception:
                await run_in_threadpool(_record_failed, request)
                raise

        return guard


def _caller(request: Request) -> Caller:
    state = request.app.state
    store: Store = state.store
    caller = None
    credential = bearer(request)
    if looks_like_api_key(credential):
        try:
            caller = callers.by_api_key(store, *read_api_key(credential))
        except ValueError:
            caller = None
    else:
        caller = _by_token(request, credential)
    if caller is None:
        raise bad_token()
    return caller


def _by_token(request: Request, token: str) -> Caller | None:
    """The caller behind a token of ours, or of an issuer that is trusted."""
    state = request.app.state
    settings: Settings = state.settings
    tokens: AccessTokens = state.tokens
    trust: Trust = state.trust
    if issuer_of(token) not in (None, settings.issuer):
        return trust.by_access_token(token)
    return callers.by_token(state.store, tokens.verify(token))


def bearer(request: Request) -> str:
    """The one credential that the request carries. Raises Problem `no_token`."""
    bearers = request.headers.getlist("authorization")
    keys = request.headers.getlist("x-api-key")
    if len(keys) == 1 and not bearers and looks_like_api_key(keys[0]):
        return keys[0]
    kind, _, token = bearers[0].partition(" ") if len(bearers) == 1 and not keys else ("", "", "")
    if kind.lower() != "bearer" or not token:
        raise Problem("no_token", headers={"WWW-Authenticate": "Bearer"})
    return token.strip(" ")


def _admit(request: Request, caller: Caller, scope: str, fhir: str | None) -> None:
    settings: Settings = request.app.state.settings
    limiter: RateLimiter = request.app.state.limiter
    limiter.take(caller.client, caller.requests_per_minute or settings.client_requests_per_minute)
    if scope not in caller.scopes and fhir not in caller.fhir:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        raise Problem("missing_scope", headers={"WWW-Authenticate": challenge})


def check_query(request: Request, names: frozenset[str]) -> None:
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
    held.record(actor_of(request, caller), code, target)


def _record_failed(request: Request) -> None:
    """Record what failed by a fault of ours; nothing here takes the place of that fault."""
    if getattr(request.state, "caller", None) is None:
        return
    try:
        _record(request, "internal")
    except Exception as error:  # noqa: BLE001 - the fault itself is on its way to the log
        _log.warning("refusal_not_recorded", code="internal", error=type(error).__name__)


def _is_id(text: str) -> bool:
    """Whether this has the form of an id of ours; anything else could be anybody's words."""
    try:
        return str(UUID(text[-36:])) == text[-36:] and len(text) <= 38
    except ValueError:
        return False


def actor_of(request: Request, caller: Caller | None) -> Actor:
    """Whoever acts on this request: the caller, or a stranger."""
    if caller is None:
        return stranger(request)
    return stranger(request)._replace(
        organisation=caller.organisation, id=caller.client, means=caller.means
    )


def stranger(request: Request) -> Actor:
    """Whoever has not proved to be anyone, on this request."""
    route = getattr(request.scope.get("route"), "path", "")
    return STRANGER._replace(route=f"{request.method} {route}", request_id=REQUEST_ID.get() or "")
