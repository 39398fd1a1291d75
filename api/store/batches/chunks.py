"""Chunks of a batch: claimed by a worker, then finished once with results and audit together."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import col

from api.store.batches.chunk_content import ChunkContent, unpack_content
from api.store.database import tenancy
from api.store.database.tables import BatchChunkRow, BatchRow
from api.store.database.tenancy import OrganisationSession
from api.store.keys.field_encryption import FieldLocation
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.audit import Action

WAITING, CHUNK_DONE, SET_ASIDE = "waiting", "done", "set_aside"
_ACTIONS: dict[str, Action] = {"score": "score", "reports": "report", "deliveries": "deliver"}
_TABLE = "batch_chunk"


class ChunkBatch(NamedTuple):
    """The batch that a chunk belongs to, as the worker needs it."""

    id: str
    kind: str
    rulebook: str
    rulebook_sha256: str
    options: dict[str, Any]
    parent: str | None
    actor: str


class ClaimedChunk(NamedTuple):
    """A chunk claimed for processing; `tries` counts this attempt."""

    batch: ChunkBatch
    number: int
    rows_before: int
    rows: int
    tries: int
    content: ChunkContent


class ChunkOutcome(NamedTuple):
    """The results of a chunk as bytes, and a note about them.

    `write_effects` runs in the same transaction and returns additions to the note.
    """

    note: dict[str, Any]
    results: bytes
    state: str = CHUNK_DONE
    write_effects: Callable[[Transaction], dict[str, Any]] | None = None


def claim_chunk(store: Store, organisation: str, batch: str, number: int) -> ClaimedChunk | None:
    """Claim a chunk and count the attempt; return None if there is nothing left to do.

    The attempt is committed before any work starts, so one that kills the process is counted too.
    """
    with (
        store.database.begin_write() as connection,
        OrganisationSession(connection, organisation) as session,
    ):
        row = _load_waiting(session, batch, number)
        if row is None:
            return None
        batch_row, chunk = row
        work = store.join_transaction(
            session, Actor(organisation, batch_row.actor, batch_row.means)
        )
        tries = chunk.tries + 1
        content = unpack_content(work.decrypt_column(chunk, "given"))
        work.update(BatchChunkRow, {"tries": tries}, *_match_chunk(batch, number))
        return ClaimedChunk(
            ChunkBatch(
                batch,
                batch_row.kind,
                batch_row.rulebook,
                batch_row.rulebook_sha256,
                json.loads(batch_row.options),
                batch_row.parent,
                batch_row.actor,
            ),
            number,
            chunk.rows_before,
            chunk.rows,
            tries,
            content,
        )


def finish_chunk(
    store: Store, session: OrganisationSession, batch: str, number: int, outcome: ChunkOutcome
) -> Transaction | None:
    """Store and audit the outcome of a chunk; None if it is finished, cancelled or deleted."""
    if (
        outcome.write_effects is not None
    ):  # a concurrent erasure must see the screenings that this stores
        tenancy.lock_erasure(session, session.organisation or "")
    row = _load_waiting(session, batch, number, for_update=True)
    if row is None or session.organisation is None:
        return None
    batch_row, chunk = row
    work = store.join_transaction(
        session,
        Actor(session.organisation, batch_row.actor, batch_row.means, f"batch {batch_row.kind}"),
    )
    row_name = build_row_name(batch, number)
    content = work.decrypt_column(chunk, "given")
    note = outcome.note | (outcome.write_effects(work) if outcome.write_effects else {})
    values = {
        "state": outcome.state,
        "done_at": work.now,
        "key_id": work.current_key_id,
        "patients": compute_patients_index(work, content),
        "given": work.encrypt_field(_TABLE, "given", row_name, content),
        "note": work.encrypt_field(_TABLE, "note", row_name, json.dumps(note).encode()),
        "made": work.encrypt_field(_TABLE, "made", row_name, outcome.results),
    }
    work.update(BatchChunkRow, values, *_match_chunk(batch, number))
    audit_outcome = outcome.state.replace(CHUNK_DONE, "ok")
    work.audit(_ACTIONS[batch_row.kind], "batch", batch, outcome=audit_outcome, count=chunk.rows)
    return work


def list_chunk_notes(
    work: Transaction, batch: str, *, first: int = 0
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each finished chunk from number `first` with its note, in order."""
    columns = [
        col(getattr(BatchChunkRow, name))
        for name in ("batch_id", "number", "rows_before", "rows", "state", "key_id", "note")
    ]
    rows = work.session.execute(
        work.select(*columns)
        .where(
            col(BatchChunkRow.batch_id) == batch,
            col(BatchChunkRow.state) != WAITING,
            col(BatchChunkRow.number) >= first,
        )
        .order_by(col(BatchChunkRow.number))
    )
    for row in rows:
        yield row, json.loads(_decrypt(work, row, "note"))


