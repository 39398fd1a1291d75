"""OperationOutcome: what is wrong, one issue a finding, each with its place as a FHIRPath.

    Outcome(Problem)           the client must act: a resource is not one that this server takes

Every other Problem becomes an OperationOutcome at the edge, by `outcome_of_problem`. None repeats
an answer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from fastapi.responses import JSONResponse

from api.fhir.elements import FHIR_JSON, Resource
from api.problems import KINDS, Problem

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


class Issue(NamedTuple):
    """One finding: its kind (IssueType), what was expected, and where."""

    code: str
    text: str
    expression: str | None = None
    severity: Severity = "error"


class Outcome(Problem):
    """A refusal of a resource, with every finding."""

    def __init__(
        self, code: str, issues: Iterable[Issue], *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, headers=headers)
        self.issues = list(issues)

    def response(self) -> JSONResponse:
        """The refusal as a response."""
        return JSONResponse(
            operation_outcome(self.issues, self.code),
            status_code=self.kind.status,
            headers=self.headers,
            media_type=FHIR_JSON,
        )


def operation_outcome(issues: Iterable[Issue], problem: str | None = None) -> Resource:
    """The resource; `problem` is the type of problem under which the service documents it."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(each, problem) for each in issues]}


def outcome_of_problem(body: Mapping[str, Any]) -> Resource:
    """A problem, as it was about to be sent, as an OperationOutcome."""
    problem = str(body["type"]).rsplit("/", 1)[-1]
    code = _CODES.get(body["status"], "processing")
    errors = body.get("errors") or ()
    issues = [Issue(code, _said(each), _path(each["pointer"])) for each in errors]
    return operation_outcome(issues or [Issue(code, body["detail"])], problem)


def all_is_well() -> Resource:
    """That nothing is wrong."""
    return operation_outcome([Issue("informational", "All is well.", severity="information")])


def _issue(issue: Issue, problem: str | None) -> Resource:
    told: Resource = {
        "severity": issue.severity,
        "code": issue.code,
        "details": {"text": issue.text},
    }
    if problem is not None:
        told["diagnostics"] = f"problem {problem}: {KINDS[problem].title}"
    return told | ({"expression": [issue.expression]} if issue.expression else {})


def _said(error: Mapping[str, Any]) -> str:
    name = str(error["pointer"]).removeprefix("/")
    return f"{name}: {error['detail']}" if name else str(error["detail"])


def _path(pointer: str) -> str | None:
    """A JSON Pointer of a resource as a FHIRPath; None where a step is no element's name."""
    steps = _STEP.findall(pointer)
    if not steps or any(name and not _ELEMENT.fullmatch(name) for _, name in steps):
        return None
    return "".join(f"[{place}]" if place else f".{name}" for place, name in steps).removeprefix(".")
