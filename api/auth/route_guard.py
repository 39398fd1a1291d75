"""An APIRoute that authenticates, authorises and validates before FastAPI runs.

The order of the checks: caller, rate, scope, parameters, media type, size, time, JSON. Every denied
request leaves an audit row, and so does an unexpected error in an authenticated request.
"""

import re
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

from api.auth.admission import admit_caller
from api.auth.external_tokens import build_token_problem, read_unverified_issuer
from api.auth.services import find_services
from api.field_errors import suggest_name
from api.http.bodies.request_body import JSON, BodyMediaType, list_property_names, read_json
from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.http.preconditions import refuse_unsupported_conditions
from api.observability.structured_logging import REQUEST_ID
from api.problems import FieldError, Problem
from api.security.client_secrets import has_api_key_prefix, parse_api_key
from api.security.signatures import InvalidTokenError
from api.security.smart_scopes import determine_permission
from api.store.accounts import callers
from api.store.accounts.callers import Caller
from api.store.errors import StoreError
from api.store.operations.denied_requests import ANONYMOUS_ACTOR
from api.store.transaction import Actor, Authority

_FHIR = "/fhir/"
INVALID_API_KEY = "The API key is not valid here, was revoked or has expired."
EXPIRED_TOKEN = "The access token has expired; get another at `POST /v1/oauth/token`."  # noqa: S105 # nosec B105 - a sentence
_PLAIN_NAME = re.compile(r"[a-z_:.-]{1,40}", re.IGNORECASE | re.ASCII)
"""A name that may be said back: other text may identify a patient."""
_log = structlog.get_logger("nociscreen")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def require_scope(
    scope: str | None, body_media_type: BodyMediaType = JSON, body_size_factor: int = 1
) -> type[APIRoute]:
    """Return a route class for this scope and media type; the factor multiplies body limits.

    Without a scope, any valid credential opens the route, which then checks what it carries out.
    """
    return type(
        "GuardedRoute",
        (GuardedRoute,),
        {"scope": scope, "body_media_type": body_media_type, "body_size_factor": body_size_factor},
    )


