"""Many intakes scored at once: one result for each, in order, and nothing is kept."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import Field, SkipValidation, TypeAdapter, ValidationError

from api.auth.route_guard import guarded
from api.dependencies import Rulebooks
from api.http.error_responses import TAKING, refusals
from api.intakes.models import Intake, any_intake
from api.problems import Problem, ProblemBody, wrong_shape
from schemas.assessment import Assessment
from schemas.base import Frozen
from scoring.catalogue import Catalogue
from scoring.engine import assess

AT_ONCE = 1000
TIMES = 24
"""How many bodies of one intake, at their largest, a body of `AT_ONCE` may be as large as."""


class Result(Frozen):
    """What became of one intake: it was scored, or a problem says why it could not be."""

    assessment: Assessment | None
    problem: ProblemBody | None


class Results(Frozen):
    """One result for each intake, in their order."""

    results: tuple[Result, ...]


def router(catalogue: Catalogue) -> APIRouter:
    """The route, typed by the rulebooks in use."""
    routes = APIRouter(
        prefix="/v1/score", tags=["batches"], route_class=guarded("score", times=TIMES)
    )
    intake_type: Any = any_intake(catalogue.scored())
    intakes_type: Any = Annotated[
        list[Annotated[intake_type, SkipValidation]], Field(min_length=1, max_length=AT_ONCE)
    ]
    intake = TypeAdapter[Intake](intake_type)

    @routes.post(
        "/batch",
        operation_id="score_many",
        response_model=Results,
        responses=refusals(*TAKING),
        summary="Score up to 1,000 intakes at once",
    )
    def score_many(intakes: Annotated[intakes_type, Body()], rulebooks: Rulebooks) -> Response:
        """One result for each, in order: its assessment, or the problem that `POST /v1/score`
        would answer. A faulty intake stops none of the others. Nothing is kept.
        """
        made = (_result(intake, each, rulebooks) for each in intakes)
        return Response(f'{{"results":[{",".join(made)}]}}', media_type="application/json")

    return routes


def _result(intake: TypeAdapter[Intake], sent: Any, rulebooks: Catalogue) -> str:
    """What became of what was sent in one place, as JSON."""
    try:
        read: Any = intake.validate_python(sent)
    except ValidationError as error:
        faults = _as_a_body(error.errors(include_url=False, include_input=False))
        return _told(problem=wrong_shape(faults, sent))
    made = assess(
        rulebooks.active(read.rulebook),
        read.answers.model_dump(exclude_none=True),
        attested=read.attested,
    )
    return f'{{"assessment":{made.model_dump_json(by_alias=True)},"problem":null}}'


def _as_a_body(faults: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The faults, at places told as those of a body that holds this intake alone."""
    return [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]


def _told(problem: Problem) -> str:
    return json.dumps({"assessment": None, "problem": problem.body().model_dump(exclude_none=True)})
