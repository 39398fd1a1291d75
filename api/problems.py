"""Errors as clients see them: problem details (RFC 9457).

    Problem    the client must act; status and type say how, `errors` say where

Any other exception is a fault of the service: a traceback in the log, an `internal` problem for the
client. No problem repeats what the client sent.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from api.field_errors import Fault, describe_fault, describe_unknown_member
from api.problem_definitions import PROBLEM_DEFINITIONS

if TYPE_CHECKING:
    from fastapi.responses import JSONResponse

PROBLEM_MEDIA_TYPE = "application/problem+json"


def _plain_part(pointer: str) -> str:
    """Cut the pointer before the first step that is not a plain name: it is the client's text."""
    return "/".join(takewhile(_PLAIN_NAME.fullmatch, pointer.split("/")))


def _known_part(pointer: str, names: Container[str]) -> str:
    """Cut the pointer before the first step that is neither an index nor one of `names`."""
    steps = pointer.split("/")[1:]
    return "".join(f"/{step}" for step in takewhile(lambda s: s.isdigit() or s in names, steps))


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:@~-]{0,80}")


class FieldError(BaseModel, frozen=True, extra="forbid"):
    """One fault in a request: the place, the rule broken and what was expected."""

    pointer: Annotated[str, AfterValidator(_plain_part)] = Field(
        description="A JSON Pointer (RFC 6901) into the body, or `/` and a parameter's name.",
        examples=["/answers/age_years"],
    )
    code: str = Field(
        description="The rule that is broken; a code of this service that stays the same.",
        examples=["too_large"],
    )
    detail: str = Field(
        description="What was expected. It never repeats what was sent.",
        examples=["must be 120 or less"],
    )


class ProblemBody(BaseModel, frozen=True, extra="forbid"):
    """The body of an error response (RFC 9457)."""

    type: str = Field(
        description="The page of this type of problem, with its cause and remedy.",
        examples=["/problems/invalid_request"],
    )
    title: str = Field(description="The type of problem in a few words.")
    status: int = Field(description="The status of the response.", examples=[422])
    detail: str = Field(description="This problem in a sentence, and what to do.")
    errors: list[FieldError] | None = Field(
        default=None, description="Each fault of the request with its place; all at once."
    )
    scope: str | None = Field(
        default=None, description="The scope that is missing, of `insufficient_scope`."
    )
    limit: int | None = Field(
        default=None, description="The limit that was exceeded, in bytes or requests a minute."
    )
    request_id: str | None = Field(
        default=None,
        description="The id of the request, as in `X-Request-Id`; the log has it too.",
        examples=["6f6f6f6f00004000800000000000000a"],
    )


class Problem(Exception):  # noqa: N818 - "problem" is the word of RFC 9457
    """An error that the client can act on."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.definition = PROBLEM_DEFINITIONS[code]
        self.detail = detail or self.definition.meaning
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})

    def build_body(self, request_id: str | None = None) -> ProblemBody:
        """Return the body of the response."""
        return ProblemBody(
            type=f"/problems/{self.code}",
            title=self.definition.title,
            status=self.definition.status,
            detail=self.detail,
            errors=self.errors or None,
            request_id=request_id,
            **self.extensions,
        )

    def limit_pointers(self, names: Container[str]) -> "Problem":
        """Return a copy whose pointers end before the first step that is not one of `names`."""
        errors = [
            error.model_copy(update={"pointer": _known_part(error.pointer, names)})
            for error in self.errors
        ]
        return Problem(
            self.code,
            self.detail,
            errors=errors,
            headers=self.headers,
            extensions=self.extensions,
        )

    def build_response(self, request_id: str | None = None) -> "JSONResponse":
        """Return the problem as a response."""
        from fastapi.responses import JSONResponse  # the command line needs none of it

        return JSONResponse(
            self.build_body(request_id).model_dump(exclude_none=True),
            status_code=self.definition.status,
            headers=self.headers,
            media_type=PROBLEM_MEDIA_TYPE,
        )


class TooManyRequestsProblem(Problem):
    """A rate limit is reached or a queue is full; the client may try again after some seconds."""

    def __init__(self, retry_after: int, detail: str | None = None) -> None:
        super().__init__("too_many", detail, headers={"Retry-After": str(retry_after)})


def build_validation_problem(
    faults: Iterable[Mapping[str, Any]], body: Any = None, annotation: Any = None
) -> Problem:
    """Build one problem from pydantic's errors: each place with a sentence, never a value.

    The type of the body, if given, is where the known names of an unknown member come from.
    """
    errors = [_build_field_error(fault, body, annotation) for fault in faults]
    distinct = dict.fromkeys(_drop_consequences(errors))
    return Problem("invalid_request", errors=distinct)


def _drop_consequences(errors: list["FieldError"]) -> Iterator["FieldError"]:
    """Drop `too few items` of a list whose items are faulty: pydantic leaves those out."""
    places = {error.pointer.rpartition("/")[0] for error in errors}
    for error in errors:
        if error.code != "too_few" or error.pointer not in places:
            yield error


def build_body_problem(error: ValidationError, body: Any, annotation: Any = None) -> Problem:
    """Build the problem of a body that was validated on its own, outside FastAPI."""
    faults = error.errors(include_url=False, include_input=False)
    body_faults = ({**fault, "loc": ("body", *fault["loc"])} for fault in faults)
    return build_validation_problem(body_faults, body, annotation)


def _build_field_error(fault: Mapping[str, Any], body: Any, annotation: Any) -> FieldError:
    kind = str(fault["type"])
    part, *steps = fault["loc"]
    rulebook = body.get("rulebook") if isinstance(body, Mapping) else None
    if kind == "extra_forbidden":
        own = describe_unknown_member(steps, body, annotation)
    elif kind == "union_tag_not_found" and part == "body" and _is_flat_intake(body):
        own = Fault("required", f"{FLAT_INTAKE}; it names the rulebook")
    else:
        own = describe_fault(fault)
    pointer = _build_pointer(kind, (part, *steps), rulebook)
    return FieldError(pointer=pointer, code=own.code, detail=own.detail)


def _is_flat_intake(body: Any) -> bool:
    return isinstance(body, Mapping) and bool(body) and "answers" not in body


def _build_pointer(kind: str, location: tuple[int | str, ...], tag: Any) -> str:
    """Build a JSON Pointer (RFC 6901); for an unknown member, to its parent.

    In an intake, pydantic's first step is the rulebook's name: it is left out.
    """
    part, *steps = location
    if kind == "extra_forbidden":  # the name is the client's text and may identify a patient
        steps = steps[:-1]
    if part == "body" and kind in _RULEBOOK_ERRORS:
        steps = ["rulebook"]
    elif part == "body" and steps[:1] == [tag] and len(location) > 2:
        steps = steps[1:]
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


_RULEBOOK_ERRORS = ("union_tag_invalid", "union_tag_not_found")
FLAT_INTAKE = "is required, and answers belong under `answers`, beside `rulebook`"
