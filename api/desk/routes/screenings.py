"""The desk: the list of screenings, one with every reason, its red flags seen, its documents."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.responses import StreamingResponse

from api.dependencies import Reports, Rulebooks, ScreeningId
from api.desk import inbox
from api.desk import pattern_comparison as sheets
from api.desk.answer_form import written
from api.desk.csv_export import exported
from api.desk.result_page import groups, pictures, sources_of
from api.desk.screening_rows import AT_ONCE, Names, filters_of, instruments, shown, tiers
from api.desk.session_guard import AtDesk, Desk, Form, desk_route
from api.documents import issuance
from api.documents.document_builder import Told, paper_of_screening, sent, view_of_screening
from api.documents.request import Chosen
from api.http.content_negotiation import by_suffix
from api.store.accounts import practitioners
from api.store.screenings import screenings, search
from api.web.page_route import only
from api.web.page_texts import languages
from schemas.patient import Note
from scoring.catalogue import Catalogue

HERE = "/desk/screenings"
FILTERS = ("tier", "rulebook", "since")
_TEXT = TypeAdapter[Any](Note)
_reads = APIRouter(route_class=desk_route("screenings:read"))
_writes = APIRouter(prefix=HERE, route_class=desk_route("screenings:write"))
_reports = APIRouter(prefix=HERE, route_class=desk_route("reports:read"))


@_reads.get("/desk")
def list_screenings(
    desk: AtDesk,
    rulebooks: Rulebooks,
    request: Request,
    cursor: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Newest first; before all, red flags that nobody saw to, and those that were not sent."""
    given = {name: request.query_params.get(name, "")[:60] for name in FILTERS}
    return _listed(desk, rulebooks, given, cursor)


@_reads.post("/desk/find")
def find_patient(desk: AtDesk, rulebooks: Rulebooks, fields: Form) -> Response:
    """The screenings of one patient: asked for in a form, so that no address carries a number."""
    given = {"patient": only(fields, "patient")[:200]}
    return _listed(desk, rulebooks, given, only(fields, "cursor")[:4000])


@_reads.post("/desk/export")
def export(desk: AtDesk, rulebooks: Rulebooks, fields: Form) -> Response:
    """What the filters let through, as CSV."""
    given = {name: only(fields, name) for name in (*FILTERS, "patient")}
    filters = filters_of(given, rulebooks, desk.clock)
    headers = {
        "Content-Disposition": 'attachment; filename="nociscreen-screenings.csv"',
        "Cache-Control": "no-store",
    }
    kind = "text/csv; charset=utf-8"
    return StreamingResponse(exported(desk, filters), media_type=kind, headers=headers)


@_reads.get(HERE + "/{screening}")
def read_screening(desk: AtDesk, rulebooks: Rulebooks, screening: ScreeningId) -> Response:
    """Red flags first, then what the answers point to, then every reason."""
    return _screening(desk, rulebooks, screening)


@_reads.get(HERE + "/{screening}/evidence")
def read_evidence(desk: AtDesk, rulebooks: Rulebooks, screening: ScreeningId) -> Response:
    """The evidence sheet beside those of earlier screenings."""
    told = issuance.told(desk.acts, screening)
    with desk.acts.transaction() as work:
        before = sheets.earlier(work, told.screening)
        work.audit("list", "screening", count=max(len(before), 1))
    every = [told.screening, *before]
    printed = desk.printed()
    views = [
        view_of_screening(rulebooks, printed, Told(each, None, None), desk.language)[0]
        for each in every
    ]
    names = Names(rulebooks, desk.language, desk.clock)
    return desk.show(
        "evidence",
        screening=told.screening,
        patient=told.screening.patient,
        days=[_day(names, each) for each in every],
        seen=[each.patterns_seen for each in views],
        rows=sheets.rows(views),
    )


@_writes.post("/{screening}/acknowledgements")
def acknowledge(
    desk: AtDesk, rulebooks: Rulebooks, screening: ScreeningId, fields: Form
) -> Response:
    """Who saw the red flags, when, and what was done; the assessment stays as it is."""
    done = written(fields, "done")
    if not _is_text(done):
        return _screening(desk, rulebooks, screening, {"done": "fault_done"}, done)
    with desk.acts.transaction() as work:
        found = screenings.found(work, screening)
        who = desk.signed_in.practitioner.reference
        screenings.acknowledge(work, found, who, done)
        work.audit("acknowledge", "screening", screening)
    return desk.go(f"{HERE}/{screening}")


@_writes.post("/{screening}/entered-in-error")
def enter_in_error(
    desk: AtDesk, rulebooks: Rulebooks, screening: ScreeningId, fields: Form
) -> Response:
    """From now on everything printed of it says that it must not be relied on."""
    reason = written(fields, "reason")
    if not _is_text(reason):
        return _screening(desk, rulebooks, screening, {"reason": "fault_reason"}, reason)
    with desk.acts.transaction() as work:
        found = screenings.found(work, screening)
        screenings.enter_in_error(work, found, reason)
        work.audit("enter_in_error", "screening", screening)
    return desk.go(f"{HERE}/{screening}")


