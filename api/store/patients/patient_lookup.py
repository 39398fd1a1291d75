"""People: whom something is kept on, known by the reference and the system that numbers so.

Where several systems use the same reference, the system must be named, or that it is the one
without: nobody is taken for another.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import LinkRow, ScreeningRow
from api.store.forms import links
from api.store.screenings import screenings
from api.store.transaction import Transaction

_SEVERAL = (
    "Several systems number a patient so: name the system; null means the patient without one."
)


class Person(NamedTuple):
    """Whom it is about; without a system it is whoever has the reference, or who has none."""

    reference: str
    system: str | None
    without_system: bool = False

    @property
    def exact(self) -> bool:
        """Whether it is said which system numbers so, or that none does."""
        return self.system is not None or self.without_system


def linked_to(work: Transaction, person: Person) -> list[tuple[Any, Any]]:
    """The rows of all links of a person, each with its draft or None."""
    return links.of_person(work, *which(work, LinkRow, person))


def screening_ids(work: Transaction, person: Person, linked: list[tuple[Any, Any]]) -> list[str]:
    """The ids of all screenings of a person with these links, the latest correction first.

    Raises Problem `conflict` where several systems use the reference.
    """
    rows = (
        work.session.execute(
            select(ScreeningRow)
            .where(*which(work, ScreeningRow, person))
            .order_by(col(ScreeningRow.created_at), col(ScreeningRow.id))
        )
        .scalars()
        .all()
    )
    systems: set[str | None] = {screenings.patient_of(work, row).system for row in rows}
    systems |= {links.patient_of(work, link).system for link, _ in linked}
    if len(systems) > 1:
        raise Problem("conflict", _SEVERAL)
    return latest_first({row.id: row.replaces for row in rows})


def latest_first(replaced: Mapping[str, str | None]) -> list[str]:
    """The ids of screenings, each with what it replaces, in an order in which they can go."""

    def earlier(screening_id: str) -> int:
        count, each = 0, replaced.get(screening_id)
        while each is not None:
            count, each = count + 1, replaced.get(each)
        return count

    return sorted(replaced, key=earlier, reverse=True)


def which(work: Transaction, table: Any, person: Person) -> list[Any]:
    """What rows of a table that knows people by hashes are found by."""
    found = [
        table.organisation_id == work.organisation,
        col(table.patient_index).in_(work.keys.keyed("patient_index", person.reference)),
    ]
    if person.exact:
        found.append(col(table.system_index).in_(work.keys.keyed("system_index", person.system)))
    return found
