"""Chunks of a batch: taken up to be worked on, and done once, with their results in one commit."""

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlmodel import col

from api.store.database import tenancy
from api.store.database.tables import BatchChunkRow, BatchRow
from api.store.database.tenancy import OrganisationSession
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.audit import Action

WAITING, DONE, SET_ASIDE = "waiting", "done", "set_aside"
_ACTIONS: dict[str, Action] = {"score": "score", "reports": "report", "deliveries": "deliver"}
_TABLE = "batch_chunk"
_LENGTH = struct.Struct("!Q")


class Given(NamedTuple):
    """What was sent: the references of its patients, each once, and the rows as blobs."""

    references: tuple[str, ...]
    parts: tuple[bytes, ...]

    def pack(self) -> bytes:
        """As one blob."""
        told = json.dumps(self.references).encode()
        return b"".join(_LENGTH.pack(len(each)) + each for each in (told, *self.parts))


class Chosen(NamedTuple):
    """What a batch was told to do."""

    id: str
    kind: str
    rulebook: str
    rulebook_sha256: str
    options: dict[str, Any]
    parent: str | None
    actor: str


class Taken(NamedTuple):
    """A chunk that is being worked on, for the `tries`-th time."""

    batch: Chosen
    number: int
    rows_before: int
    rows: int
    tries: int
    given: Given


class Outcome(NamedTuple):
    """What came of a chunk: results as a blob, and what is told of them.

    `also` writes what else came of it, in the same transaction, and completes what is told.
    """

    note: dict[str, Any]
    made: bytes
    state: str = DONE
    also: Callable[[Transaction], dict[str, Any]] | None = None


def take(store: Store, organisation: str, batch: str, number: int) -> Taken | None:
    """Count one more try and give out the chunk; None where there is nothing to do any more.

    The try is committed before anything is done: what ends the process has been counted.
    """
    with (
        store.database.writing() as connection,
        OrganisationSession(connection, organisation) as session,
    ):
        row = _waiting(session, batch, number)
        if row is None:
            return None
        owner, chunk = row
        session.execute(
            update(BatchChunkRow)
            .where(*_is(organisation, batch, number))
            .values(tries=chunk.tries + 1)
        )
        work = store.within(session, Actor(organisation, owner.actor, owner.means))
        return Taken(
            Chosen(
                batch,
                owner.kind,
                owner.rulebook,
                owner.rulebook_sha256,
                json.loads(owner.options),
                owner.parent,
                owner.actor,
            ),
            number,
            chunk.rows_before,
            chunk.rows,
            chunk.tries + 1,
            opened_given(_opened(work, chunk, "given")),
        )


def finish(
    store: Store, session: OrganisationSession, batch: str, number: int, outcome: Outcome
) -> Transaction | None:
    """Lay down what came of a chunk, audited; None where it is done, cancelled or gone."""
    if outcome.also is not None:  # what it keeps of patients is not missed by who erases one now
        tenancy.in_turn(session, session.organisation or "")
    row = _waiting(session, batch, number, hold=True)
    if row is None or session.organisation is None:
        return None
    owner, chunk = row
    work = store.within(
        session, Actor(session.organisation, owner.actor, owner.means, f"batch {owner.kind}")
    )
    name = place(batch, number)
    given = _opened(work, chunk, "given")
    note = outcome.note | (outcome.also(work) if outcome.also else {})
    session.execute(
        update(BatchChunkRow)
        .where(*_is(work.organisation, batch, number))
        .values(
            state=outcome.state,
            done_at=work.now,
            key_id=work.key_id,
            patients=patients_index(work, given),
            given=work.seal(_TABLE, "given", name, given),
            note=work.seal(_TABLE, "note", name, json.dumps(note).encode()),
            made=work.seal(_TABLE, "made", name, outcome.made),
        )
    )
    ended = outcome.state.replace(DONE, "ok")
    work.audit(_ACTIONS[owner.kind], "batch", batch, outcome=ended, count=chunk.rows)
    return work


