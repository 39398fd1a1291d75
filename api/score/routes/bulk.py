"""Scores many intakes in one request, without storing anything."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import Field, SkipValidation, TypeAdapter, ValidationError

from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep
from api.http.errors.error_responses import BODY_ERRORS, error_responses
from api.intakes.models import Intake, intake_union
from api.problems import Problem, ProblemBody, build_body_problem
from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_json import write_assessment
from schemas.base import FrozenModel
from scoring.catalogue import Catalogue
from scoring.engine import assess

MAX_INTAKES = 1000
BODY_SIZE_FACTOR = 24
"""The size limit of the request, as a multiple of the limit for one intake."""


class BulkScoreResult(FrozenModel):
    """The result for one intake: its assessment, or the problem that prevented scoring."""

    assessment: Assessment | None
    problem: ProblemBody | None


class BulkScoreResults(FrozenModel):
    """One result for each intake, in the order of the request."""

    results: tuple[BulkScoreResult, ...]


def build_router(catalogue: Catalogue) -> APIRouter:
    """Return the router; its bodies are typed by the rulebooks in use."""
    routes = APIRouter(
        prefix="/v1/score",
        tags=["batches"],
        route_class=require_scope("score", body_size_factor=BODY_SIZE_FACTOR),
    )
    intake_type: Any = intake_union(catalogue.list_active())
    intakes_type: Any = Annotated[
        list[Annotated[intake_type, SkipValidation]], Field(min_length=1, max_length=MAX_INTAKES)
    ]
    intake = TypeAdapter[Intake](intake_type)

    @routes.post(
        "/batch",
        operation_id="score_many",
        response_model=BulkScoreResults,
        responses=error_responses(*BODY_ERRORS),
        summary="Score up to 1,000 intakes at once",
    )
    def score_many(intakes: Annotated[intakes_type, Body()], rulebooks: CatalogueDep) -> Response:
        """Returns one result for each intake, in order: its assessment, or the problem that
        `POST /v1/score` would return. An invalid intake does not affect the others. Nothing is
        stored.
        """
        results = (_score(intake, value, rulebooks) for value in intakes)
        return Response(f'{{"results":[{",".join(results)}]}}', media_type="application/json")

    return routes


def _score(intake_type: TypeAdapter[Intake], value: Any, rulebooks: Catalogue) -> str:
    """Return the result for one element of the request, as JSON."""
    try:
        intake: Any = intake_type.validate_python(value)
    except ValidationError as error:
        return _render_problem(
            build_body_problem(error, value, intake_union(rulebooks.list_active()))
        )
    assessment = assess(
        rulebooks.find_active(intake.rulebook),
        intake.answers.model_dump(exclude_none=True),
        attested=intake.attested,
    )
    return f'{{"assessment":{write_assessment(assessment).decode()},"problem":null}}'


def _render_problem(problem: Problem) -> str:
    return json.dumps(
        {"assessment": None, "problem": problem.build_body().model_dump(exclude_none=True)}
    )
