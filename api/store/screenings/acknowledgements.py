"""Acknowledgements of a screening's red flags: each flag once, with who was reached and the action.

Some interfaces acknowledge all flags of a screening at once; such an acknowledgement names no flag.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import uuid4

from api.store.database.tables import AcknowledgementRow, ScreeningRow
from api.store.errors import ConflictError, NotFoundError
from api.store.screenings import events
from api.store.transaction import Transaction
from schemas.patients.screening import Acknowledgement, Screening


class FlagAction(NamedTuple):
    """What was done about a red flag, or about all of them, and who was reached."""

    action_taken: str
    person_reached: str | None = None
    flag: str | None = None


def acknowledge_flags(
    work: Transaction, screening: Screening, practitioner: str, action: FlagAction
) -> Acknowledgement:
    """Record who saw the red flags and the action. Raises ConflictError and NotFoundError.

    A flag that the screening did not raise, or that was acknowledged before, is a conflict.
    """
    flags = {flag.id for flag in screening.assessment.safety.flags}
    if not flags:
        raise ConflictError("The screening raised no red flag.")
    if action.flag is not None and action.flag not in flags:
        raise ConflictError("The screening did not raise this red flag.")
    work.load_row(ScreeningRow, screening.id, lock=True)
    current = _read_again(work, screening)
    if action.flag is not None and current.find_acknowledgement(action.flag):
        raise ConflictError("This red flag has already been acknowledged.")
    acknowledgement = Acknowledgement(
        id=str(uuid4()),
        at=work.now,
        by=work.actor.id,
        practitioner=practitioner,
        done=action.action_taken,
        reached=action.person_reached,
        flag=action.flag,
    )
    _insert(work, current, acknowledgement)
    return acknowledgement


def carry_over(
    work: Transaction, screening: Screening, earlier: Iterable[Acknowledgement]
) -> Screening:
    """Return the new screening with what was acknowledged of its flags in earlier answers."""
    earlier = tuple(earlier)
    for flag in screening.assessment.safety.flags:
        source = next((it for it in earlier if it.flag in {None, flag.id}), None)
        if source is not None and screening.find_acknowledgement(flag.id) is None:
            copy = source.model_copy(update={"id": str(uuid4()), "flag": flag.id})
            screening = _insert(work, screening, copy)
    return screening


def _read_again(work: Transaction, screening: Screening) -> Screening:
    rows = events.list_acknowledgements(work, screening.id)
    return screening.model_copy(update={"acknowledgements": rows})


def _insert(work: Transaction, screening: Screening, new: Acknowledgement) -> Screening:
    acknowledged = screening.model_copy(
        update={"acknowledgements": (*screening.acknowledgements, new)}
    )
    content = new.model_dump_json(
        include={"practitioner", "done", "flag", "reached"}, exclude_none=True
    ).encode()
    row = {
        "id": new.id,
        "screening_id": screening.id,
        "at": new.at,
        "actor": new.by,
        "settles_all": acknowledged.is_acknowledged,
    }
    work.insert_unique(AcknowledgementRow, row, NotFoundError(), content=content)
    return acknowledged
