"""Snapshots of screenings for delivery: all that a receiver may need, read in one transaction."""

from typing import NamedTuple

from api.documents import issuance
from api.documents.document_builder import Printed, Told
from api.store.accounts import organisations
from api.store.screenings import screenings
from api.store.screenings.versions import first_of
from api.store.transaction import Transaction
from schemas.screening import Screening


class Subject(NamedTuple):
    """A screening with its report source, print settings and place among its versions."""

    told: Told
    first: str
    number: int
    printed: Printed

    @property
    def screening(self) -> Screening:
        """The screening to deliver."""
        return self.told.screening


def subject(work: Transaction, screening_id: str) -> Subject:
    """Load the snapshot of a screening. Raises Problem `not_found`."""
    source = issuance.told_in(work, screening_id)
    return Subject(
        source,
        first_of(work, screening_id),
        _count_versions(work, source.screening),
        issuance.printed_in(work, test=organisations.own(work).test),
    )


def _count_versions(work: Transaction, screening: Screening) -> int:
    """Count the screening and the versions before it."""
    count, earlier = 1, screening.replaces
    while earlier is not None:
        count, earlier = count + 1, screenings.found(work, earlier).replaces
    return count