def read_chunk_results(work: Transaction, batch: str, number: int) -> bytes | None:
    """Return the results of a chunk; None if it has none or the batch is deleted."""
    row = _load_column(work, batch, number, "made")
    return None if row is None or row.made is None else _decrypt(work, row, "made")


def read_chunk_content(work: Transaction, batch: str, number: int) -> ChunkContent | None:
    """Return the rows of a chunk as sent; None if the batch is deleted."""
    row = _load_column(work, batch, number, "given")
    return None if row is None else unpack_content(_decrypt(work, row, "given"))


class ChunkPosition(NamedTuple):
    """The position of a chunk in its batch."""

    batch: str
    number: int
    rows_before: int
    rows: int


def build_chunk_row(
    work: Transaction, position: ChunkPosition, content: ChunkContent
) -> dict[str, Any]:
    """Return the column values of a new chunk, its content encrypted."""
    packed = content.pack()
    return {
        "batch_id": position.batch,
        "number": position.number,
        "rows_before": position.rows_before,
        "rows": position.rows,
        "tries": 0,
        "state": WAITING,
        "done_at": None,
        "key_id": work.current_key_id,
        "patients": compute_patients_index(work, packed),
        "given": work.encrypt_field(
            _TABLE, "given", build_row_name(position.batch, position.number), packed
        ),
        "note": None,
        "made": None,
    }


def build_row_name(batch: str, number: int) -> str:
    """Return the row name that the encrypted fields of a chunk are bound to."""
    return f"{batch}|{number}"


def compute_patients_index(work: Transaction, content: bytes) -> bytes:
    """Return the keyed hashes of the patients named in the content, sorted and joined."""
    key = work.data_keys.current
    references = unpack_content(content).references
    return b"".join(
        sorted(key.compute_keyed_hash("patient_index", reference) for reference in references)
    )


def _load_waiting(
    session: OrganisationSession, batch: str, number: int, *, for_update: bool = False
) -> Any:
    query = (
        select(BatchRow, BatchChunkRow)
        .join(
            BatchChunkRow,
            (col(BatchChunkRow.organisation_id) == col(BatchRow.organisation_id))
            & (col(BatchChunkRow.batch_id) == col(BatchRow.id)),
        )
        .where(
            col(BatchRow.organisation_id) == session.organisation,
            *_match_chunk(batch, number),
            col(BatchChunkRow.state) == WAITING,
            col(BatchRow.cancelled_at).is_(None),
        )
    )
    if for_update:
        query = query.with_for_update()
    row = session.execute(query).one_or_none()
    return None if row is None else tuple(row)


def _load_column(work: Transaction, batch: str, number: int, column: str) -> Any:
    columns = [
        col(getattr(BatchChunkRow, name)) for name in ("batch_id", "number", "key_id", column)
    ]
    query = work.select(*columns).where(*_match_chunk(batch, number))
    return work.session.execute(query).one_or_none()


def _decrypt(work: Transaction, row: Any, column: str) -> bytes:
    """Decrypt one of the loaded columns: the others of a chunk are large."""
    location = FieldLocation(_TABLE, column, build_row_name(row.batch_id, row.number))
    return work.data_keys.decrypt(row.key_id, location, getattr(row, column))


def _match_chunk(batch: str, number: int) -> tuple[Any, ...]:
    return col(BatchChunkRow.batch_id) == batch, col(BatchChunkRow.number) == number
