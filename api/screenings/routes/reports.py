"""Renders reports of stored screenings, and stores each report as issued."""

from fastapi import APIRouter, Response

from api.auth.route_guard import require_scope
from api.dependencies import (
    CatalogueDep,
    MeteredRendererDep,
    PrintSettingsDep,
    RequestContextDep,
    ScreeningId,
)
from api.documents import issuance
from api.documents.document_builder import build_download, render_screening
from api.documents.request import (
    DOCUMENT_RESPONSES,
    NOTE_RESPONSES,
    DocumentByAccept,
    DocumentBySuffix,
    NoteRequest,
)
from api.http.errors.error_responses import GUARDED_ERRORS, error_responses

_REPORT_RESPONSES = {**DOCUMENT_RESPONSES, **error_responses(*GUARDED_ERRORS, 404)}
router = APIRouter(
    prefix="/v1/screenings", tags=["screenings"], route_class=require_scope("reports:read")
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
    rulebooks: CatalogueDep,
    renderer: MeteredRendererDep,
    context: RequestContextDep,
    print_settings: PrintSettingsDep,
    document_request: DocumentByAccept,
) -> Response:
    """Returns the report with the later events of the screening, such as its replacement.

    `Accept` selects PDF, HTML, RTF, plain text or CDA; the default is PDF.
    """
    source = issuance.load_report_source(context, screening)
    document = render_screening(rulebooks, print_settings, renderer, source, document_request)
    issued_document = issuance.record_issued(context, screening, document)
    return build_download(issued_document, document_request.audience, source.screening)


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
    rulebooks: CatalogueDep,
    renderer: MeteredRendererDep,
    context: RequestContextDep,
    print_settings: PrintSettingsDep,
    document_request: DocumentBySuffix,
) -> Response:
    """Returns the report in the format of the suffix. `Accept` is ignored."""
    source = issuance.load_report_source(context, screening)
    document = render_screening(rulebooks, print_settings, renderer, source, document_request)
    issued_document = issuance.record_issued(context, screening, document)
    return build_download(issued_document, document_request.audience, source.screening)


@router.get(
    "/{screening}/note",
    operation_id="read_note",
    response_class=Response,
    responses={**NOTE_RESPONSES, **error_responses(*GUARDED_ERRORS, 404)},
    summary="Read the note of a screening",
)
def read_note(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    rulebooks: CatalogueDep,
    renderer: MeteredRendererDep,
    context: RequestContextDep,
    print_settings: PrintSettingsDep,
    document_request: NoteRequest,
) -> Response:
    """Returns a few lines of plain text to paste into a chart."""
    source = issuance.load_report_source(context, screening)
    document = render_screening(rulebooks, print_settings, renderer, source, document_request)
    issuance.record_issued(context, screening, document)
    return Response(document.content, media_type=document.media_type)
