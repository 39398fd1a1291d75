"""Errors as clients see them: problem details (RFC 9457).

    Problem    the client must act; status and type say how, `errors` say where

Any other exception is a fault of the service: a traceback in the log, an `internal` problem for the
client. No problem repeats what the client sent.
"""

import re
from collections.abc import Container, Iterable, Mapping
from itertools import takewhile
from typing import Annotated, Any, NamedTuple, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import AfterValidator, BaseModel, ValidationError
from starlette.exceptions import HTTPException

PROBLEM_MEDIA_TYPE = "application/problem+json"


class ProblemDefinition(NamedTuple):
    """A type of problem, as documented under `/problems/{code}`."""

    status: int
    title: str
    meaning: str


PROBLEM_DEFINITIONS: dict[str, ProblemDefinition] = {
    "malformed_json": ProblemDefinition(
        400, "Malformed JSON", "The body is not valid, unambiguous JSON."
    ),
    "malformed_request": ProblemDefinition(
        400, "Malformed request", "The request could not be parsed."
    ),
    "unsupported_grant_type": ProblemDefinition(
        400, "Grant type not supported", "Only `grant_type=client_credentials` is supported."
    ),
    "invalid_scope": ProblemDefinition(
        400, "Invalid scope", "The client has none of the requested scopes."
    ),
    "if_match_required": ProblemDefinition(
        400, "If-Match required", 'Send the version to update: `If-Match: W/"1"`.'
    ),
    "missing_token": ProblemDefinition(
        401, "Token missing", "Send an access token: `Authorization: Bearer <token>`."
    ),
    "invalid_token": ProblemDefinition(
        401, "Invalid token", "The access token is invalid or has expired."
    ),
    "invalid_client": ProblemDefinition(
        401, "Client authentication failed", "The client could not be authenticated."
    ),
    "insufficient_scope": ProblemDefinition(
        403, "Insufficient scope", "The token lacks the scope that this operation requires."
    ),
    "not_grantable": ProblemDefinition(
        403,
        "Not yours to give",
        "You can give only scopes that you have yourself, and no limit above your own.",
    ),
    "csrf_failed": ProblemDefinition(
        403, "CSRF check failed", "The form was not sent from its own page. Open the page again."
    ),
    "not_found": ProblemDefinition(
        404, "Not found", "The resource does not exist, or you may not see it."
    ),
    "method_not_allowed": ProblemDefinition(
        405, "Method not allowed", "The `Allow` header names the allowed methods."
    ),
    "not_acceptable": ProblemDefinition(
        406, "Not acceptable", "`Accept` names no available format of this resource."
    ),
    "request_timeout": ProblemDefinition(
        408, "Request timeout", "The body did not arrive in time. Send it again."
    ),
    "conflict": ProblemDefinition(
        409, "Conflict", "The request conflicts with the stored state. `detail` gives the reason."
    ),
    "legal_hold": ProblemDefinition(
        409, "Under legal hold", "A legal hold prevents erasure. Release it first."
    ),
    "version_mismatch": ProblemDefinition(
        412, "Version mismatch", "The stored version differs from the one in `If-Match`."
    ),
    "prefetch_missing": ProblemDefinition(
        412,
        "Prefetch missing",
        "The service needs the Patient resource. Send it as the service's prefetch template says.",
    ),
    "too_large": ProblemDefinition(
        413, "Body too large", "The body exceeds the limit of this operation."
    ),
    "unsupported_media_type": ProblemDefinition(
        415, "Unsupported media type", "Send `application/json` in UTF-8, without content encoding."
    ),
    "range_not_satisfiable": ProblemDefinition(
        416,
        "Range not satisfiable",
        "The file ends before the range. `Content-Range` gives its size.",
    ),
    "incompatible_with_destination": ProblemDefinition(
        422,
        "Incompatible with the destination",
        "The destination cannot accept the message. `errors` point to the places in the message.",
    ),
    "idempotency_key_reused": ProblemDefinition(
        422,
        "Idempotency key reused",
        "The `Idempotency-Key` was already used with a different body.",
    ),
    "unusable_file": ProblemDefinition(
        422, "Unusable file", "The file contains no readable row. `detail` says what was expected."
    ),
    "invalid_request": ProblemDefinition(
        422,
        "Invalid request",
        "The request is well-formed but invalid. `errors` point to each fault.",
    ),
    "too_many": ProblemDefinition(
        429,
        "Too many requests",
        "Too many requests in progress; retry after `Retry-After` seconds.",
    ),
    "quota_exceeded": ProblemDefinition(
        429,
        "Quota exceeded",
        "A quota of your organisation is used up, and `detail` names it. Retry after `Retry-After` "
        "seconds, or ask the operator of the service for more.",
    ),
    "headers_too_large": ProblemDefinition(
        431, "Headers too large", "The headers exceed the limit."
    ),
    "internal": ProblemDefinition(
        500, "Internal error", "Unexpected server error. Quote the request id when reporting it."
    ),
    "report_stopped": ProblemDefinition(
        503,
        "Report stopped",
        "Rendering the report exceeded the time or memory limit. Retry after `Retry-After` "
        "seconds, or shorten the texts.",
    ),
    "withdrawals_unsettled": ProblemDefinition(
        503,
        "Withdrawals unsettled",
        "The database was restored, and the operator must first settle what had been withdrawn.",
    ),
    "unavailable": ProblemDefinition(
        503, "Unavailable", "The service is not ready; retry after `Retry-After` seconds."
    ),
}


