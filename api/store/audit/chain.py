"""The audit: every act of an organisation, each row chained to the one before by a keyed hash.

A row is appended in the transaction of the act itself. Rows hold who, when, what and how it ended,
never an answer, a reference or a word that was sent. The key is wrapped by the key ring, so that
whoever can write to the database cannot make a row that holds.
"""

import hmac
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import AuditHeadRow, AuditRow
from api.store.database.tenancy import OrganisationSession
from schemas.audit import Act, AuditEntry, ChainFault, Checkpoint

_START = b"\x00" * 32
_STEP = 1000
_OF = col(AuditHeadRow.organisation_id) == bindparam("of")
_END = select(col(AuditHeadRow.seq), col(AuditHeadRow.mac)).where(_OF).with_for_update()
_MOVE = (
    update(AuditHeadRow)
    .where(_OF)
    .values(
        seq=bindparam("to"),
        key_id=bindparam("by"),
        mac=bindparam("link"),
        seal=bindparam("sealed"),
    )
)


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


def append(session: OrganisationSession, key: AuditKey, act: Act, at: datetime) -> AuditEntry:
    """One more row. Holds the end of the chain until the transaction ends: call it last."""
    head = session.execute(_END, {"of": key.organisation}).one()
    entry = AuditEntry(seq=head.seq + 1, at=at, **dict(act))
    mac = key.mac(head.mac, entry)
    row = {"organisation_id": key.organisation, "key_id": key.id, "mac": mac, **dict(entry)}
    session.put(AuditRow, row)
    seal = key.seal(entry.seq, mac, "head")
    session.execute(
        _MOVE, {"of": key.organisation, "to": entry.seq, "by": key.id, "link": mac, "sealed": seal}
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
    if head is None:
        raise LookupError("the chain has lost its end: verify it")
    ended = Checkpoint(
        organisation=key.organisation, seq=head.seq, mac=head.mac.hex(), at=at, seal=""
    )
    return ended.model_copy(update={"seal": _sealed(key, ended)})


def verify(
    session: Session, key: AuditKey, checkpoints: tuple[Checkpoint, ...] = ()
) -> tuple[ChainFault, ...]:
    """Everything that shows the chain was tampered with, and where; nothing where it holds."""
    walk = _Walk(key, checkpoints)
    for row in _rows(session, key.organisation, None):
        walk.pass_by(row)
    head = _head(session, key.organisation)
    if head is not None:  # what was appended meanwhile
        for row in _rows(session, key.organisation, walk.seq, until=head.seq):
            walk.pass_by(row)
    walk.end(head)
    return tuple(walk.faults)


class _Walk:
    """Along a chain from its first row to its end, with what was found amiss."""

    def __init__(self, key: AuditKey, checkpoints: tuple[Checkpoint, ...]) -> None:
        self.seq = 0
        self.faults: list[ChainFault] = []
        self._key = key
        self._mac = _START
        self._waiting: defaultdict[int, set[str]] = defaultdict(set)
        for each in checkpoints:
            if _is_ours(key, each):
                self._waiting[each.seq].add(each.mac)
            else:
                self.faults.append(ChainFault(seq=each.seq, what="not_our_checkpoint"))

    def pass_by(self, row: Any) -> None:
        """The next row, in the order of their numbers."""
        self.faults.extend(_broken(self._key, row, self.seq, self._mac))
        if row.seq > self.seq:
            self.seq, self._mac = row.seq, row.mac
        if self._waiting.pop(row.seq, {row.mac.hex()}) != {row.mac.hex()}:
            self.faults.append(ChainFault(seq=row.seq, what="not_as_at_checkpoint"))

    def end(self, head: Any) -> None:
        """There are no more rows."""
        self.faults.extend(_ending(self._key, head, self.seq, self._mac))
        beyond = sorted(each for each in self._waiting if each)
        self.faults.extend(ChainFault(seq=each, what="cut_off") for each in beyond)


def _broken(key: AuditKey, row: Any, seq: int, before: bytes) -> Iterator[ChainFault]:
    """What is wrong with a row that stands after the row `seq`."""
    if row.seq <= seq:
        yield ChainFault(seq=row.seq, what="inserted")
        return
    if row.seq > seq + 1:
        yield ChainFault(seq=seq + 1, what="missing", until=row.seq - 1)
    if not _holds(key, row, before):
        yield ChainFault(seq=row.seq, what="changed" if row.seq == seq + 1 else "unverifiable")


def _holds(key: AuditKey, row: Any, before: bytes) -> bool:
    try:
        entry = _entry(row)
    except ValidationError:  # a word that no act of ours has
        return False
    return row.key_id == key.id and hmac.compare_digest(key.mac(before, entry), row.mac)


def _ending(key: AuditKey, head: Any, seq: int, mac: bytes) -> Iterator[ChainFault]:
    if head is None:
        yield ChainFault(seq=seq, what="head_changed")
    elif head.key_id != key.id or not hmac.compare_digest(
        key.seal(head.seq, head.mac, "head"), head.seal
    ):
        yield ChainFault(seq=head.seq, what="head_changed")
    elif head.seq > seq:
        yield ChainFault(seq=seq + 1, what="missing", until=head.seq)
    elif head.seq < seq:
        yield ChainFault(seq=head.seq + 1, what="inserted", until=seq)
    elif head.mac != mac:
        yield ChainFault(seq=seq, what="changed")


def _is_ours(key: AuditKey, held: Checkpoint) -> bool:
    """Whether a checkpoint is of this chain, and as it was given out."""
    try:
        sealed = _sealed(key, held)
    except ValueError:
        return False
    return held.organisation == key.organisation and hmac.compare_digest(
        sealed.encode(), held.seal.encode()
    )


def _sealed(key: AuditKey, ended: Checkpoint) -> str:
    at = ended.at.astimezone(UTC).isoformat()
    return key.seal(ended.seq, bytes.fromhex(ended.mac), f"checkpoint {at}").hex()


def _head(session: Session, organisation: str) -> Any:
    """The end of the chain; None where it is gone."""
    columns = [col(getattr(AuditHeadRow, name)) for name in ("seq", "key_id", "mac", "seal")]
    return session.execute(
        select(*columns).where(col(AuditHeadRow.organisation_id) == organisation)
    ).one_or_none()


def _rows(
    session: Session, organisation: str, after: int | None, *, until: int | None = None
) -> Iterator[Any]:
    columns = [getattr(AuditRow, name) for name in AuditRow.model_fields]
    query = select(*columns).where(col(AuditRow.organisation_id) == organisation)
    if until is not None:
        query = query.where(col(AuditRow.seq) <= until)
    while True:
        further = query if after is None else query.where(col(AuditRow.seq) > after)
        rows = session.execute(further.order_by(col(AuditRow.seq)).limit(_STEP)).all()
        yield from rows
        if len(rows) < _STEP:
            return
        after = rows[-1].seq


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.model_fields})


def _canonical(organisation: str, entry: AuditEntry) -> bytes:
    told = entry.model_dump(mode="json") | {"organisation": organisation}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
