"""The audit chain: every act of an organisation, each row chained to the previous one by a MAC.

A row is appended in the transaction of the act itself. It holds actor, time, action and outcome,
never an answer, a patient reference or other request content. The key is wrapped by the key ring,
so that write access to the database does not suffice to forge a row.
"""

import hmac
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, cast

from pydantic import ValidationError
from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.prepared_queries import OrganisationQuery
from api.store.database.tables import AuditHeadRow, AuditRow
from api.store.database.tenancy import OrganisationSession
from schemas.organisations.audit import AuditedAction, AuditEntry, ChainFault, Checkpoint

_FIRST_MAC = b"\x00" * 32
_STEP = 1000
_HEAD = OrganisationQuery(select(col(AuditHeadRow.seq), col(AuditHeadRow.mac)).with_for_update())
_UPDATE_HEAD = (
    update(cast("Table", AuditHeadRow.__table__))  # type: ignore[attr-defined]
    .where(col(AuditHeadRow.organisation_id) == bindparam("of"))
    .values(
        seq=bindparam("to"), key_id=bindparam("by"), mac=bindparam("link"), seal=bindparam("sealed")
    )
)


class AuditKey(NamedTuple):
    """The key that chains the rows of one organisation."""

    id: str
    organisation: str
    secret: bytes

    def compute_mac(self, before: bytes, entry: "AuditEntry") -> bytes:
        """Return the MAC of an entry, chained to the MAC of the previous row."""
        content = entry.model_dump(mode="json") | {"organisation": self.organisation}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hmac.digest(self.secret, before + canonical.encode(), "sha256")

    def compute_seal(self, seq: int, mac: bytes, purpose: str) -> bytes:
        """Return the MAC that proves the chain ended at this row."""
        text = f"{purpose}\x1f{self.organisation}\x1f{seq}\x1f".encode() + mac
        return hmac.digest(self.secret, text, "sha256")


def begin_chain(session: Session, key: AuditKey) -> None:
    """Start the chain of a new organisation."""
    session.execute(
        insert(AuditHeadRow).values(
            organisation_id=key.organisation,
            seq=0,
            key_id=key.id,
            mac=_FIRST_MAC,
            seal=key.compute_seal(0, _FIRST_MAC, "head"),
        )
    )


def append_entry(
    session: OrganisationSession, key: AuditKey, act: AuditedAction, at: datetime
) -> AuditEntry:
    """Append a row. Locks the end of the chain until the transaction ends: call it last."""
    return append_entries(session, key, [(act, at)])[0]


def append_entries(
    session: OrganisationSession, key: AuditKey, acts: Sequence[tuple[AuditedAction, datetime]]
) -> list[AuditEntry]:
    """Append rows in this order. Locks the end of the chain, as `append_entry` does."""
    connection = session.connection()
    (head,) = _HEAD.fetch(connection, organisation=key.organisation)
    mac, entries, rows = head.mac, [], []
    for seq, (act, at) in enumerate(acts, head.seq + 1):
        entry = AuditEntry(seq=seq, at=at, **dict(act))
        mac = key.compute_mac(mac, entry)
        entries.append(entry)
        rows.append({"organisation_id": key.organisation, "key_id": key.id, "mac": mac})
        rows[-1] |= dict(entry)
    session.insert_rows(AuditRow, rows)
    last = entries[-1].seq
    seal = key.compute_seal(last, mac, "head")
    end = {"of": key.organisation, "to": last, "by": key.id, "link": mac, "sealed": seal}
    connection.execute(_UPDATE_HEAD, end)
    return entries


def read_entries(
    session: Session, organisation: str, *, after: int = 0, limit: int | None = None
) -> Iterator[AuditEntry]:
    """Yield the entries of an organisation in order, read page by page."""
    for row in islice(_read_rows(session, organisation, after), limit):
        yield _build_entry(row)


def create_checkpoint(session: Session, key: AuditKey, at: datetime) -> Checkpoint:
    """Return the chain's end, to store elsewhere as proof. Raises LookupError without a head."""
    head = _load_head(session, key.organisation)
    if head is None:
        raise LookupError("the audit chain's head row is missing: verify the chain")
    unsealed = Checkpoint(
        organisation=key.organisation, seq=head.seq, mac=head.mac.hex(), at=at, seal=""
    )
    return unsealed.model_copy(update={"seal": _seal_checkpoint(key, unsealed)})


def verify_chain(
    session: Session, key: AuditKey, checkpoints: tuple[Checkpoint, ...] = ()
) -> tuple[ChainFault, ...]:
    """Verify the chain against its key and checkpoints; return every fault found."""
    verifier = _Verifier(key, checkpoints)
    for row in _read_rows(session, key.organisation, None):
        verifier.check_row(row)
    head = _load_head(session, key.organisation)
    if head is not None:  # rows appended in the meantime
        for row in _read_rows(session, key.organisation, verifier.seq, until=head.seq):
            verifier.check_row(row)
    verifier.check_end(head)
    return tuple(verifier.faults)


