"""Issuing: a kept screening read for its report, and the report kept as it is sent."""

from api.auth.request_context import Acts
from api.documents.document_builder import Printed, Told
from api.store.accounts import letterheads
from api.store.forms import form_settings
from api.store.screenings import earlier_screenings, screenings
from api.store.screenings import issued_reports as issued
from api.store.transaction import Transaction
from reports.formats import Written


def told(acts: Acts, screening: str) -> Told:
    """The screening, what it corrects and is corrected by, and the patient's earlier ones.

    Raises Problem `not_found`.
    """
    with acts.transaction() as work:
        found = told_in(work, screening)
        work.audit("read", "screening", screening, count=1 + len(found.earlier))
    return found


def told_in(work: Transaction, screening: str) -> Told:
    """The same in a transaction that audits it itself. Raises Problem `not_found`."""
    found = screenings.found(work, screening)
    before, after = (
        screenings.found(work, each) if each else None
        for each in (found.replaces, found.replaced_by)
    )
    return Told(found, before, after, earlier_screenings.before(work, found))


def printed_in(work: Transaction, *, test: bool) -> Printed:
    """What the organisation prints on its papers. Raises Problem `not_found`."""
    letterhead = letterheads.of(work.session, work.organisation)
    return Printed(letterhead, test, form_settings.own(work).emergency_numbers)


def issue(acts: Acts, screening: str, made: Written) -> Written:
    """Keep the document as it is sent; Problem `not_found` where it was erased meanwhile."""
    with acts.transaction() as work:
        issued.issue(work, screening, made.media_type, made.content)
        work.audit("report", "screening", screening)
    return made
