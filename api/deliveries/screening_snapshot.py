"""Snapshots of screenings for delivery: all that a receiver may need, read in one transaction."""

from typing import NamedTuple

from api.documents import issuance
from api.documents.document_builder import PrintSettings, ReportSource
from api.store.accounts import organisations
from api.store.screenings import screenings
from api.store.screenings.versions import find_first_version_id
from api.store.transaction import Transaction
from schemas.patients.screening import Screening


class ScreeningSnapshot(NamedTuple):
    """A screening with its report source, print settings and place among its versions."""

    report_source: ReportSource
    first_id: str
    version_number: int
    print_settings: PrintSettings

    @property
    def screening(self) -> Screening:
        """The screening to deliver."""
        return self.report_source.screening


def load_screening_snapshot(work: Transaction, screening_id: str) -> ScreeningSnapshot:
    """Load the snapshot of a screening. Raises NotFoundError."""
    source = issuance.load_report_source_in(work, screening_id)
    return ScreeningSnapshot(
        source,
        find_first_version_id(work, screening_id),
        _count_versions(work, source.screening),
        issuance.load_print_settings(work, test=organisations.find_own_organisation(work).test),
    )


def _count_versions(work: Transaction, screening: Screening) -> int:
    """Count the screening and the versions before it."""
    count, earlier = 1, screening.replaces
    while earlier is not None:
        count, earlier = count + 1, screenings.find_screening(work, earlier).replaces
    return count
