"""Reports of kept screenings, in the format that is asked for, each kept as it was issued."""

from fastapi import APIRouter, Response

from api.auth.route_guard import guarded
from api.dependencies import Acting, Printing, Reports, Rulebooks, ScreeningId
from api.documents import issuance
from api.documents.document_builder import paper_of_screening, sent
from api.documents.request import DOCUMENTS, NOTE, AsNote, ByAccept, BySuffix
from api.http.error_responses import GUARDED, refusals

_MADE = {**DOCUMENTS, **refusals(*GUARDED, 404)}
router = APIRouter(
    prefix="/v1/screenings", tags=["screenings"], route_class=guarded("reports:read")
)


@router.get(
    "/{screening}/report",
    operation_id="read_report",
    response_class=Response,
    responses=_MADE,
    summary="The report of a screening",
)
def read_report(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    reports: Reports,
    acts: Acting,
    printed: Printing,
    chosen: ByAccept,
) -> Response:
    """`Accept` chooses PDF, HTML, RTF, plain text or CDA. It says what became of the screening."""
    told = issuance.told(acts, screening)
    made = paper_of_screening(rulebooks, printed, reports, told, chosen)
    return sent(issuance.issue(acts, screening, made), chosen.kind)


@router.get(
    "/{screening}/report.{suffix}",  # noqa: FAST003 - BySuffix reads it
    operation_id="read_report_as",
    response_class=Response,
    responses=_MADE,
    summary="The report of a screening in this format",
)
def read_report_as(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    reports: Reports,
    acts: Acting,
    printed: Printing,
    chosen: BySuffix,
) -> Response:
    """The same, in the format that the address ends with, whatever `Accept` says."""
    told = issuance.told(acts, screening)
    made = paper_of_screening(rulebooks, printed, reports, told, chosen)
    return sent(issuance.issue(acts, screening, made), chosen.kind)


@router.get(
    "/{screening}/note",
    operation_id="read_note",
    response_class=Response,
    responses={**NOTE, **refusals(*GUARDED, 404)},
    summary="The note of a screening",
)
def read_note(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    reports: Reports,
    acts: Acting,
    printed: Printing,
    chosen: AsNote,
) -> Response:
    """A few lines of plain text, ready to paste into a chart."""
    told = issuance.told(acts, screening)
    made = paper_of_screening(rulebooks, printed, reports, told, chosen)
    issuance.issue(acts, screening, made)
    return Response(made.content, media_type=made.media_type)
