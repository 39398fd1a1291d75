"""Signs a client in at an OAuth endpoint; its failures are limited, recorded and all look alike."""

from collections.abc import Callable
from typing import Literal, TypeVar

import structlog
from fastapi import Request
from fastapi.responses import JSONResponse

from api.auth import client_authentication
from api.auth.admission import FAILED_TOKENS, FAILED_TOKENS_OF_CLIENT, count_for_network
from api.auth.route_guard import build_actor
from api.auth.services import find_services
from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
from api.http.errors.error_responses import error_responses
from api.problems import Problem, ProblemBody
from api.security.claims import CLOCK_SKEW_SECONDS
from api.store.accounts import callers
from api.store.accounts.callers import Caller
from api.store.transaction import Transaction

_OAUTH_ERRORS = {
    "malformed_request": "invalid_request",
    **{code: code for code in ("invalid_client", "unsupported_grant_type", "invalid_scope")},
}
"""The error of RFC 6749, section 5.2, for each problem code of the OAuth endpoints."""
_log = structlog.get_logger("nociscreen")
Outcome = TypeVar("Outcome")
STRING_FIELD = {"type": "string", "maxLength": 8000}
CLIENT_FIELDS = {
    "client_id": STRING_FIELD,
    "client_secret": STRING_FIELD,
    "client_assertion_type": {"type": "string", "enum": [client_authentication.ASSERTION_TYPE]},
    "client_assertion": STRING_FIELD,
}
"""The fields of a form by which a client authenticates."""


class OAuthProblem(ProblemBody):
    """A problem with the error members of OAuth (RFC 6749, section 5.2)."""

    error: Literal["invalid_client", "invalid_request", "unsupported_grant_type", "invalid_scope"]
    error_description: str


OAUTH_RESPONSES = {
    400: {"description": "Invalid OAuth request", "model": OAuthProblem},
    401: {"description": "Client authentication failed", "model": OAuthProblem},
    **error_responses(408, 413, 415, 429, 503),
}


def sign_in_client(
    request: Request, form: dict[str, str], act: Callable[[Transaction, Caller], Outcome]
) -> Outcome:
    """Authenticate the client and return what `act` returns, in the transaction that audits it."""
    store = find_services(request).store
    client = client_authentication.read_unverified_client_id(request, form)
    try:
        caller, assertion = client_authentication.authenticate_client(request, form)
        with store.transaction(build_actor(request, caller)) as work:
            if assertion and not callers.consume_assertion(work, assertion, CLOCK_SKEW_SECONDS):
                raise client_authentication.build_client_problem(request, "replayed")
            return act(work, caller)
    except CLIENT_ERRORS as error:
        if isinstance(error, client_authentication.InvalidClientProblem):
            _limit_failures(request, client)
        reason = getattr(error, "reason", "")
        _record_failure(request, client, convert_error(error).code, reason)
        raise


def respond_to_problem(request: Request, problem: Problem) -> JSONResponse:
    """Return the response of RFC 6749 to a problem. Raises the problem if it is none of OAuth."""
    if problem.code not in _OAUTH_ERRORS:
        raise problem
    request.state.problem = problem.code
    body = problem.build_body().model_dump(exclude_none=True)
    oauth_members = {"error": _OAUTH_ERRORS[problem.code], "error_description": problem.detail}
    headers = problem.headers | {"Cache-Control": "no-store"}
    return JSONResponse(
        oauth_members | body, status_code=problem.definition.status, headers=headers
    )


def _limit_failures(request: Request, client: str | None) -> None:
    """Count a failure for its network, and for the client from that network.

    Right credentials are never limited by the failures of others at the same address. Raises
    Problem `too_many`, recorded.
    """
    try:
        count_for_network(request, FAILED_TOKENS)
        count_for_network(request, FAILED_TOKENS_OF_CLIENT, client or "")
    except Problem as problem:
        _record_failure(request, client, problem.code)
        raise


def _record_failure(request: Request, client: str | None, code: str, reason: str = "") -> None:
    """Record the failure in the audit chain of the named client's organisation, if it exists.

    The reason is in the audit and the log, with the id of the request, and nowhere else.
    """
    store = find_services(request).store
    denied_requests = find_services(request).denied_requests
    caller = callers.look_up_client(store, client) if client else None
    actor = build_actor(request, caller)
    denied_requests.record(actor, code, reason=reason)
    _log.info(
        "token_denied", client=actor.id, code=code, reason=reason, request_id=actor.request_id
    )
