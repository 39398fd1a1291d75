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
from api.store.keys.organisation_keys import DATA_KIND
from api.store.patients import legal_holds
from api.store.screenings import screenings
from api.store.store import Store
from api.store.transaction import Actor, Transaction

ROWS_PER_STEP = 100
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
    BatchChunkRow: lambda row: chunks.build_row_name(row.batch_id, row.number),
}


def rotate_data_key(store: Store, actor: Actor) -> int:
    """Encrypt all rows of the actor's organisation with a new key; return their number."""
    with store.write_all_organisations() as session:
        tenancy.lock_organisation(
            session, actor.organisation
        )  # waits for transactions that use the old key
        work = store.join_transaction(session, actor)
        store.organisation_keys.add_key(session, actor.organisation, DATA_KIND, work.now)
        work.audit("rotate", "data_key")
    return finish_rotation(store, actor)


def finish_rotation(store: Store, actor: Actor) -> int:
    """Encrypt the rows of older keys again and destroy these keys; resumes after a crash."""
    total = 0
    while count := _rotate_some_rows(store, actor):
        total += count
    return total


def _rotate_some_rows(store: Store, actor: Actor) -> int:
    """Encrypt some rows again; if none is left, destroy the old keys. Return the row count."""
    with store.transaction(actor) as work:
        for table, columns in _ENCRYPTED_COLUMNS:
            rows = (
                work.session.execute(
                    select(table)
                    .where(
                        table.organisation_id == work.organisation,
                        col(table.key_id) != work.current_key_id,
                    )
                    .limit(ROWS_PER_STEP)
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
        old_key_ids = work.data_keys.list_older_key_ids()
        for key_id in old_key_ids:
            store.organisation_keys.delete_key(work.session, actor.organisation, key_id)
        work.audit("rotate", "data_key", outcome="destroyed" if old_key_ids else "nothing_left")
        return 0


def _reencrypt(work: Transaction, row: Any, columns: tuple[str, ...]) -> None:
    table, name = str(row.__tablename__), _row_name(row)
    plain = {
        column: work.decrypt_field(row.key_id, table, column, name, ciphertext)
        for column in columns
        if (ciphertext := getattr(row, column)) is not None
    }
    indexes = _keyed_hashes(work, row, plain)
    for column, content in plain.items():
        setattr(row, column, work.encrypt_field(table, column, name, content))
    for column, index in indexes.items():
        setattr(row, column, index)
    row.key_id = work.current_key_id


def _keyed_hashes(work: Transaction, row: Any, plain: dict[str, bytes]) -> dict[str, bytes]:
    """Return the row's search columns, hashed with the current key."""
    match row:
        case ScreeningRow():
            assessment = screenings.decrypt_assessment(work, row)
            return screenings.compute_indexes(
                work, screenings.decrypt_patient(work, row), assessment
            )
        case LegalHoldRow():
            return legal_holds.compute_indexes(work, legal_holds.decrypt_content(work, row))
        case LinkRow():
            return links.compute_indexes(work, links.decrypt_patient(work, row))
        case DraftRow():
            return {"tier_index": drafts.compute_tier_index(work, drafts.decrypt_draft(work, row))}
        case BatchChunkRow():
            return {"patients": chunks.compute_patients_index(work, plain["given"])}
    return {}


def _row_name(row: Any) -> str:
    """Return the name of a row in the associated data of its fields."""
    build_name = _ROW_NAMES.get(type(row))
    return build_name(row) if build_name else str(row.id)
