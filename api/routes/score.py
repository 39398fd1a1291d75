"""Scoring without keeping: an intake in, its assessment, report or note out. Nothing is stored."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from api.bodies import any_intake
from api.deps import TAKING, Calling, Reports, Rulebooks, guarded, printed, refusals
from api.papers import viewed
from reports.note import note
from reports.pdf import render
from schemas.assessment import Assessment
from scoring.catalogue import Catalogue
from scoring.engine import assess

PDF = "application/pdf"
TEXT = "text/plain; charset=utf-8"


def router(catalogue: Catalogue) -> APIRouter:
    """The routes, typed by the rulebooks in use."""
    routes = APIRouter(prefix="/v1/score", tags=["score"], route_class=guarded("score"))
    intake_type: Any = Annotated[any_intake(catalogue.scored()), Body()]

    @routes.post(
        "",
        operation_id="score",
        response_model=Assessment,
        responses=refusals(*TAKING),
        summary="Score an intake",
    )
    def score(intake: intake_type, rulebooks: Rulebooks) -> Response:
        """The assessment of one intake. Patient, clinician and note are not scored nor echoed."""
        answers = intake.answers.model_dump(exclude_none=True)
        loaded = rulebooks.active(intake.rulebook)
        assessment = assess(loaded, answers, attested=intake.attested)
        return Response(assessment.model_dump_json(by_alias=True), media_type="application/json")

    @routes.post(
        "/report",
        operation_id="score_report",
        response_class=Response,
        responses={
            200: {
                "description": "The clinician's report",
                "content": {PDF: {"schema": {"type": "string", "format": "binary"}}},
            },
            **refusals(*TAKING),
        },
        summary="Score an intake into a report",
    )
    def report(
        intake: intake_type,
        rulebooks: Rulebooks,
        reports: Reports,
        caller: Calling,
    ) -> Response:
        """The clinician's report of one intake as PDF, bearing the patient where one was given."""
        content = reports.render(lambda: render(viewed(rulebooks, printed(caller), intake)))
        return Response(content, media_type=PDF, headers=_named("nociscreen-report.pdf"))

    @routes.post(
        "/note",
        operation_id="score_note",
        response_class=Response,
        responses={
            200: {
                "description": "The note",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **refusals(*TAKING),
        },
        summary="Score an intake into a note",
    )
    def score_note(intake: intake_type, rulebooks: Rulebooks, caller: Calling) -> Response:
        """A few lines of plain text, ready to paste into a chart."""
        return Response(note(viewed(rulebooks, printed(caller), intake)), media_type=TEXT)

    return routes


def _named(file: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file}"'}
