"""The report of a screening as FHIR routes send it: the clinician's, in English, as PDF."""

from api.acts import Acts
from api.choosing import Chosen
from api.papers import Printed, Told, paper_of_screening
from api.rendering import Layout
from api.store import reports as issued
from api.store import screenings
from api.store.transaction import Transaction
from reports.heading import OtherScreening
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_CHOSEN = Chosen("pdf", "clinician", "en")


def report_of(
    acts: Acts, rulebooks: Catalogue, printed: Printed, reports: Layout, screening: Screening
) -> bytes:
    """The report, kept as it is sent. Raises Problem `not_found` where it was erased meanwhile."""
    with acts.transaction() as work:
        told = Told(
            screening, _other(work, screening.replaces), _other(work, screening.replaced_by)
        )
        work.audit("read", "screening", screening.id)
    made = paper_of_screening(rulebooks, printed, reports, told, _CHOSEN)
    with acts.transaction() as work:
        issued.issue(work, screening.id, made.media_type, made.content)
        work.audit("report", "screening", screening.id)
    return made.content


def _other(work: Transaction, screening: str | None) -> OtherScreening | None:
    if screening is None:
        return None
    found = screenings.found(work, screening)
    return OtherScreening(id=found.id, on=found.created_at.date())
