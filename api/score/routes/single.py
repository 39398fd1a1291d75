"""Scoring without keeping: an intake in, its assessment, report or note out. Nothing is stored."""

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

    made = {**DOCUMENTS, **refusals(*TAKING)}

    @routes.post(
        "/report",
        operation_id="score_report",
        response_class=Response,
        responses=made,
        summary="Score an intake into a report",
    )
    def report(
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        reports: Reports,
        printed: Printing,
        chosen: ByAccept,
    ) -> Response:
        """The report of one intake, bearing the patient where one was given.

        `Accept` chooses PDF, HTML, RTF, plain text or CDA; PDF where it takes all. `document` is
        the clinician's report or the patient's sheet.
        """
        return sent(paper_of_intake(rulebooks, printed, reports, intake, chosen), chosen.kind)

    @routes.post(
        "/report.{suffix}",  # noqa: FAST003 - BySuffix reads it
        operation_id="score_report_as",
        response_class=Response,
        responses=made,
        summary="Score an intake into a report of this format",
    )
    def report_as(
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        reports: Reports,
        printed: Printing,
        chosen: BySuffix,
    ) -> Response:
        """The same, in the format that the address ends with, whatever `Accept` says."""
        return sent(paper_of_intake(rulebooks, printed, reports, intake, chosen), chosen.kind)

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
        reports: Reports,
        printed: Printing,
        chosen: AsNote,
    ) -> Response:
        """A few lines of plain text, ready to paste into a chart."""
        made = paper_of_intake(rulebooks, printed, reports, intake, chosen)
        return Response(made.content, media_type=made.media_type)

    return routes
