"""Rotation: everything an organisation keeps sealed by a new key, while it is being used.

The new key seals from the first moment; what the old one sealed is sealed anew in small
transactions, and once nothing is left the old key is destroyed.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from api.store.batches import chunks
from api.store.database import tenancy
from api.store.database.tables import (
    AcknowledgementRow,
    AnsweredRow,
    AttemptRow,
    BatchChunkRow,
    DeliveryRow,
    DestinationRow,
    DraftRow,
    EnteredInErrorRow,
    FormSettingsRow,
    InvitationRow,
    LegalHoldRow,
    LinkRow,
    PatientMoveRow,
    ReportRow,
    ScreeningRow,
    SignInRow,
)
from api.store.forms import drafts, links
from api.store.keys.organisation_keys import DATA
from api.store.patients import legal_holds
from api.store.screenings import screenings
from api.store.store import Store
from api.store.transaction import Actor, Transaction

STEP = 100
_SEALED: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (ScreeningRow, ("patient", "context", "answers", "assessment")),
    (EnteredInErrorRow, ("reason",)),
    (AcknowledgementRow, ("content",)),
    (ReportRow, ("content",)),
    (AnsweredRow, ("content",)),
    (LegalHoldRow, ("content",)),
    (LinkRow, ("patient",)),
    (DraftRow, ("content",)),
    (FormSettingsRow, ("content",)),
    (BatchChunkRow, ("given", "note", "made")),
    (InvitationRow, ("totp",)),
    (SignInRow, ("totp",)),
    (DestinationRow, ("content",)),
    (DeliveryRow, ("payload",)),
    (AttemptRow, ("reply",)),
    (PatientMoveRow, ("content",)),
)
_NAMES: dict[type[Any], Callable[[Any], str]] = {
    EnteredInErrorRow: lambda row: row.screening_id,
    AnsweredRow: lambda row: f"{row.actor}|{row.route}|{row.key_hash}",
    DraftRow: lambda row: row.link_id,
    SignInRow: lambda row: row.practitioner_id,
    FormSettingsRow: lambda row: row.organisation_id,
    BatchChunkRow: lambda row: chunks.place(row.batch_id, row.number),
}


def rotate(store: Store, actor: Actor) -> int:
    """Seal all of the actor's organisation by a new key; how many rows it were."""
    with store.across() as session:
        tenancy.alone(session, actor.organisation)  # whoever seals by the old key has ended
        work = store.within(session, actor)
        store.keys.add(session, actor.organisation, DATA, work.now)
        work.audit("rotate", "data_key")
    return finish(store, actor)


def finish(store: Store, actor: Actor) -> int:
    """Seal anew what older keys sealed, and destroy them; also after a rotation was cut off."""
    total = 0
    while count := _step(store, actor):
        total += count
    return total


def _step(store: Store, actor: Actor) -> int:
    """Seal some rows anew; where none is left, destroy the keys that sealed them."""
    with store.transaction(actor) as work:
        for table, columns in _SEALED:
            rows = work.session.execute(
                select(table)
                .where(
                    table.organisation_id == work.organisation,
                    col(table.key_id) != work.key_id,
                )
                .limit(STEP)
                .with_for_update()
            ).scalars()
            found = rows.all()
            for row in found:
                _seal_anew(work, row, columns)
            if found:
                work.session.flush()
                work.audit("rotate", str(table.__tablename__), count=len(found))
                return len(found)
        older = work.keys.older()
        for key_id in older:
            store.keys.drop(work.session, actor.organisation, key_id)
        work.audit("rotate", "data_key", outcome="destroyed" if older else "nothing_left")
        return 0


def _seal_anew(work: Transaction, row: Any, columns: tuple[str, ...]) -> None:
    table, name = str(row.__tablename__), _name(row)
    plain = {
        column: work.open(row.key_id, table, column, name, sealed)
        for column in columns
        if (sealed := getattr(row, column)) is not None
    }
    indexes = _indexes(work, row, plain)
    for column, content in plain.items():
        setattr(row, column, work.seal(table, column, name, content))
    for column, index in indexes.items():
        setattr(row, column, index)
    row.key_id = work.key_id


def _indexes(work: Transaction, row: Any, plain: dict[str, bytes]) -> dict[str, bytes]:
    """What the row is searched by, by the key that seals now."""
    match row:
        case ScreeningRow():
            assessment = screenings.assessment_of(work, row)
            return screenings.indexes(work, screenings.patient_of(work, row), assessment)
        case LegalHoldRow():
            return legal_holds.indexes(work, legal_holds.content_of(work, row))
        case LinkRow():
            return links.indexes(work, links.patient_of(work, row))
        case DraftRow():
            return {"tier_index": drafts.tier_index(work, drafts.draft_of(work, row))}
        case BatchChunkRow():
            return {"patients": chunks.patients_index(work, plain["given"])}
    return {}


def _name(row: Any) -> str:
    """What a row's seal is bound to."""
    name = _NAMES.get(type(row))
    return name(row) if name else str(row.id)
