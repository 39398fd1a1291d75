"""Screening pages of the desk: the list, one screening with its reasons, status and documents."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse

from api.dependencies import RendererDep, ScreeningId
from api.desk import inbox, pattern_comparison, screening_rows
from api.desk.answer_form import is_valid_text, read_text
from api.desk.csv_export import stream_csv
from api.desk.failed_messages import FailedMessage, list_failed_messages
from api.desk.result_page import draw_result, find_sources, group_criteria
from api.desk.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.documents import document_builder, issuance
from api.documents.request import DocumentRequest, find_format_by_suffix
from api.store.accounts import practitioners
from api.store.screenings import screenings, search
from api.web.page_route import read_field
from api.web.page_texts import list_languages
from schemas.patient import Note
from schemas.screening import Screening

SCREENINGS_PATH = "/desk/screenings"
FILTERS = ("tier", "rulebook", "since")
_NOTE = TypeAdapter[Any](Note)
_read_routes = APIRouter(route_class=build_desk_route("screenings:read"))
_write_routes = APIRouter(prefix=SCREENINGS_PATH, route_class=build_desk_route("screenings:write"))
_report_routes = APIRouter(prefix=SCREENINGS_PATH, route_class=build_desk_route("reports:read"))


@_read_routes.get("/desk")
def list_screenings(
    desk: PractitionerPageDep, request: Request, cursor: Annotated[str, Query(max_length=4000)] = ""
) -> Response:
    """List screenings, newest first, below the red flags not yet acknowledged or not yet sent."""
    values = {name: request.query_params.get(name, "")[:60] for name in FILTERS}
    return _render_list(desk, values, cursor)


@_read_routes.post("/desk/find")
def find_patient(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """List the screenings of one patient; a POST keeps the reference out of the URL."""
    values = {"patient": read_field(fields, "patient")[:200]}
    return _render_list(desk, values, read_field(fields, "cursor")[:4000])


@_read_routes.post("/desk/export")
def export_screenings(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Export the filtered screenings as CSV."""
    values = {name: read_field(fields, name) for name in (*FILTERS, "patient")}
    filters = screening_rows.parse_filters(values, desk.formatter)
    headers = {
        "Content-Disposition": 'attachment; filename="nociscreen-screenings.csv"',
        "Cache-Control": "no-store",
    }
    media_type = "text/csv; charset=utf-8"
    return StreamingResponse(stream_csv(desk, filters), media_type=media_type, headers=headers)


