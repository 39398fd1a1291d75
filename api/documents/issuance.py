"""Loads a stored screening for its report, and stores the report as issued."""

from api.auth.request_context import RequestContext
from api.documents.document_builder import PrintSettings, ReportSource
from api.store.accounts import letterheads
from api.store.forms import form_settings
from api.store.screenings import earlier_screenings, issued_reports, screenings
from api.store.transaction import Transaction
from reports.formats import RenderedDocument
from reports.view.heading import MAX_ADDRESS_LINES


def load_report_source(context: RequestContext, screening: str) -> ReportSource:
    """Load a screening for its report, and audit the read. Raises Problem `not_found`."""
    with context.transaction() as work:
        source = load_report_source_in(work, screening)
        work.audit("read", "screening", screening, count=1 + len(source.earlier))
    return source


def load_report_source_in(work: Transaction, screening: str) -> ReportSource:
    """Load a screening for its report; the caller audits the read. Raises Problem `not_found`."""
    current = screenings.find_screening(work, screening)
    previous, following = (
        screenings.find_screening(work, screening_id) if screening_id else None
        for screening_id in (current.replaces, current.replaced_by)
    )
    return ReportSource(
        current, previous, following, earlier_screenings.list_earlier_screenings(work, current)
    )


def load_print_settings(work: Transaction, *, test: bool) -> PrintSettings:
    """Load the organisation's settings for its documents. Raises Problem `not_found`."""
    letterhead = letterheads.find_letterhead(work.session, work.organisation)
    settings = form_settings.load_form_settings(work)
    if settings.practice_phone and len(letterhead.address) < MAX_ADDRESS_LINES:
        address = (*letterhead.address, settings.practice_phone)
        letterhead = letterhead.model_copy(update={"address": address})
    return PrintSettings(letterhead, test, settings.emergency_numbers)


def record_issued(
    context: RequestContext, screening: str, document: RenderedDocument
) -> RenderedDocument:
    """Store the report as issued. Raises Problem `not_found` if the screening was erased."""
    with context.transaction() as work:
        issued_reports.add_issued_report(work, screening, document.media_type, document.content)
        work.audit("report", "screening", screening)
    return document
