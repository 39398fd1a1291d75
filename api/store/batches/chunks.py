"""Chunks of a batch: claimed by a worker, then finished once with results and audit together."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import col

from api.store.batches.chunk_content import ChunkContent, unpack_content
from api.store.database import tenancy
from api.store.database.tables import BatchChunkRow, BatchRow, match_reference
from api.store.database.tenancy import OrganisationSession
from api.store.keys.field_encryption import FieldLocation
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.organisations.audit import Action

WAITING, CHUNK_DONE, SET_ASIDE = "waiting", "done", "set_aside"
_ACTIONS: dict[str, Action] = {
    "score": "score",
    "reports": "report",
    "deliveries": "deliver",
    "export": "export",
}


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
    """A chunk's results and note; `write_effects` runs in the transaction and adds to it."""

    note: dict[str, Any]
    results: bytes
    state: str = CHUNK_DONE
    write_effects: Callable[[Transaction], dict[str, Any]] | None = None


def claim_chunk(store: Store, organisation: str, batch: str, number: int) -> ClaimedChunk | None:
    """Claim a chunk and commit the attempt before any work; None if nothing is left to do."""
    with (
        store.database.begin_write() as connection,
        OrganisationSession(connection, organisation) as session,
    ):
        row = _load_waiting(session, batch, number)
        if row is None:
            return None
        batch_row, chunk = row
        actor = Actor(organisation, batch_row.actor, batch_row.means)
        work = store.join_transaction(session, actor)
        tries = chunk.tries + 1
        content = unpack_content(work.decrypt_column(chunk, "given"))
        work.update(BatchChunkRow, {"tries": tries}, *_match_chunk(batch, number))
        return ClaimedChunk(
            ChunkBatch(
                **batch_row.model_dump(include=set(ChunkBatch._fields) - {"options"}),
                options=json.loads(batch_row.options),
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
    if outcome.write_effects is not None:
        # a concurrent erasure must see the screenings that this stores
        tenancy.lock_erasure(session, session.organisation or "")
    row = _load_waiting(session, batch, number, for_update=True)
    if row is None or session.organisation is None:
        return None
    batch_row, chunk = row
    work = store.join_transaction(
        session,
        Actor(session.organisation, batch_row.actor, batch_row.means, f"batch {batch_row.kind}"),
    )
    content = work.decrypt_column(chunk, "given")
    note = outcome.note | (outcome.write_effects(work) if outcome.write_effects else {})
    values = {
        "state": outcome.state,
        "done_at": work.now,
        "patients": compute_patients_index(work, content),
        **work.encrypt_columns(
            BatchChunkRow,
            chunk.row_name,
            given=content,
            note=json.dumps(note).encode(),
            made=outcome.results,
        ),
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


def add_chunk(work: Transaction, content: ChunkContent, **position: Any) -> None:
    """Store a new chunk, its content encrypted, at a position: batch, number and rows."""
    packed = content.pack()
    row = {
        **position,
        "tries": 0,
        "state": WAITING,
        "patients": compute_patients_index(work, packed),
    }
    work.insert(BatchChunkRow, row, given=packed)


def compute_patients_index(work: Transaction, content: bytes) -> bytes:
    """Return the keyed hashes of the patients named in the content, sorted and joined."""
    key = work.data_keys.current
    references = unpack_content(content).references
    hashes = (key.compute_keyed_hash("patient_index", reference) for reference in references)
    return b"".join(sorted(hashes))


def _load_waiting(
    session: OrganisationSession, batch: str, number: int, *, for_update: bool = False
) -> Any:
    query = (
        select(BatchRow, BatchChunkRow)
        .join(BatchChunkRow, match_reference(BatchChunkRow.batch_id, BatchRow))
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
    names = ("batch_id", "number", "key_id", column)
    columns = [col(getattr(BatchChunkRow, name)) for name in names]
    query = work.select(*columns).where(*_match_chunk(batch, number))
    return work.session.execute(query).one_or_none()


def _decrypt(work: Transaction, row: Any, column: str) -> bytes:
    """Decrypt one of the loaded columns: the others of a chunk are large."""
    location = FieldLocation("batch_chunk", column, f"{row.batch_id}|{row.number}")
    return work.data_keys.decrypt(row.key_id, location, getattr(row, column))


def _match_chunk(batch: str, number: int) -> tuple[Any, ...]:
    return col(BatchChunkRow.batch_id) == batch, col(BatchChunkRow.number) == number
