"""Key rotation: encrypts all fields of an organisation with a new key, while it is in use.

The new key encrypts from the start; rows of the old key are encrypted again in small transactions,
and when none is left the old key is destroyed.
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
_ENCRYPTED_COLUMNS: tuple[tuple[Any, tuple[str, ...]], ...] = (
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
_ROW_NAMES: dict[type[Any], Callable[[Any], str]] = {
    EnteredInErrorRow: lambda row: row.screening_id,
    AnsweredRow: lambda row: f"{row.actor}|{row.route}|{row.key_hash}",
    DraftRow: lambda row: row.link_id,
    SignInRow: lambda row: row.practitioner_id,
    FormSettingsRow: lambda row: row.organisation_id,
    BatchChunkRow: lambda row: chunks.place(row.batch_id, row.number),
}


def rotate(store: Store, actor: Actor) -> int:
    """Encrypt all rows of the actor's organisation with a new key; return their number."""
    with store.across() as session:
        tenancy.alone(session, actor.organisation)  # waits for transactions that use the old key
        work = store.within(session, actor)
        store.keys.add(session, actor.organisation, DATA, work.now)
        work.audit("rotate", "data_key")
    return finish(store, actor)


def finish(store: Store, actor: Actor) -> int:
    """Encrypt the rows of older keys again and destroy these keys; resumes after a crash."""
    total = 0
    while count := _step(store, actor):
        total += count
    return total


def _step(store: Store, actor: Actor) -> int:
    """Encrypt some rows again; if none is left, destroy the old keys. Return the row count."""
    with store.transaction(actor) as work:
        for table, columns in _ENCRYPTED_COLUMNS:
            rows = (
                work.session.execute(
                    select(table)
                    .where(
                        table.organisation_id == work.organisation,
                        col(table.key_id) != work.key_id,
                    )
                    .limit(STEP)
                    .with_for_update()
                )
                .scalars()
                .all()
            )
            for row in rows:
                _reencrypt(work, row, columns)
            if rows:
                work.session.flush()
                work.audit("rotate", str(table.__tablename__), count=len(rows))
                return len(rows)
        old_key_ids = work.keys.older()
        for key_id in old_key_ids:
            store.keys.drop(work.session, actor.organisation, key_id)
        work.audit("rotate", "data_key", outcome="destroyed" if old_key_ids else "nothing_left")
        return 0


def _reencrypt(work: Transaction, row: Any, columns: tuple[str, ...]) -> None:
    table, name = str(row.__tablename__), _row_name(row)
    plain = {
        column: work.open(row.key_id, table, column, name, ciphertext)
        for column in columns
        if (ciphertext := getattr(row, column)) is not None
    }
    indexes = _keyed_hashes(work, row, plain)
    for column, content in plain.items():
        setattr(row, column, work.seal(table, column, name, content))
    for column, index in indexes.items():
        setattr(row, column, index)
    row.key_id = work.key_id


def _keyed_hashes(work: Transaction, row: Any, plain: dict[str, bytes]) -> dict[str, bytes]:
    """Return the row's search columns, hashed with the current key."""
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


def _row_name(row: Any) -> str:
    """Return the name of a row in the associated data of its fields."""
    build_name = _ROW_NAMES.get(type(row))
    return build_name(row) if build_name else str(row.id)
