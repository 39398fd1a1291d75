"""The audit: every act of an organisation, each row chained to the one before by a keyed hash.

A row is appended in the transaction of the act itself. Rows hold who, when, what and how it ended,
never an answer, a reference or a word that was sent. The key is wrapped by the key ring, so that
whoever can write to the database cannot make a row that holds.
"""

import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.tables import AuditHeadRow, AuditRow
from schemas.audit import Act, AuditEntry, ChainFault, Checkpoint

_START = b"\x00" * 32
_STEP = 1000


class AuditKey(NamedTuple):
    """The key that chains the rows of one organisation."""

    id: str
    organisation: str
    secret: bytes

    def mac(self, before: bytes, entry: "AuditEntry") -> bytes:
        """The link from the row before to this one."""
        return hmac.digest(self.secret, before + _canonical(self.organisation, entry), "sha256")

    def seal(self, seq: int, mac: bytes, purpose: str) -> bytes:
        """What only the holder of the key can say: that the chain ended here."""
        text = f"{purpose}\x1f{self.organisation}\x1f{seq}\x1f".encode() + mac
        return hmac.digest(self.secret, text, "sha256")


def begin(session: Session, key: AuditKey) -> None:
    """Start the chain of a new organisation."""
    session.execute(
        insert(AuditHeadRow).values(
            organisation_id=key.organisation,
            seq=0,
            key_id=key.id,
            mac=_START,
            seal=key.seal(0, _START, "head"),
        )
    )


def append(session: Session, key: AuditKey, act: Act, at: datetime) -> AuditEntry:
    """One more row. Holds the end of the chain until the transaction ends: call it last."""
    head = session.execute(
        select(col(AuditHeadRow.seq), col(AuditHeadRow.mac))
        .where(col(AuditHeadRow.organisation_id) == key.organisation)
        .with_for_update()
    ).one()
    entry = AuditEntry(seq=head.seq + 1, at=at, **act.model_dump())
    mac = key.mac(head.mac, entry)
    session.execute(
        insert(AuditRow).values(
            organisation_id=key.organisation, key_id=key.id, mac=mac, **entry.model_dump()
        )
    )
    session.execute(
        update(AuditHeadRow)
        .where(col(AuditHeadRow.organisation_id) == key.organisation)
        .values(seq=entry.seq, mac=mac, key_id=key.id, seal=key.seal(entry.seq, mac, "head"))
    )
    return entry


def entries(
    session: Session, organisation: str, *, after: int = 0, most: int | None = None
) -> Iterator[AuditEntry]:
    """The rows of an organisation in their order, read a stretch at a time."""
    for row in islice(_rows(session, organisation, after), most):
        yield _entry(row)


def checkpoint(session: Session, key: AuditKey, at: datetime) -> Checkpoint:
    """Where the chain ends now, to be kept elsewhere: it shows later that nothing was cut off."""
    head = _head(session, key.organisation)
    return Checkpoint(
        organisation=key.organisation,
        seq=head.seq,
        mac=head.mac.hex(),
        at=at,
        seal=key.seal(head.seq, head.mac, "checkpoint").hex(),
    )


def verify(
    session: Session, key: AuditKey, checkpoints: tuple[Checkpoint, ...] = ()
) -> tuple[ChainFault, ...]:
    """Everything that shows the chain was tampered with, and where; nothing where it holds."""
    faults: list[ChainFault] = []
    waiting = {each.seq: each for each in checkpoints}
    seq, before = 0, _START
    for row in _rows(session, key.organisation, 0):
        if row.seq != seq + 1:
            faults.append(ChainFault(seq=seq + 1, what="missing", until=row.seq - 1))
        if not hmac.compare_digest(key.mac(before, _entry(row)), row.mac):
            faults.append(
                ChainFault(seq=row.seq, what="changed" if row.seq == seq + 1 else "unverifiable")
            )
        seq, before = row.seq, row.mac
        faults.extend(_missed(key, waiting.pop(seq, None), before))
    faults.extend(_ending(key, _head(session, key.organisation), seq, before))
    for beyond in sorted(waiting):
        faults.extend(
            _missed(key, waiting[beyond], before)
            if beyond == 0
            else [ChainFault(seq=beyond, what="cut_off")]
        )
    return tuple(faults)


def _missed(key: AuditKey, held: Checkpoint | None, mac: bytes) -> Iterator[ChainFault]:
    """Whether a checkpoint is ours and says what stands here."""
    if held is None:
        return
    said = bytes.fromhex(held.mac)
    ours = hmac.compare_digest(key.seal(held.seq, said, "checkpoint").hex(), held.seal)
    if held.organisation != key.organisation or not ours:
        yield ChainFault(seq=held.seq, what="not_our_checkpoint")
    elif held.seq and said != mac:
        yield ChainFault(seq=held.seq, what="not_as_at_checkpoint")


def _ending(key: AuditKey, head: Any, seq: int, mac: bytes) -> Iterator[ChainFault]:
    if not hmac.compare_digest(key.seal(head.seq, head.mac, "head"), head.seal):
        yield ChainFault(seq=head.seq, what="head_changed")
    elif head.seq > seq:
        yield ChainFault(seq=seq + 1, what="missing", until=head.seq)
    elif head.seq < seq:
        yield ChainFault(seq=head.seq + 1, what="inserted", until=seq)
    elif head.mac != mac:
        yield ChainFault(seq=seq, what="changed")


def _head(session: Session, organisation: str) -> Any:
    columns = col(AuditHeadRow.seq), col(AuditHeadRow.mac), col(AuditHeadRow.seal)
    return session.execute(
        select(*columns).where(col(AuditHeadRow.organisation_id) == organisation)
    ).one()


def _rows(session: Session, organisation: str, after: int) -> Iterator[Any]:
    columns = [getattr(AuditRow, name) for name in AuditRow.model_fields]
    while True:
        rows = session.execute(
            select(*columns)
            .where(col(AuditRow.organisation_id) == organisation, col(AuditRow.seq) > after)
            .order_by(col(AuditRow.seq))
            .limit(_STEP)
        ).all()
        yield from rows
        if len(rows) < _STEP:
            return
        after = rows[-1].seq


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.model_fields})


def _canonical(organisation: str, entry: AuditEntry) -> bytes:
    told = entry.model_dump(mode="json") | {"organisation": organisation}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