class _Verifier:
    """Checks a chain row by row and collects its faults."""

    def __init__(self, key: AuditKey, checkpoints: tuple[Checkpoint, ...]) -> None:
        self.seq = 0
        self.faults: list[ChainFault] = []
        self._key = key
        self._mac = _FIRST_MAC
        self._expected: defaultdict[int, set[str]] = defaultdict(set)
        for checkpoint in checkpoints:
            if _is_genuine(key, checkpoint):
                self._expected[checkpoint.seq].add(checkpoint.mac)
            else:
                self.faults.append(ChainFault(seq=checkpoint.seq, what="foreign_checkpoint"))

    def check_row(self, row: Any) -> None:
        """Check the next row, in the order of their numbers."""
        self.faults.extend(_check_link(self._key, row, self.seq, self._mac))
        if row.seq > self.seq:
            self.seq, self._mac = row.seq, row.mac
        if self._expected.pop(row.seq, {row.mac.hex()}) != {row.mac.hex()}:
            self.faults.append(ChainFault(seq=row.seq, what="checkpoint_mismatch"))

    def check_end(self, head: Any) -> None:
        """Check the head row and the checkpoints beyond the last row."""
        self.faults.extend(_check_head(self._key, head, self.seq, self._mac))
        beyond = sorted(seq for seq in self._expected if seq)
        self.faults.extend(ChainFault(seq=seq, what="truncated") for seq in beyond)


def _check_link(key: AuditKey, row: Any, seq: int, before: bytes) -> Iterator[ChainFault]:
    if row.seq <= seq:
        yield ChainFault(seq=row.seq, what="inserted")
        return
    if row.seq > seq + 1:
        yield ChainFault(seq=seq + 1, what="missing", until=row.seq - 1)
    if not _is_authentic(key, row, before):
        yield ChainFault(seq=row.seq, what="changed" if row.seq == seq + 1 else "unverifiable")


def _is_authentic(key: AuditKey, row: Any, before: bytes) -> bool:
    try:
        entry = _build_entry(row)
    except ValidationError:  # a value outside the vocabulary of the audit
        return False
    return row.key_id == key.id and hmac.compare_digest(key.compute_mac(before, entry), row.mac)


def _check_head(key: AuditKey, head: Any, seq: int, mac: bytes) -> Iterator[ChainFault]:
    if head is None:
        yield ChainFault(seq=seq, what="head_changed")
    elif head.key_id != key.id or not hmac.compare_digest(
        key.compute_seal(head.seq, head.mac, "head"), head.seal
    ):
        yield ChainFault(seq=head.seq, what="head_changed")
    elif head.seq > seq:
        yield ChainFault(seq=seq + 1, what="missing", until=head.seq)
    elif head.seq < seq:
        yield ChainFault(seq=head.seq + 1, what="inserted", until=seq)
    elif head.mac != mac:
        yield ChainFault(seq=seq, what="changed")


def _is_genuine(key: AuditKey, checkpoint: Checkpoint) -> bool:
    try:
        seal = _seal_checkpoint(key, checkpoint)
    except ValueError:
        return False
    return checkpoint.organisation == key.organisation and hmac.compare_digest(
        seal.encode(), checkpoint.seal.encode()
    )


def _seal_checkpoint(key: AuditKey, checkpoint: Checkpoint) -> str:
    at = checkpoint.at.astimezone(UTC).isoformat()
    return key.compute_seal(checkpoint.seq, bytes.fromhex(checkpoint.mac), f"checkpoint {at}").hex()


def _load_head(session: Session, organisation: str) -> Any:
    columns = [col(getattr(AuditHeadRow, name)) for name in ("seq", "key_id", "mac", "seal")]
    return session.execute(
        select(*columns).where(col(AuditHeadRow.organisation_id) == organisation)
    ).one_or_none()


def _read_rows(
    session: Session, organisation: str, after: int | None, *, until: int | None = None
) -> Iterator[Any]:
    columns = [getattr(AuditRow, name) for name in AuditRow.model_fields]
    query = select(*columns).where(col(AuditRow.organisation_id) == organisation)
    if until is not None:
        query = query.where(col(AuditRow.seq) <= until)
    while True:
        page = query if after is None else query.where(col(AuditRow.seq) > after)
        rows = session.execute(page.order_by(col(AuditRow.seq)).limit(_STEP)).all()
        yield from rows
        if len(rows) < _STEP:
            return
        after = rows[-1].seq


def _build_entry(row: Any) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.model_fields})
