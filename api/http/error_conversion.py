"""Maps the errors of the store to problems: the only place where they meet HTTP."""

from typing import cast

from fastapi import Request
from fastapi.responses import JSONResponse

from api.problems import FieldError, Problem
from api.store.errors import (
    ConflictError,
    IdempotencyKeyReusedError,
    InvalidCursorError,
    LegalHoldError,
    NotFoundError,
    StoreError,
    TooManyAttemptsError,
    UnavailableError,
)

CLIENT_ERRORS = (Problem, StoreError)
"""Every error that a client sees as a problem."""
_CODES: dict[type[StoreError], str] = {
    NotFoundError: "not_found",
    ConflictError: "conflict",
    LegalHoldError: "legal_hold",
    IdempotencyKeyReusedError: "idempotency_key_reused",
    InvalidCursorError: "invalid_request",
    TooManyAttemptsError: "too_many",
    UnavailableError: "unavailable",
}


def convert_error(error: Problem | StoreError) -> Problem:
    """Return the problem that the client sees; a Problem itself stays as it is."""
    if isinstance(error, Problem):
        return error
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    errors = []
    if isinstance(error, InvalidCursorError):
        detail = "must be a cursor returned by a previous page"
        errors = [FieldError(pointer="/cursor", code="cursor", detail=detail)]
    return Problem(_CODES[type(error)], error.detail, errors=errors, headers=headers)


async def respond_to_store_error(_: Request, error: Exception) -> JSONResponse:
    """Return the response to an error of the store."""
    return convert_error(cast("StoreError", error)).build_response()
