"""Screening pages of the desk: the list, one screening with its reasons, status and documents."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse

from api.dependencies import Reports, Rulebooks, ScreeningId
from api.desk import inbox, pattern_comparison
from api.desk.answer_form import is_valid_text, read_text
from api.desk.csv_export import stream_csv
from api.desk.result_page import draw_result, find_sources, group_criteria
from api.desk.screening_rows import (
    PAGE_SIZE,
    DisplayFormatter,
    build_row,
    list_instrument_choices,
    list_tier_choices,
    parse_filters,
)
from api.desk.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.documents import issuance
from api.documents.document_builder import Told, paper_of_screening, sent, view_of_screening
from api.documents.request import Chosen
from api.http.content_negotiation import by_suffix
from api.store.accounts import practitioners
from api.store.screenings import screenings, search
from api.web.page_route import only
from api.web.page_texts import languages
from schemas.patient import Note
from schemas.screening import Screening
from scoring.catalogue import Catalogue

SCREENINGS_PATH = "/desk/screenings"
FILTERS = ("tier", "rulebook", "since")
_NOTE = TypeAdapter[Any](Note)
_read_routes = APIRouter(route_class=build_desk_route("screenings:read"))
_write_routes = APIRouter(prefix=SCREENINGS_PATH, route_class=build_desk_route("screenings:write"))
_report_routes = APIRouter(prefix=SCREENINGS_PATH, route_class=build_desk_route("reports:read"))


@_read_routes.get("/desk")
def list_screenings(
    desk: PractitionerPageDep,
    rulebooks: Rulebooks,
    request: Request,
    cursor: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """List screenings, newest first, below the red flags not yet acknowledged or not yet sent."""
    values = {name: request.query_params.get(name, "")[:60] for name in FILTERS}
    return _render_list(desk, rulebooks, values, cursor)


@_read_routes.post("/desk/find")
def find_patient(
    desk: PractitionerPageDep, rulebooks: Rulebooks, fields: CheckedFields
) -> Response:
    """List the screenings of one patient; a POST keeps the reference out of the URL."""
    values = {"patient": only(fields, "patient")[:200]}
    return _render_list(desk, rulebooks, values, only(fields, "cursor")[:4000])


@_read_routes.post("/desk/export")
def export_screenings(
    desk: PractitionerPageDep, rulebooks: Rulebooks, fields: CheckedFields
) -> Response:
    """Export the filtered screenings as CSV."""
    values = {name: only(fields, name) for name in (*FILTERS, "patient")}
    filters = parse_filters(values, rulebooks, desk.time_zone)
    headers = {
        "Content-Disposition": 'attachment; filename="nociscreen-screenings.csv"',
        "Cache-Control": "no-store",
    }
    media_type = "text/csv; charset=utf-8"
    return StreamingResponse(stream_csv(desk, filters), media_type=media_type, headers=headers)


@_read_routes.get(SCREENINGS_PATH + "/{screening}")
def show_screening(
    desk: PractitionerPageDep, rulebooks: Rulebooks, screening: ScreeningId
) -> Response:
    """Show one screening: red flags, then the result, then all reasons."""
    return _render_screening(desk, rulebooks, screening)


@_read_routes.get(SCREENINGS_PATH + "/{screening}/evidence")
def show_evidence(
    desk: PractitionerPageDep, rulebooks: Rulebooks, screening: ScreeningId
) -> Response:
    """Show the evidence sheet beside those of earlier screenings."""
    current = issuance.told(desk.context, screening).screening
    with desk.context.transaction() as work:
        earlier = pattern_comparison.list_earlier(work, current)
        work.audit("list", "screening", count=max(len(earlier), 1))
    compared = [current, *earlier]
    print_settings = desk.load_print_settings()
    views = [
        view_of_screening(rulebooks, print_settings, Told(other, None, None), desk.language)[0]
        for other in compared
    ]
    formatter = DisplayFormatter(rulebooks, desk.language, desk.time_zone)
    return desk.render(
        "evidence",
        screening=current,
        patient=current.patient,
        days=[_format_day(formatter, other) for other in compared],
        seen_counts=[view.patterns_seen for view in views],
        rows=pattern_comparison.build_rows(views),
    )


@_write_routes.post("/{screening}/acknowledgements")
def acknowledge_red_flags(
    desk: PractitionerPageDep, rulebooks: Rulebooks, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Record that the practitioner has seen the red flags, and what was done."""
    done = read_text(fields, "done")
    if not is_valid_text(_NOTE, done):
        return _render_screening(desk, rulebooks, screening, {"done": "fault_done"}, done)
    with desk.context.transaction() as work:
        practitioner = desk.signed_in.practitioner.reference
        screenings.acknowledge(work, screenings.found(work, screening), practitioner, done)
        work.audit("acknowledge", "screening", screening)
    return desk.redirect(f"{SCREENINGS_PATH}/{screening}")


