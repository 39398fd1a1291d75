"""Finds the screenings and links of a patient by reference and numbering system.

If several systems use the same reference, the caller must name the system, or say that the patient
has none, so that no patient is mistaken for another.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlmodel import col

from api.store.database.tables import LinkRow, ResponseDraftRow, ScreeningRow
from api.store.errors import ConflictError
from api.store.forms import links, response_drafts
from api.store.screenings import screenings
from api.store.transaction import Transaction

_SEVERAL = (
    "Several systems use this reference. Name the system; null selects the patient without one."
)


class PatientSelector(NamedTuple):
    """A patient's reference and system; None is any system, or none with `without_system`."""

    reference: str
    system: str | None
    without_system: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether the selector fixes the system."""
        return self.system is not None or self.without_system


class PatientRecords(NamedTuple):
    """What is stored on a patient: links with drafts, responses in progress, screening ids."""

    links: list[tuple[Any, Any]]
    response_drafts: Sequence[ResponseDraftRow]
    screening_ids: list[str]


def find_records(work: Transaction, patient: PatientSelector) -> PatientRecords:
    """Return what is stored on the patient, the latest correction of a screening first.

    Raises ConflictError if several systems use the reference.
    """
    link_rows = list_links_with_drafts(work, patient)
    draft_filter = build_patient_filter(work, ResponseDraftRow, patient)
    draft_rows = response_drafts.list_draft_rows(work, *draft_filter)
    query = work.select(ScreeningRow).where(*build_patient_filter(work, ScreeningRow, patient))
    rows = work.list_rows(query.order_by(col(ScreeningRow.created_at), col(ScreeningRow.id)))
    systems: set[str | None] = {screenings.decrypt_patient(work, row).system for row in rows}
    named_rows = (*(link for link, _ in link_rows), *draft_rows)
    systems |= {links.decrypt_patient(work, row).system for row in named_rows}
    if len(systems) > 1:
        raise ConflictError(_SEVERAL)
    screening_ids = sort_latest_first({row.id: row.replaces for row in rows})
    return PatientRecords(link_rows, draft_rows, screening_ids)


def list_links_with_drafts(work: Transaction, patient: PatientSelector) -> list[tuple[Any, Any]]:
    """Return the rows of all links of the patient, each with its draft row or None."""
    return links.list_link_rows(work, *build_patient_filter(work, LinkRow, patient))


def sort_latest_first(replaced: Mapping[str, str | None]) -> list[str]:
    """Return the ids with each correction before the one it replaces, as `replaced` maps it."""

    def count_earlier(screening_id: str) -> int:
        count, predecessor = 0, replaced.get(screening_id)
        while predecessor is not None:
            count, predecessor = count + 1, replaced.get(predecessor)
        return count

    return sorted(replaced, key=count_earlier, reverse=True)


def build_patient_filter(work: Transaction, table: Any, patient: PatientSelector) -> list[Any]:
    """Return the conditions that select the rows of this patient in a table with patient hashes."""
    conditions = [work.match_hash(table.patient_index, patient.reference)]
    if patient.is_exact:
        conditions.append(work.match_hash(table.system_index, patient.system))
    return conditions
