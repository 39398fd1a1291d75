"""Key rotation: encrypts all fields of an organisation with a new key, while it is in use.

The new key encrypts from the start; rows of the old key are encrypted again in small transactions,
and when none is left the old key is destroyed.
"""

from typing import Any

from sqlmodel import col

from api.store.batches import chunks
from api.store.database import tables, tenancy
from api.store.forms import drafts, links
from api.store.keys.organisation_keys import DATA_KIND
from api.store.patients import legal_holds
from api.store.screenings import screenings
from api.store.store import Store
from api.store.transaction import Actor, Transaction

ROWS_PER_STEP = 100
_ENCRYPTED_COLUMNS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (tables.ScreeningRow, ("patient", "context", "answers", "assessment", "line")),
    (tables.EnteredInErrorRow, ("reason",)),
    (tables.AcknowledgementRow, ("content",)),
    (tables.ReportRow, ("content",)),
    (tables.AnsweredRow, ("content",)),
    (tables.LegalHoldRow, ("content",)),
    (tables.LinkRow, ("patient",)),
    (tables.DraftRow, ("content",)),
    (tables.DraftAcknowledgementRow, ("content",)),
    (tables.ResponseDraftRow, ("patient", "content")),
    (tables.FormSettingsRow, ("content",)),
    (tables.KeptFormRow, ("content",)),
    (tables.BatchChunkRow, ("given", "note", "made")),
    (tables.MappingRow, ("content",)),
    (tables.InvitationRow, ("totp",)),
    (tables.SignInRow, ("totp",)),
    (tables.DestinationRow, ("content",)),
    (tables.DeliveryRow, ("payload",)),
    (tables.AttemptRow, ("reply",)),
    (tables.PatientMoveRow, ("content",)),
    (tables.NotificationRow, ("content",)),
    (tables.ApprovalRow, ("content",)),
)


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
            rows = work.list_rows(
                work.select(table)
                .where(col(table.key_id) != work.current_key_id)
                .limit(ROWS_PER_STEP)
                .with_for_update()
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
    plain = {
        column: work.decrypt_column(row, column)
        for column in columns
        if getattr(row, column) is not None
    }
    indexes = _keyed_hashes(work, row, plain)
    if isinstance(row, tables.ScreeningRow) and row.line is None:
        plain["line"] = screenings.encode_line(screenings.decrypt_assessment(work, row))
    work.encrypt_row(row, plain, indexes)


def _keyed_hashes(work: Transaction, row: Any, plain: dict[str, bytes]) -> dict[str, bytes]:
    match row:
        case tables.ScreeningRow():
            assessment = screenings.decrypt_assessment(work, row)
            patient = screenings.decrypt_patient(work, row)
            return screenings.compute_indexes(work.data_keys.current, patient, assessment)
        case tables.LegalHoldRow():
            return legal_holds.compute_indexes(work, legal_holds.decrypt_content(work, row))
        case tables.LinkRow() | tables.ResponseDraftRow():
            patient = links.decrypt_patient(work, row)
            return links.compute_indexes(work, patient)
        case tables.DraftRow():
            return drafts.compute_indexes(work, drafts.decrypt_draft(work, row))
        case tables.BatchChunkRow():
            return {"patients": chunks.compute_patients_index(work, plain["given"])}
    return {}