def _plain_part(pointer: str) -> str:
    """Cut the pointer before the first step that is not a plain name: it is the client's text."""
    return "/".join(takewhile(_PLAIN_NAME.fullmatch, pointer.split("/")))


def _known_part(pointer: str, names: Container[str]) -> str:
    """Cut the pointer before the first step that is neither an index nor one of `names`."""
    steps = pointer.split("/")[1:]
    return "".join(f"/{step}" for step in takewhile(lambda s: s.isdigit() or s in names, steps))


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.@~-]{0,80}")


class FieldError(BaseModel, frozen=True, extra="forbid"):
    """One fault in a request: the place, the rule broken and what was expected."""

    pointer: Annotated[str, AfterValidator(_plain_part)]
    code: str
    detail: str


class ProblemBody(BaseModel, frozen=True, extra="forbid"):
    """The body of an error response (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


class Problem(Exception):  # noqa: N818 - "problem" is the word of RFC 9457
    """An error that the client can act on."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.definition = PROBLEM_DEFINITIONS[code]
        self.detail = detail or self.definition.meaning
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def build_body(self) -> ProblemBody:
        """Return the body of the response."""
        return ProblemBody(
            type=f"/problems/{self.code}",
            title=self.definition.title,
            status=self.definition.status,
            detail=self.detail,
            errors=self.errors or None,
        )

    def limit_pointers(self, names: Container[str]) -> "Problem":
        """Return a copy whose pointers end before the first step that is not one of `names`."""
        errors = [
            error.model_copy(update={"pointer": _known_part(error.pointer, names)})
            for error in self.errors
        ]
        return Problem(self.code, self.detail, errors=errors, headers=self.headers)

    def build_response(self) -> JSONResponse:
        """Return the problem as a response."""
        return JSONResponse(
            self.build_body().model_dump(exclude_none=True),
            status_code=self.definition.status,
            headers=self.headers,
            media_type=PROBLEM_MEDIA_TYPE,
        )


class TooManyRequestsProblem(Problem):
    """A rate limit is reached or a queue is full; the client may try again after some seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too_many", headers={"Retry-After": str(retry_after)})


def send_problem(request: Request, problem: Problem) -> JSONResponse:
    """Return the response to a problem, and note its code for the metrics."""
    request.state.problem = problem.code
    return problem.build_response()


async def respond_to_problem(request: Request, problem: Exception) -> JSONResponse:
    """Return the response to a Problem."""
    return send_problem(request, cast("Problem", problem))


async def respond_to_http_error(request: Request, error: Exception) -> JSONResponse:
    """Return the response to an error of the framework: unknown path, wrong method."""
    http_error = cast("HTTPException", error)
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(
        http_error.status_code, "malformed_request"
    )
    headers = http_error.headers
    if code == "method_not_allowed":
        headers = {"Allow": _list_allowed_methods(request)}
    return send_problem(request, Problem(code, headers=headers))


def _list_allowed_methods(request: Request) -> str:
    """List the methods of every route of the path: the framework names those of the first only."""
    path = getattr(request.scope.get("route"), "path", request.url.path)
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path == path]
    methods = {method for route in routes for method in route.methods or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


async def respond_to_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Return the response to an invalid body or parameter: every fault, no value."""
    invalid = cast("RequestValidationError", error)
    return send_problem(request, build_validation_problem(invalid.errors(), invalid.body))


def build_validation_problem(faults: Iterable[Mapping[str, Any]], body: Any = None) -> Problem:
    """Build one problem from pydantic's errors: each place with a sentence, never a value."""
    rulebook = body.get("rulebook") if isinstance(body, Mapping) else None
    errors = [_build_field_error(fault, rulebook) for fault in faults]
    return Problem("invalid_request", errors=errors)


def build_body_problem(error: ValidationError, body: Any) -> Problem:
    """Build the problem of a body that was validated on its own, outside FastAPI."""
    faults = error.errors(include_url=False, include_input=False)
    body_faults = ({**fault, "loc": ("body", *fault["loc"])} for fault in faults)
    return build_validation_problem(body_faults, body)


def _build_field_error(fault: Mapping[str, Any], tag: Any) -> FieldError:
    code = str(fault["type"])
    pointer = _build_pointer(code, fault["loc"], tag)
    return FieldError(pointer=pointer, code=code, detail=_describe_fault(code, fault))


def _build_pointer(code: str, location: tuple[int | str, ...], tag: Any) -> str:
    """Build a JSON Pointer (RFC 6901); for an unknown member, to its parent.

    In an intake, pydantic's first step is the rulebook's name: it is left out.
    """
    part, *steps = location
    if code == "extra_forbidden":  # the name is the client's text and may identify a patient
        steps = steps[:-1]
    if part == "body" and code in _RULEBOOK_ERRORS:
        steps = ["rulebook"]
    elif part == "body" and steps[:1] == [tag] and len(location) > 2:
        steps = steps[1:]
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


_RULEBOOK_ERRORS = ("union_tag_invalid", "union_tag_not_found")


def _describe_fault(code: str, fault: Mapping[str, Any]) -> str:
    context = fault.get("ctx") or {}
    if code in _EXPECTED:
        return _EXPECTED[code].format(**context)
    if code == "value_error":
        return str(context["error"])
    return str(fault["msg"]).replace("Input should be", "must be")


_EXPECTED = {
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is required and must name the rulebook",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "extra_forbidden": "unknown member",
    "missing": "is required",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "greater_than_equal": "must be {ge!s} or more",
    "less_than_equal": "must be {le!s} or less",
    "literal_error": "must be {expected}",
}