def notes(work: Transaction, batch: str, *, first: int = 0) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each finished chunk with what is told of it, in order."""
    columns = [
        col(getattr(BatchChunkRow, name))
        for name in ("batch_id", "number", "rows_before", "rows", "state", "key_id", "note")
    ]
    rows = work.session.execute(
        select(*columns)
        .where(
            col(BatchChunkRow.organisation_id) == work.organisation,
            col(BatchChunkRow.batch_id) == batch,
            col(BatchChunkRow.state) != WAITING,
            col(BatchChunkRow.number) >= first,
        )
        .order_by(col(BatchChunkRow.number))
    )
    for row in rows:
        yield row, json.loads(_opened(work, row, "note"))


def made(work: Transaction, batch: str, number: int) -> bytes | None:
    """The results of a chunk; None where there are none, or the batch is gone."""
    row = _chunk(work, batch, number, "made")
    return None if row is None or row.made is None else _opened(work, row, "made")


def given(work: Transaction, batch: str, number: int) -> Given | None:
    """The rows of a chunk as they were sent; None where the batch is gone."""
    row = _chunk(work, batch, number, "given")
    return None if row is None else opened_given(_opened(work, row, "given"))


class Where(NamedTuple):
    """The place of a chunk in its batch, and the rows that are its own."""

    batch: str
    number: int
    rows_before: int
    rows: int


def sealed_row(work: Transaction, where: Where, plain: Given) -> dict[str, Any]:
    """The values of a new chunk."""
    content = plain.pack()
    return {
        "organisation_id": work.organisation,
        "batch_id": where.batch,
        "number": where.number,
        "rows_before": where.rows_before,
        "rows": where.rows,
        "tries": 0,
        "state": WAITING,
        "done_at": None,
        "key_id": work.key_id,
        "patients": patients_index(work, content),
        "given": work.seal(_TABLE, "given", place(where.batch, where.number), content),
        "note": None,
        "made": None,
    }


def place(batch: str, number: int) -> str:
    """What the seals of a chunk are bound to."""
    return f"{batch}|{number}"


def patients_index(work: Transaction, content: bytes) -> bytes:
    """The keyed hashes of the patients named in it, by the key that seals now."""
    key = work.keys.current
    named = opened_given(content).references
    return b"".join(sorted(key.keyed("patient_index", each) for each in named))


def opened_given(content: bytes) -> Given:
    """What was packed."""
    told, *parts = _parts(content)
    return Given(tuple(json.loads(told)), tuple(parts))


def _parts(content: bytes) -> Iterable[bytes]:
    place = 0
    while place < len(content):
        (length,) = _LENGTH.unpack_from(content, place)
        place += _LENGTH.size + length
        yield content[place - length : place]


def _waiting(session: OrganisationSession, batch: str, number: int, *, hold: bool = False) -> Any:
    query = (
        select(BatchRow, BatchChunkRow)
        .join(
            BatchChunkRow,
            (col(BatchChunkRow.organisation_id) == col(BatchRow.organisation_id))
            & (col(BatchChunkRow.batch_id) == col(BatchRow.id)),
        )
        .where(
            *_is(session.organisation or "", batch, number),
            col(BatchChunkRow.state) == WAITING,
            col(BatchRow.cancelled_at).is_(None),
        )
    )
    if hold:
        query = query.with_for_update()
    row = session.execute(query).one_or_none()
    return None if row is None else tuple(row)


def _chunk(work: Transaction, batch: str, number: int, column: str) -> Any:
    columns = [
        col(getattr(BatchChunkRow, name)) for name in ("batch_id", "number", "key_id", column)
    ]
    return work.session.execute(
        select(*columns).where(*_is(work.organisation, batch, number))
    ).one_or_none()


def _opened(work: Transaction, row: Any, column: str) -> bytes:
    name = place(row.batch_id, row.number)
    return work.open(row.key_id, _TABLE, column, name, getattr(row, column))


def _is(organisation: str, batch: str, number: int) -> tuple[Any, ...]:
    return (
        col(BatchChunkRow.organisation_id) == organisation,
        col(BatchChunkRow.batch_id) == batch,
        col(BatchChunkRow.number) == number,
    )
