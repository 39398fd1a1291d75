"""Problem types, each documented at the URL in the `type` of its problems."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.field_errors import list_codes
from api.http.content_negotiation import negotiate_media_type
from api.http.errors.error_responses import error_responses
from api.http.public_route import PublicRoute
from api.problem_definitions import PROBLEM_DEFINITIONS
from api.problems import FieldError, Problem, ProblemBody
from api.web.templating import PageOptions, render_page

router = APIRouter(prefix="/problems", tags=["problems"], route_class=PublicRoute)
HTML = "text/html"
_EXAMPLE_EXTENSIONS: dict[str, dict[str, str | int]] = {
    "insufficient_scope": {"scope": "screenings:read"},
    "too_large": {"limit": 262_144},
}
_EXAMPLE_ID = "6f6f6f6f00004000800000000000000a"


class ProblemType(BaseModel, frozen=True):
    """One type of problem."""

    code: str = Field(description="The last part of `type` in the problems of this type.")
    status: int = Field(description="The status of the responses.")
    title: str = Field(description="The type of problem in a few words.")
    meaning: str = Field(description="The cause, which is `detail` unless more is known.")
    remedy: str = Field(description="What the client does next.")
    example: ProblemBody = Field(description="A problem of this type, as it is sent.")
    codes: dict[str, str] | None = Field(
        default=None,
        description="Of `invalid_request`: the codes in `errors`, each with what it says.",
    )


@router.get(
    "/{code}",
    operation_id="read_problem",
    response_model=ProblemType,
    response_model_exclude_none=True,
    responses=error_responses(404, 422),
    summary="Read a problem type",
)
def read_problem(
    request: Request,
    code: Annotated[str, Path(max_length=60, examples=["invalid_request"])],
) -> Response:
    """Return the cause and the remedy of one type of problem; to a browser, as a page."""
    if code not in PROBLEM_DEFINITIONS:
        raise Problem("not_found")
    problem_type = _describe(code)
    accept = request.headers.get("accept")
    if negotiate_media_type(accept, ("application/json", HTML)) == HTML:
        example = problem_type.example.model_dump_json(indent=2, exclude_none=True)
        options = PageOptions(language="en")
        return render_page(
            request, "problem_type.html.j2", options, kind=problem_type, example=example
        )
    body = problem_type.model_dump(exclude_none=True)
    return JSONResponse(body, headers={"Cache-Control": "public, max-age=3600", "Vary": "Accept"})


def _describe(code: str) -> ProblemType:
    definition = PROBLEM_DEFINITIONS[code]
    is_invalid = code == "invalid_request"
    error = FieldError(pointer="/answers/age_years", code="too_large", detail="must be 120 or less")
    problem = Problem(
        code,
        errors=[error] if is_invalid else (),
        extensions=_EXAMPLE_EXTENSIONS.get(code),
    )
    return ProblemType(
        code=code,
        status=definition.status,
        title=definition.title,
        meaning=definition.meaning,
        remedy=definition.remedy,
        example=problem.build_body(_EXAMPLE_ID),
        codes=list_codes() if is_invalid else None,
    )