@_write_routes.post("/{screening}/entered-in-error")
def enter_in_error(
    desk: PractitionerPageDep, rulebooks: Rulebooks, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Mark a screening as entered in error; its documents then say not to rely on it."""
    reason = read_text(fields, "reason")
    if not is_valid_text(_NOTE, reason):
        return _render_screening(desk, rulebooks, screening, {"reason": "fault_reason"}, reason)
    with desk.context.transaction() as work:
        screenings.enter_in_error(work, screenings.found(work, screening), reason)
        work.audit("enter_in_error", "screening", screening)
    return desk.redirect(f"{SCREENINGS_PATH}/{screening}")


@_report_routes.get("/{screening}/report.{suffix}")
def download_report(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    suffix: str,
    *,
    desk: PractitionerPageDep,
    rulebooks: Rulebooks,
    reports: Reports,
    document: str = "clinician",
    locale: str = "",
) -> Response:
    """Return the report as a file and record its issue, as `GET /v1/screenings/{id}/report` does.

    It is in the language `locale` if available, else in the language of the desk.
    """
    report_format = by_suffix(f".{suffix}")
    source = issuance.told(desk.context, screening)
    print_settings = desk.load_print_settings()
    wanted = locale if locale in languages() else desk.language
    language = view_of_screening(rulebooks, print_settings, source, wanted)[1]
    request = Chosen(report_format, "patient" if document == "patient" else "clinician", language)
    report = paper_of_screening(rulebooks, print_settings, reports, source, request)
    return sent(issuance.issue(desk.context, screening, report), request.kind)


@_report_routes.get("/{screening}/note")
def show_note(
    desk: PractitionerPageDep,
    screening: ScreeningId,
    rulebooks: Rulebooks,
    reports: Reports,
    *,
    file: bool = False,
) -> Response:
    """Show the chart note for copying, or return it as a file; either way its issue is recorded."""
    source = issuance.told(desk.context, screening)
    print_settings = desk.load_print_settings()
    language = view_of_screening(rulebooks, print_settings, source, desk.language)[1]
    request = Chosen("note", "clinician", language)
    note = paper_of_screening(rulebooks, print_settings, reports, source, request)
    issuance.issue(desk.context, screening, note)
    if file:
        return sent(note)
    return desk.render(
        "note", screening=source.screening, note=note.content.decode(), report_language=language
    )


def _render_list(
    desk: PractitionerPage, rulebooks: Catalogue, values: Mapping[str, str], cursor: str
) -> Response:
    formatter = DisplayFormatter(rulebooks, desk.language, desk.time_zone)
    filters = parse_filters(values, rulebooks, desk.time_zone)
    is_start = not cursor and not any(values.values())
    can_write_at_start = is_start and desk.has_scope("screenings:write")
    red_flags = inbox.Inbox()
    with desk.context.transaction() as work:
        page = (
            search.next_page(work, cursor)
            if cursor
            else search.first_page(work, filters, PAGE_SIZE)
        )
        if is_start:
            red_flags = inbox.list_unacknowledged(work, rulebooks, formatter)
        if can_write_at_start:
            unsubmitted = inbox.list_unsubmitted(work, rulebooks, formatter)
            red_flags = red_flags._replace(unsubmitted=unsubmitted)
        work.audit("list", "screening", count=max(len(page.lines), 1))
    return desk.render(
        "list",
        rows=[build_row(line, formatter) for line in page.lines],
        next_cursor=page.next,
        filters=dict(values) | {"tier": filters.tier or ""},
        inbox=red_flags,
        tiers=list_tier_choices(rulebooks, formatter),
        instruments=list_instrument_choices(rulebooks, formatter),
        can_write_at_start=can_write_at_start,
    )


def _render_screening(
    desk: PractitionerPage,
    rulebooks: Catalogue,
    screening_id: str,
    faults: Mapping[str, str] | None = None,
    text: str = "",
) -> Response:
    source = issuance.told(desk.context, screening_id)
    screening, assessment = source.screening, source.screening.assessment
    with desk.context.transaction() as work:
        names = {person.reference: person.name for person in practitioners.every(work)}
        work.audit("list", "practitioner")
    view, report_language = view_of_screening(
        rulebooks, desk.load_print_settings(), source, desk.language
    )
    formatter = DisplayFormatter(rulebooks, desk.language, desk.time_zone)
    book = DisplayFormatter(rulebooks, report_language, desk.time_zone).find_rulebook(
        assessment.rulebook
    )
    return desk.render(
        "screening",
        422 if faults else 200,
        screening=screening,
        source=source,
        view=view,
        report_language=report_language,
        sheet_languages=[
            code for code in languages() if formatter.has_translation(assessment.rulebook, code)
        ],
        day=_format_day(formatter, screening),
        tiers=[flag.tier for flag in assessment.safety.flags],
        acknowledgements=[
            (
                names.get(entry.practitioner, entry.practitioner),
                formatter.format_moment(entry.at),
                entry.done,
            )
            for entry in screening.acknowledgements
        ],
        groups=group_criteria(view, assessment, book) if book else [],
        drawings=draw_result(view),
        find_sources=lambda marks: find_sources(view, marks),
        faults=faults or {},
        text=text,
        base=f"{SCREENINGS_PATH}/{screening_id}",
    )


def _format_day(formatter: DisplayFormatter, screening: Screening) -> str:
    answered_on: date | None = screening.context.answered_on
    return formatter.format_day(answered_on or screening.created_at)


router = APIRouter()
for _routes in (_read_routes, _write_routes, _report_routes):
    router.include_router(_routes)
