"""Scores an intake into an assessment, a report or a note, without storing anything."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep, MeteredRendererDep, PrintSettingsDep
from api.documents.document_builder import build_download, render_intake
from api.documents.request import (
    DOCUMENT_RESPONSES,
    NOTE_RESPONSES,
    DocumentByAccept,
    DocumentBySuffix,
    NoteRequest,
)
from api.http.errors.error_responses import BODY_ERRORS, error_responses
from api.intakes.models import intake_union
from api.intakes.short_assessment import (
    Prefer,
    minimal_response,
    prefers_minimal,
    send_minimal,
    shorten_assessment,
)
from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_json import write_assessment
from schemas.assessments.short_assessment import ShortAssessment
from scoring.catalogue import Catalogue
from scoring.engine import assess


def build_router(catalogue: Catalogue) -> APIRouter:
    """Return the router; its bodies are typed by the rulebooks in use."""
    routes = APIRouter(prefix="/v1/score", tags=["score"], route_class=require_scope("score"))
    intake_type: Any = Annotated[intake_union(catalogue.list_active()), Body()]

    @routes.post(
        "",
        operation_id="score",
        response_model=Assessment,
        responses={**minimal_response(ShortAssessment), **error_responses(*BODY_ERRORS)},
        summary="Score an intake",
    )
    async def score(
        intake: intake_type, rulebooks: CatalogueDep, prefer: Prefer = None
    ) -> Response:
        """Returns the assessment of one intake. Patient, clinician and note are neither scored nor
        returned.
        """
        answers = intake.answers.model_dump(exclude_none=True)
        loaded = rulebooks.find_active(intake.rulebook)
        assessment = assess(loaded, answers, attested=intake.attested)
        body = write_assessment(assessment)
        if prefers_minimal(prefer):
            return send_minimal(shorten_assessment(json.loads(body)))
        return Response(body, media_type="application/json")

    report_responses = {**DOCUMENT_RESPONSES, **error_responses(*BODY_ERRORS)}

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
        rulebooks: CatalogueDep,
        renderer: MeteredRendererDep,
        print_settings: PrintSettingsDep,
        document_request: DocumentByAccept,
    ) -> Response:
        """Returns the report of one intake, with the patient if the intake names one.

        `Accept` selects PDF, HTML, RTF, plain text or CDA; the default is PDF. `document` selects
        the clinician's report or the patient's sheet.
        """
        document = render_intake(rulebooks, print_settings, renderer, intake, document_request)
        return build_download(document, document_request.audience)

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
        rulebooks: CatalogueDep,
        renderer: MeteredRendererDep,
        print_settings: PrintSettingsDep,
        document_request: DocumentBySuffix,
    ) -> Response:
        """Returns the report in the format of the suffix. `Accept` is ignored."""
        document = render_intake(rulebooks, print_settings, renderer, intake, document_request)
        return build_download(document, document_request.audience)

    @routes.post(
        "/note",
        operation_id="score_note",
        response_class=Response,
        responses={**NOTE_RESPONSES, **error_responses(*BODY_ERRORS)},
        summary="Score an intake into a note",
    )
    def score_note(
        intake: intake_type,
        *,
        rulebooks: CatalogueDep,
        renderer: MeteredRendererDep,
        print_settings: PrintSettingsDep,
        document_request: NoteRequest,
    ) -> Response:
        """Returns a few lines of plain text to paste into a chart."""
        document = render_intake(rulebooks, print_settings, renderer, intake, document_request)
        return Response(document.content, media_type=document.media_type)

    return routes
