"""Subjects: a screening with all that a receiver may want to know of it, read at one moment."""

from typing import NamedTuple

from api.documents import issuance
from api.documents.document_builder import Printed, Told
from api.store.accounts import organisations
from api.store.screenings import screenings
from api.store.screenings.versions import first_of
from api.store.transaction import Transaction
from schemas.screening import Screening


class Subject(NamedTuple):
    """What is sent about."""

    told: Told
    first: str
    number: int
    printed: Printed

    @property
    def screening(self) -> Screening:
        """The screening itself."""
        return self.told.screening


def subject(work: Transaction, screening_id: str) -> Subject:
    """The subject. Raises Problem `not_found`."""
    told = issuance.told_in(work, screening_id)
    return Subject(
        told,
        first_of(work, screening_id),
        _number(work, told.screening),
        issuance.printed_in(work, test=organisations.own(work).test),
    )


def _number(work: Transaction, found: Screening) -> int:
    """Which version of its lineage it is, counted from one."""
    number, earlier = 1, found.replaces
    while earlier is not None:
        number, earlier = number + 1, screenings.found(work, earlier).replaces
    return number
