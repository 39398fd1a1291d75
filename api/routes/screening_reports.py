"""Reports of kept screenings, in the format that is asked for, each kept as it was issued."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response

from api.acts import Acts
from api.deps import (
    GUARDED,
    Acting,
    Calling,
    Reports,
    Rulebooks,
    ScreeningId,
    guarded,
    printed,
    refusals,
)
from api.negotiation import OFFERED, by_accept, by_suffix
from api.papers import Told, paper_of_screening, sent
from api.problems import MEDIA_TYPE, ProblemBody
from api.store import reports as issued
from api.store import screenings
from reports.formats import MEDIA_TYPES, Kind, Written
from reports.heading import OtherScreening
from reports.wording import languages
from schemas.screening import Screening

Suffix = Annotated[Literal["pdf", "html", "rtf", "txt", "xml"], Path(examples=["pdf"])]
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}}
_DOCUMENTS = {
    MEDIA_TYPES[form].split(";")[0]: {
        "schema": {"type": "string"} | ({"format": "binary"} if form == "pdf" else {})
    }
    for form in OFFERED
}
_MADE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document", "content": _DOCUMENTS},
    406: {"description": "`Accept` names no format on offer", "content": _PROBLEM},
    **refusals(*GUARDED, 404),
}
_NOTE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The note", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **refusals(*GUARDED, 404),
}
Language: Any = Literal[languages()]
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
    request: Request,
    *,
    rulebooks: Rulebooks,
    reports: Reports,
    acts: Acting,
    caller: Calling,
    document: Kind = "clinician",
    locale: Language = "en",
) -> Response:
    """`Accept` chooses PDF, HTML, RTF, plain text or CDA. It says what became of the screening."""
    chosen = {
        "form": by_accept(request.headers.get("accept")),
        "kind": document,
        "language": locale,
    }
    told = _told(acts, screening)
    made = paper_of_screening(rulebooks, printed(caller), reports, told, **chosen)
    return _issued(acts, screening, made)


@router.get(
    "/{screening}/report.{suffix}",
    operation_id="read_report_as",
    response_class=Response,
    responses=_MADE,
    summary="The report of a screening in this format",
)
def read_report_as(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    suffix: Suffix,
    *,
    rulebooks: Rulebooks,
    reports: Reports,
    acts: Acting,
    caller: Calling,
    document: Kind = "clinician",
    locale: Language = "en",
) -> Response:
    """The same, in the format that the address ends with, whatever `Accept` says."""
    chosen = {"form": by_suffix(f".{suffix}"), "kind": document, "language": locale}
    told = _told(acts, screening)
    made = paper_of_screening(rulebooks, printed(caller), reports, told, **chosen)
    return _issued(acts, screening, made)


@router.get(
    "/{screening}/note",
    operation_id="read_note",
    response_class=Response,
    responses=_NOTE,
    summary="The note of a screening",
)
def read_note(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    rulebooks: Rulebooks,
    reports: Reports,
    acts: Acting,
    caller: Calling,
    locale: Language = "en",
) -> Response:
    """A few lines of plain text, ready to paste into a chart."""
    chosen: dict[str, Any] = {"form": "note", "language": locale}
    told = _told(acts, screening)
    made = paper_of_screening(rulebooks, printed(caller), reports, told, **chosen)
    _issued(acts, screening, made)
    return Response(made.content, media_type=made.media_type)


def _told(acts: Acts, screening: str) -> Told:
    """The screening with the ones before and after it."""
    with acts.transaction() as work:
        found = screenings.found(work, screening)
        before, after = (
            screenings.found(work, each) if each else None
            for each in (found.replaces, found.replaced_by)
        )
        work.audit("read", "screening", screening)
    return Told(found, _other(before), _other(after))


def _other(screening: Screening | None) -> OtherScreening | None:
    if screening is None:
        return None
    return OtherScreening(id=screening.id, on=screening.created_at.date())


def _issued(acts: Acts, screening: str, made: Written) -> Response:
    """Keep the document as it is sent; Problem `not_found` where it was erased meanwhile."""
    with acts.transaction() as work:
        issued.issue(work, screening, made.media_type, made.content)
        work.audit("report", "screening", screening)
    return sent(made)
