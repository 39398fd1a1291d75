"""Renders reports of stored screenings, and stores each report as issued."""

from fastapi import APIRouter, Response

from api.auth.route_guard import guarded
from api.dependencies import Acting, Printing, Reports, Rulebooks, ScreeningId
from api.documents import issuance
from api.documents.document_builder import paper_of_screening, sent
from api.documents.request import DOCUMENTS, NOTE, AsNote, ByAccept, BySuffix
from api.http.error_responses import GUARDED, refusals

_REPORT_RESPONSES = {**DOCUMENTS, **refusals(*GUARDED, 404)}
router = APIRouter(
    prefix="/v1/screenings", tags=["screenings"], route_class=guarded("reports:read")
)


@router.get(
    "/{screening}/report",
    operation_id="read_report",
    response_class=Response,
    responses=_REPORT_RESPONSES,
    summary="Read the report of a screening",
)
def read_report(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    renderer: Reports,
    context: Acting,
    print_settings: Printing,
    document_request: ByAccept,
) -> Response:
    """Returns the report with the later events of the screening, such as its replacement.

    `Accept` selects PDF, HTML, RTF, plain text or CDA; the default is PDF.
    """
    source = issuance.told(context, screening)
    document = paper_of_screening(rulebooks, print_settings, renderer, source, document_request)
    return sent(issuance.issue(context, screening, document), document_request.kind)


@router.get(
    "/{screening}/report.{suffix}",  # noqa: FAST003 - a parameter of the dependency
    operation_id="read_report_as",
    response_class=Response,
    responses=_REPORT_RESPONSES,
    summary="Read the report of a screening in this format",
)
def read_report_as(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    renderer: Reports,
    context: Acting,
    print_settings: Printing,
    document_request: BySuffix,
) -> Response:
    """Returns the report in the format of the suffix. `Accept` is ignored."""
    source = issuance.told(context, screening)
    document = paper_of_screening(rulebooks, print_settings, renderer, source, document_request)
    return sent(issuance.issue(context, screening, document), document_request.kind)


@router.get(
    "/{screening}/note",
    operation_id="read_note",
    response_class=Response,
    responses={**NOTE, **refusals(*GUARDED, 404)},
    summary="Read the note of a screening",
)
def read_note(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    renderer: Reports,
    context: Acting,
    print_settings: Printing,
    document_request: AsNote,
) -> Response:
    """Returns a few lines of plain text to paste into a chart."""
    source = issuance.told(context, screening)
    document = paper_of_screening(rulebooks, print_settings, renderer, source, document_request)
    issuance.issue(context, screening, document)
    return Response(document.content, media_type=document.media_type)
