"""Problem types, each documented at the URL in the `type` of its problems."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from api.http.error_responses import error_responses
from api.problems import PROBLEM_DEFINITIONS, Problem

router = APIRouter(prefix="/problems", tags=["problems"])


class ProblemType(BaseModel, frozen=True):
    """One type of problem."""

    code: str
    status: int
    title: str
    meaning: str


@router.get(
    "/{code}",
    operation_id="read_problem",
    responses=error_responses(404, 422),
    summary="Read a problem type",
)
def read_problem(
    code: Annotated[str, Path(max_length=60, examples=["invalid_request"])],
) -> ProblemType:
    """Return the status, title and meaning of one type of problem."""
    kind = PROBLEM_DEFINITIONS.get(code)
    if kind is None:
        raise Problem("not_found")
    return ProblemType(code=code, status=kind.status, title=kind.title, meaning=kind.meaning)
