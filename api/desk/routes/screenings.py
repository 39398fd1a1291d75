"""Screening pages of the desk: the list, one screening with its reasons, status and documents."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse

from api.dependencies import RendererDep, ScreeningId
from api.desk import screening_rows
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.failed_messages import FailedMessage, list_failed_messages
from api.desk.screenings import inbox, patient_page, pattern_comparison, result_page, screening_page
from api.desk.screenings.answer_form import is_valid_text, read_text
from api.desk.screenings.csv_export import stream_csv
from api.desk.screenings.result_page import SCREENINGS_PATH
from api.documents import document_builder, issuance
from api.documents.request import DocumentRequest, find_format_by_suffix
from api.problems import Problem
from api.store.accounts.kept_forms import KeptForm
from api.store.forms import form_settings, links
from api.store.patients import patient_lookup, patient_search
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import acknowledgements, patient_screenings, screenings, search
from api.web.page_route import read_field
from api.web.page_texts import list_languages
from schemas.patients.patient import Note, Reference
from schemas.patients.screening import Screening

FILTERS = ("tier", "rulebook", "since")
_NOTE = TypeAdapter[Any](Note)
_SEARCH = TypeAdapter[Any](Reference)
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
    """Search for a patient; the address that follows has the search encrypted."""
    text = read_field(fields, "patient").strip()[: patient_search.MAX_TEXT_LENGTH]
    if not text:
        return desk.redirect("/desk")
    if not is_valid_text(_SEARCH, text):
        raise Problem("invalid_request", "Use only letters, digits and punctuation in a search.")
    with desk.context.transaction() as work:
        sealed_search = search.seal_search(work, text)
        work.audit("list", "screening")
    return desk.redirect(f"/desk/found?search={sealed_search}")


@_read_routes.get("/desk/found")
def list_found(
    desk: PractitionerPageDep, sealed_search: Annotated[str, Query(alias="search", max_length=4000)]
) -> Response:
    """List the screenings of the patients whose number or name has the searched words."""
    formatter, following = desk.formatter, None
    with desk.context.transaction() as work:
        text, start = search.open_search(work, sealed_search)
        ids = [match.id for match in patient_search.list_matches(work, text)]
        end = start + screening_rows.PAGE_SIZE
        lines = search.list_lines(work, ids[start:end])
        if end < len(ids):
            following = search.seal_search(work, text, end)
        work.audit("list", "screening", count=max(len(lines), 1))
    return desk.render(
        "list",
        owner="",
        rows=[screening_rows.build_row(line, formatter) for line in lines],
        next_address=f"/desk/found?search={following}" if following else None,
        found_count=len(ids),
        filters={"patient": text},
        inbox=inbox.Inbox(),
        failed_messages=(),
        tiers=screening_rows.list_tier_choices(formatter),
        instruments=screening_rows.list_instrument_choices(formatter),
        can_write_at_start=False,
        **_show_kept_action(None),
    )


@_read_routes.post("/desk/export")
def export_screenings(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Export the filtered or found screenings as CSV."""
    values = {name: read_field(fields, name) for name in FILTERS}
    filters = screening_rows.parse_filters(values, desk.formatter)
    searched = read_field(fields, "patient").strip()[: patient_search.MAX_TEXT_LENGTH]
    today = datetime.now(desk.time_zone).date()
    headers = {
        "Content-Disposition": f'attachment; filename="nociscreen-screenings-{today}.csv"',
        "Cache-Control": "no-store",
    }
    media_type = "text/csv; charset=utf-8"
    content = stream_csv(desk, filters, searched)
    return StreamingResponse(content, media_type=media_type, headers=headers)


