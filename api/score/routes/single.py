"""Scores an intake into an assessment, a report or a note, without storing anything."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from api.auth.route_guard import guarded
from api.dependencies import Printing, Reports, Rulebooks
from api.documents.document_builder import paper_of_intake, sent
from api.documents.request import DOCUMENTS, NOTE, AsNote, ByAccept, BySuffix
from api.http.error_responses import TAKING, refusals
from api.intakes.models import any_intake
from schemas.assessment import Assessment
from scoring.catalogue import Catalogue
from scoring.engine import assess


def router(catalogue: Catalogue) -> APIRouter:
    """Return the router; its bodies are typed by the rulebooks in use."""
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
        """Returns the assessment of one intake. Patient, clinician and note are neither scored nor
        returned.
        """
        answers = intake.answers.model_dump(exclude_none=True)
        loaded = rulebooks.active(intake.rulebook)
        assessment = assess(loaded, answers, attested=intake.attested)
        return Response(assessment.model_dump_json(by_alias=True), media_type="application/json")

    report_responses = {**DOCUMENTS, **refusals(*TAKING)}

    @routes.post(
        "/report",
        operation_id="score_report",
        response_class=Response,
        responses=report_responses,
        summary="Score an intake into a report",
    )
    def report(
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        renderer: Reports,
        print_settings: Printing,
        document_request: ByAccept,
    ) -> Response:
        """Returns the report of one intake, with the patient if the intake names one.

        `Accept` selects PDF, HTML, RTF, plain text or CDA; the default is PDF. `document` selects
        the clinician's report or the patient's sheet.
        """
        document = paper_of_intake(rulebooks, print_settings, renderer, intake, document_request)
        return sent(document, document_request.kind)

    @routes.post(
        "/report.{suffix}",  # noqa: FAST003 - a parameter of the dependency
        operation_id="score_report_as",
        response_class=Response,
        responses=report_responses,
        summary="Score an intake into a report in this format",
    )
    def report_as(
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        renderer: Reports,
        print_settings: Printing,
        document_request: BySuffix,
    ) -> Response:
        """Returns the report in the format of the suffix. `Accept` is ignored."""
        document = paper_of_intake(rulebooks, print_settings, renderer, intake, document_request)
        return sent(document, document_request.kind)

    @routes.post(
        "/note",
        operation_id="score_note",
        response_class=Response,
        responses={**NOTE, **refusals(*TAKING)},
        summary="Score an intake into a note",
    )
    def score_note(
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        renderer: Reports,
        print_settings: Printing,
        document_request: AsNote,
    ) -> Response:
        """Returns a few lines of plain text to paste into a chart."""
        document = paper_of_intake(rulebooks, print_settings, renderer, intake, document_request)
        return Response(document.content, media_type=document.media_type)

    return routes