class GuardedRoute(APIRoute):
    """A route that requires a token or an API key; see `require_scope`.

    The operation has the name of its function. The errors of the guard are declared here, and 404
    for each path with a parameter.
    """

    scope: str | None
    body_media_type: BodyMediaType
    body_size_factor: int = 1
    repeatable_names: frozenset[str] = frozenset()

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        secured = {"security": [{"token": [self.scope] if self.scope else []}, {"api_key": []}]}
        kwargs["openapi_extra"] = secured | (kwargs.get("openapi_extra") or {})
        kwargs["operation_id"] = kwargs.get("operation_id") or endpoint.__name__
        super().__init__(path, endpoint, **kwargs)
        guard_errors = BODY_ERRORS if self.body_field else GUARDED_ERRORS
        if not self.responses.keys() >= set(guard_errors):
            not_found = (404,) if self.param_convertors else ()
            successes = {key: value for key, value in self.responses.items() if int(key) < 400}
            errors = error_responses(*guard_errors, *not_found)
            self.responses = successes | errors | self.responses

    @cached_property
    def _fhir_permission(self) -> str | None:
        """The SMART permission that opens a FHIR route in place of the scope."""
        if not self.path.startswith(_FHIR):
            return None
        return determine_permission(next(iter(self.methods or ())), self.path.removeprefix(_FHIR))

    @cached_property
    def query_names(self) -> frozenset[str]:
        """The names of the declared query parameters."""
        return list_query_names(self)

    @cached_property
    def _header_names(self) -> frozenset[str]:
        return frozenset(
            parameter.alias.lower()
            for parameter in get_flat_params(self.dependant)
            if isinstance(parameter.field_info, params.Header)
        )

    @cached_property
    def _member_names(self) -> frozenset[str]:
        body_type: Any = self.body_field and self.body_field.field_info.annotation
        return frozenset(list_property_names(TypeAdapter(body_type).json_schema()))

    def authenticate(self, request: Request) -> Caller:
        """Authenticate the caller. Raises Problem `missing_token` or `invalid_token`."""
        credential = read_credential(request)
        if not has_api_key_prefix(credential):
            caller = _find_by_token(request, credential)
        else:
            try:
                store = find_services(request).store
                caller = callers.authenticate_api_key(store, *parse_api_key(credential))
            except ValueError:
                caller = None
            if caller is None:
                raise build_token_problem(detail=INVALID_API_KEY)
        if caller is None:
            raise build_token_problem()
        return caller

    def authenticate_at_once(self, request: Request) -> Caller | None:
        """Return the caller where no call can block, else None: then a thread authenticates.

        That is an own token on the embedded database, whose key and client it reads in 0.05 ms.
        """
        services = find_services(request)
        if type(self).authenticate is not GuardedRoute.authenticate:
            return None
        try:
            find_key = services.store.signing_keys.find_cached_key
            principal = services.access_tokens.verify(read_credential(request), find_key)
            return callers.resolve_principal(services.store, principal, may_wait=False)
        except (InvalidTokenError, Problem, StoreError):
            return None

    async def prepare_request(self, request: Request) -> Request:
        """Return the request to validate; called once the caller is authorised."""
        return request

    async def _read_json(self, request: Request) -> None:
        """Read the body; the pointers of a problem name members of the schema only."""
        try:
            settings = find_services(request).settings
            await read_json(request, settings, self.body_media_type, self.body_size_factor)
        except Problem as problem:
            if problem.errors:
                raise problem.limit_pointers(self._member_names) from None
            raise

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler behind the checks."""
        handle = super().get_route_handler()

        async def guard(request: Request) -> Response:
            try:
                caller = self.authenticate_at_once(request)
                if caller is None:
                    caller = await run_in_threadpool(self.authenticate, request)
                request.state.caller = caller
                admit_caller(request, caller)
                if self.scope is not None:
                    check_scope(caller, self.scope, self._fhir_permission)
                request = await self.prepare_request(request)
                check_query(request, self.query_names, self.repeatable_names)
                refuse_unsupported_conditions(request, self._header_names)
                if self.body_field:
                    await self._read_json(request)
                return await handle(request)
            except CLIENT_ERRORS as error:
                reason = getattr(error, "reason", "")
                code = convert_error(error).code
                await run_in_threadpool(_record_denial, request, code, reason)
                raise
            except RequestValidationError:
                await run_in_threadpool(_record_denial, request, "invalid_request")
                raise
            except (HTTPException, ClientDisconnect):
                raise
            except Exception:
                await run_in_threadpool(_record_unexpected_error, request)
                raise

        return guard


def list_query_names(route: APIRoute) -> frozenset[str]:
    """Return the names of the query parameters that a route declares."""
    other_kinds = params.Path, params.Header, params.Cookie
    return frozenset(
        parameter.alias
        for parameter in get_flat_params(route.dependant)
        if not isinstance(parameter.field_info, other_kinds)
    )


def _find_by_token(request: Request, token: str) -> Caller | None:
    services = find_services(request)
    if read_unverified_issuer(token) not in (None, services.settings.issuer):
        return services.external_tokens.verify_access_token(token)
    try:
        principal = services.access_tokens.verify(token)
    except InvalidTokenError as error:
        detail = EXPIRED_TOKEN if error.reason == "expired" else None
        raise build_token_problem(error.reason, detail) from None
    return callers.resolve_principal(services.store, principal)


def read_credential(request: Request) -> str:
    """Return the token or API key of the request. Raises Problem `missing_token`."""
    headers = request.headers.getlist("authorization")
    keys = request.headers.getlist("x-api-key")
    if len(keys) == 1 and not headers and has_api_key_prefix(keys[0]):
        return keys[0]
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 and not keys else ("", "", "")
    if len(keys) == 1 and not headers:
        raise build_token_problem(detail=INVALID_API_KEY)
    if scheme.lower() != "bearer" or not token:
        raise Problem("missing_token", headers={"WWW-Authenticate": "Bearer"})
    return token.strip(" ")


def check_scope(caller: Caller, scope: str, fhir_permission: str | None) -> None:
    """Raise Problem `insufficient_scope`."""
    if scope not in caller.scopes and fhir_permission not in caller.fhir_scopes:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        detail = f"This operation requires the scope `{scope}`, which the credential lacks."
        headers = {"WWW-Authenticate": challenge}
        raise Problem("insufficient_scope", detail, headers=headers, extensions={"scope": scope})


def check_query(
    request: Request, known_names: frozenset[str], repeatable_names: frozenset[str] = frozenset()
) -> None:
    """Raise Problem `invalid_request` for an unknown or a repeated query parameter."""
    query_names = [name for name, _ in request.query_params.multi_items()]
    errors = [
        FieldError(
            pointer=f"/{name}" if _PLAIN_NAME.fullmatch(name) else "",
            code="unknown_parameter",
            detail=f"unknown query parameter, number {position} of {len(query_names)}; "
            f"{suggest_name(name, sorted(known_names))}",
        )
        for position, name in enumerate(query_names, 1)
        if name not in known_names
    ] + [
        FieldError(pointer=f"/{name}", code="duplicate_name", detail="must not be repeated")
        for name in sorted(known_names - repeatable_names)
        if query_names.count(name) > 1
    ]
    if errors:
        raise Problem("invalid_request", errors=errors)


def _record_denial(request: Request, code: str, reason: str = "") -> None:
    denied_requests = find_services(request).denied_requests
    caller: Caller | None = getattr(request.state, "caller", None)
    target = next((value for value in request.path_params.values() if _is_id(value)), "")
    denied_requests.record(build_actor(request, caller), code, target, reason=reason)


def _record_unexpected_error(request: Request) -> None:
    """Record an unexpected error of the service; a failure here must not hide that error."""
    if getattr(request.state, "caller", None) is None:
        return
    try:
        _record_denial(request, "internal")
    except Exception as error:  # noqa: BLE001 - the first error is about to be logged
        _log.warning("denial_not_recorded", code="internal", error=type(error).__name__)


def _is_id(text: str) -> bool:
    """Return whether the text has the form of our ids; other text may identify a patient."""
    try:
        return str(UUID(text[-36:])) == text[-36:] and len(text) <= 38
    except ValueError:
        return False


def build_actor(request: Request, caller: Caller | None) -> Actor:
    """Return the actor of the request: the caller, or the anonymous actor."""
    if caller is None:
        return build_anonymous_actor(request)
    default_limit = find_services(request).settings.client_requests_per_minute
    limit = caller.requests_per_minute or default_limit
    return build_anonymous_actor(request)._replace(
        organisation=caller.organisation,
        id=caller.client,
        means=caller.means,
        authority=Authority(caller.scopes, limit, default_limit),
    )


def build_anonymous_actor(request: Request) -> Actor:
    """Return the unauthenticated actor of the request."""
    route = getattr(request.scope.get("route"), "path", "")
    request_id = REQUEST_ID.get() or ""
    return ANONYMOUS_ACTOR._replace(route=f"{request.method} {route}", request_id=request_id)
