"""Loads a stored screening for its report, and stores the report as issued."""

from api.auth.request_context import Acts
from api.documents.document_builder import Printed, Told
from api.store.accounts import letterheads
from api.store.forms import form_settings
from api.store.screenings import earlier_screenings, issued_reports, screenings
from api.store.transaction import Transaction
from reports.formats import Written


def told(acts: Acts, screening: str) -> Told:
    """Load a screening for its report, and audit the read. Raises Problem `not_found`."""
    with acts.transaction() as work:
        source = told_in(work, screening)
        work.audit("read", "screening", screening, count=1 + len(source.earlier))
    return source


def told_in(work: Transaction, screening: str) -> Told:
    """Load a screening for its report; the caller audits the read. Raises Problem `not_found`."""
    current = screenings.found(work, screening)
    previous, following = (
        screenings.found(work, screening_id) if screening_id else None
        for screening_id in (current.replaces, current.replaced_by)
    )
    return Told(current, previous, following, earlier_screenings.before(work, current))


def printed_in(work: Transaction, *, test: bool) -> Printed:
    """Load the organisation's settings for its documents. Raises Problem `not_found`."""
    letterhead = letterheads.of(work.session, work.organisation)
    return Printed(letterhead, test, form_settings.own(work).emergency_numbers)


def issue(acts: Acts, screening: str, made: Written) -> Written:
    """Store the report as issued. Raises Problem `not_found` if the screening was erased."""
    with acts.transaction() as work:
        issued_reports.issue(work, screening, made.media_type, made.content)
        work.audit("report", "screening", screening)
    return made