@_read_routes.get(SCREENINGS_PATH + "/{screening}")
def show_screening(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show one screening: red flags, then the result, then all reasons."""
    return _render_screening(desk, screening)


@_read_routes.get(SCREENINGS_PATH + "/{screening}/evidence")
def show_evidence(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show the evidence sheet beside those of earlier screenings."""
    current = issuance.load_report_source(desk.context, screening).screening
    with desk.context.transaction() as work:
        earlier = pattern_comparison.list_earlier(work, current)
        work.audit("list", "screening", count=max(len(earlier), 1))
    compared = [current, *earlier]
    print_settings = desk.load_print_settings()
    views = [
        document_builder.build_screening_view(
            desk.rulebooks,
            print_settings,
            document_builder.ReportSource(compared_screening, None, None),
            desk.language,
        )[0]
        for compared_screening in compared
    ]
    formatter = desk.formatter
    return desk.render(
        "evidence",
        screening=current,
        patient=current.patient,
        days=[_format_day(formatter, compared_screening) for compared_screening in compared],
        seen_counts=[view.patterns_summary for view in views],
        rows=pattern_comparison.build_rows(views),
    )


@_write_routes.post("/{screening}/acknowledgements")
def acknowledge_red_flags(
    desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Record that the practitioner has seen the red flags, and what was done."""
    action_text = read_text(fields, "done")
    if not is_valid_text(_NOTE, action_text):
        return _render_screening(desk, screening, {"done": "fault_action"}, action_text)
    with desk.context.transaction() as work:
        practitioner = desk.signed_in.practitioner.reference
        screenings.acknowledge_red_flags(
            work, screenings.find_screening(work, screening), practitioner, action_text
        )
        work.audit("acknowledge", "screening", screening)
    return desk.redirect(f"{SCREENINGS_PATH}/{screening}")


@_write_routes.post("/{screening}/entered-in-error")
def enter_in_error(
    desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Mark a screening as entered in error; its documents then say not to rely on it."""
    reason = read_text(fields, "reason")
    if not is_valid_text(_NOTE, reason):
        return _render_screening(desk, screening, {"reason": "fault_reason"}, reason)
    with desk.context.transaction() as work:
        screenings.mark_entered_in_error(work, screenings.find_screening(work, screening), reason)
        work.audit("enter_in_error", "screening", screening)
    return desk.redirect(f"{SCREENINGS_PATH}/{screening}")


@_report_routes.get("/{screening}/report.{suffix}")
def download_report(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    suffix: str,
    *,
    desk: PractitionerPageDep,
    reports: RendererDep,
    document: str = "clinician",
    locale: str = "",
    edition: str = "full",
) -> Response:
    """Return the report as a file and record its issue, as `GET /v1/screenings/{id}/report` does.

    It is in the language `locale` if available, else in the language of the desk.
    """
    report_format = find_format_by_suffix(f".{suffix}")
    source = issuance.load_report_source(desk.context, screening)
    print_settings = desk.load_print_settings()
    requested_locale = locale if locale in list_languages() else desk.language
    language = document_builder.build_screening_view(
        desk.rulebooks, print_settings, source, requested_locale
    )[1]
    request = DocumentRequest(
        report_format,
        "patient" if document == "patient" else "clinician",
        language,
        "shareable" if edition == "shareable" else "full",
    )
    report = document_builder.render_screening(
        desk.rulebooks, print_settings, reports, source, request
    )
    return document_builder.build_download(
        issuance.record_issued(desk.context, screening, report), request.audience
    )


@_report_routes.get("/{screening}/note")
def show_note(
    desk: PractitionerPageDep, screening: ScreeningId, reports: RendererDep, *, file: bool = False
) -> Response:
    """Show the chart note for copying, or return it as a file; either way its issue is recorded."""
    source = issuance.load_report_source(desk.context, screening)
    print_settings = desk.load_print_settings()
    language = document_builder.build_screening_view(
        desk.rulebooks, print_settings, source, desk.language
    )[1]
    request = DocumentRequest("note", "clinician", language)
    note = document_builder.render_screening(
        desk.rulebooks, print_settings, reports, source, request
    )
    issuance.record_issued(desk.context, screening, note)
    if file:
        return document_builder.build_download(note)
    return desk.render(
        "note", screening=source.screening, note=note.content.decode(), report_language=language
    )


def _render_list(desk: PractitionerPage, values: Mapping[str, str], cursor: str) -> Response:
    formatter = desk.formatter
    filters = screening_rows.parse_filters(values, formatter)
    is_start = not cursor and not any(values.values())
    can_write_at_start = is_start and desk.has_scope("screenings:write")
    red_flags = inbox.Inbox()
    failed_messages: tuple[FailedMessage, ...] = ()
    with desk.context.transaction() as work:
        page = (
            search.list_next_page(work, cursor)
            if cursor
            else search.list_first_page(work, filters, screening_rows.PAGE_SIZE)
        )
        if is_start:
            red_flags = inbox.list_unacknowledged(work, formatter)
        if can_write_at_start:
            unsubmitted = inbox.list_unsubmitted(work, formatter)
            red_flags = red_flags._replace(unsubmitted=unsubmitted)
            failed_messages = list_failed_messages(work, formatter)
        work.audit("list", "screening", count=max(len(page.lines), 1))
    return desk.render(
        "list",
        rows=[screening_rows.build_row(line, formatter) for line in page.lines],
        next_cursor=page.next_cursor,
        filters=dict(values) | {"tier": filters.tier or ""},
        inbox=red_flags,
        failed_messages=failed_messages,
        tiers=screening_rows.list_tier_choices(formatter),
        instruments=screening_rows.list_instrument_choices(formatter),
        can_write_at_start=can_write_at_start,
    )


def _render_screening(
    desk: PractitionerPage,
    screening_id: str,
    faults: Mapping[str, str] | None = None,
    text: str = "",
) -> Response:
    source = issuance.load_report_source(desk.context, screening_id)
    screening, assessment = source.screening, source.screening.assessment
    with desk.context.transaction() as work:
        names = {person.reference: person.name for person in practitioners.list_practitioners(work)}
        work.audit("list", "practitioner")
    view, report_language = document_builder.build_screening_view(
        desk.rulebooks, desk.load_print_settings(), source, desk.language
    )
    formatter = desk.formatter
    report_formatter = screening_rows.DisplayFormatter(
        desk.rulebooks, report_language, formatter.time_zone
    )
    book = report_formatter.find_rulebook(assessment.rulebook)
    return desk.render(
        "screening",
        422 if faults else 200,
        screening=screening,
        source=source,
        view=view,
        report_language=report_language,
        sheet_languages=[
            code
            for code in list_languages()
            if formatter.has_translation(assessment.rulebook, code)
        ],
        day=_format_day(formatter, screening),
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


def _format_day(formatter: screening_rows.DisplayFormatter, screening: Screening) -> str:
    answered_on: date | None = screening.context.answered_on
    return formatter.format_day(answered_on or screening.created_at)


router = APIRouter()
for _routes in (_read_routes, _write_routes, _report_routes):
    router.include_router(_routes)
