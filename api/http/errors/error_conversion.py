"""Maps the errors of the store to problems: the only place where they meet HTTP."""

from typing import cast

from fastapi import Request
from fastapi.responses import JSONResponse

from api.http.errors.problem_responses import send_problem
from api.problems import FieldError, Problem
from api.store import errors

CLIENT_ERRORS = (Problem, errors.StoreError)
"""Every error that a client sees as a problem."""
_CODES: dict[type[errors.StoreError], str] = {
    errors.NotFoundError: "not_found",
    errors.ConflictError: "conflict",
    errors.LegalHoldError: "legal_hold",
    errors.GrantError: "not_grantable",
    errors.IdempotencyKeyReusedError: "idempotency_key_reused",
    errors.InvalidCursorError: "invalid_request",
    errors.TooManyAttemptsError: "too_many",
    errors.QuotaExceededError: "quota_exceeded",
    errors.UnavailableError: "unavailable",
}


def convert_error(error: Problem | errors.StoreError) -> Problem:
    """Return the problem that the client sees; a Problem itself stays as it is."""
    if isinstance(error, Problem):
        return error
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    faults = []
    if isinstance(error, errors.InvalidCursorError):
        detail = "must be a cursor returned by a previous page"
        faults = [FieldError(pointer="/cursor", code="cursor", detail=detail)]
    return Problem(_CODES[type(error)], error.detail, errors=faults, headers=headers)


async def respond_to_store_error(request: Request, error: Exception) -> JSONResponse:
    """Return the response to an error of the store."""
    return send_problem(request, convert_error(cast("errors.StoreError", error)))
