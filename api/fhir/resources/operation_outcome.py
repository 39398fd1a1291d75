"""Builds OperationOutcomes, with one issue per error and its location as a FHIRPath.

    InvalidResource(Problem)   the client must act: the resource is invalid for this server

Every other Problem becomes an OperationOutcome at the edge, by `convert_problem`. No issue
repeats an answer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from fastapi.responses import JSONResponse

from api.fhir.elements import FHIR_JSON, Resource
from api.problem_definitions import PROBLEM_DEFINITIONS
from api.problems import Problem

Severity = Literal["error", "warning", "information"]
_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    408: "timeout",
    409: "conflict",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    416: "invalid",
    422: "invalid",
    429: "throttled",
    431: "too-long",
    500: "exception",
    503: "transient",
}
_STEP = re.compile(r"/(?:(\d+)|([A-Za-z0-9_.@~-]+))")
_ELEMENT = re.compile(r"[A-Za-z]+")
_LONGEST_NAME = 40


class OutcomeIssue(NamedTuple):
    """One issue: its IssueType code, the expectation, and the location as a FHIRPath."""

    code: str
    text: str
    expression: str | None = None
    severity: Severity = "error"


class InvalidResource(Problem):
    """A resource is rejected, with every issue."""

    def __init__(
        self, code: str, issues: Iterable[OutcomeIssue], *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, headers=headers)
        self.issues = list(issues)

    def build_response(self, request_id: str | None = None) -> JSONResponse:
        """Return the OperationOutcome as a response."""
        return JSONResponse(
            build_operation_outcome(self.issues, self.code, request_id),
            status_code=self.definition.status,
            headers=self.headers,
            media_type=FHIR_JSON,
        )


def build_operation_outcome(
    issues: Iterable[OutcomeIssue], problem: str | None = None, request_id: str | None = None
) -> Resource:
    """Return the OperationOutcome; `problem` is a code of the documented problem types."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [_build_issue(issue, problem, request_id) for issue in issues],
    }


def convert_problem(body: Mapping[str, Any]) -> Resource:
    """Convert the body of a problem response into an OperationOutcome."""
    problem = str(body["type"]).rsplit("/", 1)[-1]
    unknown_address = problem == "unknown_address"
    code = "not-supported" if unknown_address else _CODES.get(body["status"], "processing")
    errors = body.get("errors") or ()
    issues = [
        OutcomeIssue(code, _describe(error), _to_fhirpath(error["pointer"])) for error in errors
    ]
    issues = issues or [OutcomeIssue(code, body["detail"])]
    return build_operation_outcome(issues, problem, body.get("request_id"))


def build_success_outcome() -> Resource:
    """Return an OperationOutcome that reports success."""
    return build_operation_outcome(
        [OutcomeIssue("informational", "No issues.", severity="information")]
    )


def locate_member(path: str, name: str) -> str:
    """Return the place of a member; its parent's if its name is not a plain word."""
    return f"{path}.{name}" if _ELEMENT.fullmatch(name) and len(name) <= _LONGEST_NAME else path


def _build_issue(issue: OutcomeIssue, problem: str | None, request_id: str | None) -> Resource:
    element: Resource = {
        "severity": issue.severity,
        "code": issue.code,
        "details": {"text": issue.text},
    }
    if problem is not None:
        request = f"; request {request_id}" if request_id else ""
        title = PROBLEM_DEFINITIONS[problem].title
        element["diagnostics"] = f"problem {problem}: {title}{request}"
    return element | ({"expression": [issue.expression]} if issue.expression else {})


def _describe(error: Mapping[str, Any]) -> str:
    name = str(error["pointer"]).removeprefix("/")
    return f"{name}: {error['detail']}" if name else str(error["detail"])


def _to_fhirpath(pointer: str) -> str | None:
    """Convert a JSON Pointer to a FHIRPath; None if a step is not an element name."""
    steps = _STEP.findall(pointer)
    if not steps or any(name and not _ELEMENT.fullmatch(name) for _, name in steps):
        return None
    return "".join(f"[{index}]" if index else f".{name}" for index, name in steps).removeprefix(".")