@_read_routes.get(SCREENINGS_PATH + "/{screening}")
def show_screening(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show one screening: red flags with what to do, then the result, then what decides it."""
    return screening_page.render_screening(desk, screening)


@_read_routes.get(SCREENINGS_PATH + "/{screening}/reasons")
def show_reasons(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show all reasons of the result with their sources, next steps and limits."""
    return result_page.render_reasons(desk, screening, screening_page.SHOWN_ALTERNATIVES)


@_read_routes.get(SCREENINGS_PATH + "/{screening}/answers-given")
def show_given_answers(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show all answers as they were given, with the body map."""
    return result_page.render_answers(desk, screening)


@_read_routes.get(SCREENINGS_PATH + "/{screening}/evidence")
def show_evidence(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show the evidence sheet next to those of earlier screenings."""
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


@_read_routes.get(SCREENINGS_PATH + "/{screening}/patient")
def show_patient(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show all screenings of the patient of this screening, and their course over time."""
    with desk.context.transaction() as work:
        patient = screenings.find_screening(work, screening).patient
        shown_screenings = patient_screenings.list_screenings(work, patient)
        selector = PatientSelector(patient.reference, patient.system, patient.system is None)
        link_rows = patient_lookup.list_links_with_drafts(work, selector)
        patient_links = [links.build_link_with_draft(work, *row) for row in link_rows]
        days = form_settings.load_form_settings(work).ask_again_days
        stored_count = patient_screenings.count_screenings(work, patient)
        work.audit("list", "screening", count=max(len(shown_screenings), 1))
    formatter, today = desk.formatter, datetime.now(desk.time_zone).date()
    course = patient_page.build_course(shown_screenings, patient_links, days, today, formatter)
    return desk.render(
        "patient",
        screening_id=screening,
        patient=patient,
        birth_date=formatter.format_day(patient.birth_date) if patient.birth_date else "",
        course=course,
        due=formatter.format_day(course.next_due) if course.next_due else "",
        has_more=stored_count > len(shown_screenings) >= patient_screenings.MAX_SCREENINGS,
    )


@_write_routes.post("/{screening}/acknowledgements")
def acknowledge_red_flags(
    desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Record that a red flag was dealt with: who was reached and what was done."""
    action = screening_page.read_flag_action(fields)
    if screening_page.find_action_faults(action):
        return screening_page.redirect_with_form(desk, screening, "acknowledge", fields)
    with desk.context.transaction() as work:
        practitioner = desk.signed_in.practitioner.reference
        acknowledgements.acknowledge_flags(
            work, screenings.find_screening(work, screening), practitioner, action
        )
        work.audit("acknowledge", "screening", screening)
    return desk.redirect(f"{SCREENINGS_PATH}/{screening}#red-flags")


@_write_routes.post("/{screening}/entered-in-error")
def enter_in_error(
    desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Mark a screening as entered in error; its documents then say not to rely on it."""
    reason = read_text(fields, "reason")
    if not is_valid_text(_NOTE, reason):
        return screening_page.redirect_with_form(desk, screening, "error", fields)
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
    issued_document = issuance.record_issued(desk.context, screening, report)
    return document_builder.build_download(issued_document, request.audience, source.screening)


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
        return document_builder.build_download(note, "clinician", source.screening)
    return desk.render(
        "note", screening=source.screening, note=note.content.decode(), report_language=language
    )


def _render_list(desk: PractitionerPage, values: Mapping[str, str], cursor: str) -> Response:
    formatter = desk.formatter
    filters = screening_rows.parse_filters(values, formatter)
    is_start = not cursor and not any(values.values())
    can_write_at_start = is_start and desk.has_scope("screenings:write")
    kept_form = desk.find_kept_form("/desk") if is_start else None
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
        422
        if kept_form
        and screening_page.find_action_faults(screening_page.read_flag_action(kept_form.fields))
        else 200,
        owner=desk.seal_owner("/desk"),
        rows=[screening_rows.build_row(line, formatter) for line in page.lines],
        next_address=f"/desk?cursor={page.next_cursor}" if page.next_cursor else None,
        found_count=None,
        filters=dict(values) | {"tier": filters.tier or ""},
        inbox=red_flags,
        failed_messages=failed_messages,
        tiers=screening_rows.list_tier_choices(formatter),
        instruments=screening_rows.list_instrument_choices(formatter),
        can_write_at_start=can_write_at_start,
        **_show_kept_action(kept_form),
    )


def _show_kept_action(kept_form: KeptForm | None) -> dict[str, Any]:
    """Return the form of one alert as it was submitted, with its faults."""
    if kept_form is None:
        return {"kept_link": "", "kept_values": {}, "kept_faults": {}, "is_returned": False}
    action = screening_page.read_flag_action(kept_form.fields)
    return {
        "kept_link": read_field(kept_form.fields, "link"),
        "kept_values": {"reached": action.person_reached or "", "done": action.action_taken},
        "kept_faults": screening_page.find_action_faults(action),
        "is_returned": kept_form.is_after_session,
    }


def _format_day(formatter: screening_rows.DisplayFormatter, screening: Screening) -> str:
    answered_on: date | None = screening.context.answered_on
    return formatter.format_day(answered_on or screening.created_at)


router = APIRouter()
for _routes in (_read_routes, _write_routes, _report_routes):
    router.include_router(_routes)