@_reports.get("/{screening}/report.{suffix}")
def read_report(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    suffix: str,
    *,
    desk: AtDesk,
    rulebooks: Rulebooks,
    reports: Reports,
    document: str = "clinician",
    locale: str = "",
) -> Response:
    """The document as a file, kept as it is sent, as `GET /v1/screenings/{id}/report` does.

    In the language `locale` where there is one, else in that of the desk.
    """
    form = by_suffix(f".{suffix}")
    told = issuance.told(desk.acts, screening)
    printed = desk.printed()
    wished = locale if locale in languages() else desk.language
    spoken = view_of_screening(rulebooks, printed, told, wished)[1]
    chosen = Chosen(form, "patient" if document == "patient" else "clinician", spoken)
    made = paper_of_screening(rulebooks, printed, reports, told, chosen)
    return sent(issuance.issue(desk.acts, screening, made), chosen.kind)


@_reports.get("/{screening}/note")
def read_note(
    desk: AtDesk,
    screening: ScreeningId,
    rulebooks: Rulebooks,
    reports: Reports,
    *,
    file: bool = False,
) -> Response:
    """The note, to copy or to take as a file; it is issued either way."""
    told = issuance.told(desk.acts, screening)
    printed = desk.printed()
    spoken = view_of_screening(rulebooks, printed, told, desk.language)[1]
    chosen = Chosen("note", "clinician", spoken)
    made = paper_of_screening(rulebooks, printed, reports, told, chosen)
    issuance.issue(desk.acts, screening, made)
    if file:
        return sent(made)
    return desk.show("note", screening=told.screening, note=made.content.decode(), spoken=spoken)


def _listed(desk: Desk, rulebooks: Catalogue, given: Mapping[str, str], cursor: str) -> Response:
    names = Names(rulebooks, desk.language, desk.clock)
    filters = filters_of(given, rulebooks, desk.clock)
    with desk.acts.transaction() as work:
        page = (
            search.next_page(work, cursor) if cursor else search.first_page(work, filters, AT_ONCE)
        )
        whole = not cursor and not any(given.values())
        first = whole and desk.may("screenings:write")
        held = inbox.unseen(work, rulebooks, names) if whole else inbox.Waiting()
        begun = inbox.begun(work, rulebooks, names) if first else ()
        work.audit("list", "screening", count=max(len(page.lines), 1))
    return desk.show(
        "list",
        lines=[shown(each, names) for each in page.lines],
        following=page.next,
        given=dict(given) | {"tier": filters.tier or ""},
        waiting=held._replace(begun=begun),
        tiers=tiers(rulebooks, names),
        instruments=instruments(rulebooks, names),
        first=first,
    )


def _screening(
    desk: Desk,
    rulebooks: Catalogue,
    screening_id: str,
    faults: Mapping[str, str] | None = None,
    text: str = "",
) -> Response:
    told = issuance.told(desk.acts, screening_id)
    screening = told.screening
    with desk.acts.transaction() as work:
        people = {each.reference: each.name for each in practitioners.every(work)}
        work.audit("list", "practitioner")
    view, spoken = view_of_screening(rulebooks, desk.printed(), told, desk.language)
    names = Names(rulebooks, spoken, desk.clock)
    assessment = screening.assessment
    book = names.book(assessment.rulebook)
    here = Names(rulebooks, desk.language, desk.clock)
    return desk.show(
        "screening",
        422 if faults else 200,
        screening=screening,
        told=told,
        view=view,
        spoken=spoken,
        sheets=[each for each in languages() if here.speaks(assessment.rulebook, each)],
        day=_day(here, screening),
        tiers=[each.tier for each in assessment.safety.flags],
        acknowledged=[
            (people.get(each.practitioner, each.practitioner), here.moment(each.at), each.done)
            for each in screening.acknowledgements
        ],
        groups=groups(view, assessment, book) if book else [],
        pictures=pictures(view),
        sources_of=lambda marks: sources_of(view, marks),
        faults=faults or {},
        text=text,
        base=f"{HERE}/{screening_id}",
    )


def _day(names: Names, screening: Any) -> str:
    on: date | None = screening.context.answered_on
    return names.day(on or screening.created_at)


def _is_text(text: str) -> bool:
    try:
        _TEXT.validate_python(text)
    except ValidationError:
        return False
    return True


def _every(*routers: APIRouter) -> APIRouter:
    whole = APIRouter()
    for each in routers:
        whole.include_router(each)
    return whole


router = _every(_reads, _writes, _reports)
