"""Withdrawals after a restore: compares the database with its ledger, and applies what is missing.

Every entry of the ledger has a row in the database. An entry without a row means that the database
is older than the ledger; a row without an entry, that the ledger is older or missing.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import select
from sqlmodel import col

from api.store.accounts.organisations import OPERATOR_ACTOR, SERVICE_ACTOR, SYSTEM
from api.store.database import tables, tenancy
from api.store.database.tenancy import OrganisationSession
from api.store.errors import NotFoundError
from api.store.keys import signing_keys
from api.store.operations.withdrawal_acts import ACTS
from api.store.store import Store
from api.store.transaction import Transaction
from api.store.withdrawal_ledger import (
    CANCELLED,
    COMMITTED,
    LedgerContent,
    Withdrawal,
    WithdrawalLedger,
)

FAULT_TEXT = {
    "ledger_missing": "the ledger of withdrawals is missing or older than the database: put it "
    "back (NOCISCREEN_WITHDRAWALS_FILE), or run `nociscreen withdrawals accept`",
    "not_applied": "the database is older than its ledger of withdrawals: run `nociscreen "
    "withdrawals apply`",
}
"""What only the operator can settle, and how."""


class _Comparison(NamedTuple):
    """A ledger compared with the rows of a database."""

    content: LedgerContent
    rows: dict[str, Withdrawal]
    is_new_database: bool

    @property
    def unapplied(self) -> list[Withdrawal]:
        """The entries without a row, except cancelled ones."""
        valid_ids = self.content.select(None, COMMITTED) - self.rows.keys()
        return [entry for key, entry in self.content.withdrawals.items() if key in valid_ids]

    @property
    def unknown(self) -> list[Withdrawal]:
        """The rows without an entry."""
        return [row for key, row in self.rows.items() if key not in self.content.withdrawals]

    @property
    def fault(self) -> str | None:
        """The fault that the operator must settle, a key of FAULT_TEXT."""
        if self.unknown:
            return "ledger_missing"
        is_restored = bool(self.content.select(COMMITTED) - self.rows.keys())
        return "not_applied" if is_restored and not self.is_new_database else None


class EndedAccess(NamedTuple):
    """How many sessions, invitations and links were ended."""

    sessions: int
    invitations: int
    links: int


def settle_ledger(store: Store) -> str | None:
    """Complete what a crash interrupted; return the fault that only the operator can settle.

    The first start with a ledger begins it. Raises OSError.
    """
    if store.ledger is None:
        return find_ledger_fault(store)
    comparison = _compare(store, store.ledger)
    if comparison.fault:
        return comparison.fault
    if not comparison.content.withdrawals:
        _begin_ledger(store, store.ledger)
        return None
    _apply(store, store.ledger, comparison.unapplied)
    known_ids = comparison.content.select(None, CANCELLED) & comparison.rows.keys()
    if known_ids:
        store.ledger.record_outcome(known_ids, committed=True)
    return None


def find_ledger_fault(store: Store) -> str | None:
    """Return the fault that `settle_ledger` would return, and change nothing. Raises OSError."""
    if store.ledger is not None:
        return _compare(store, store.ledger).fault
    with store.read_all_organisations() as session:
        return "ledger_missing" if _load_rows(session) else None


def apply_ledger(store: Store) -> dict[str, int]:
    """Withdraw again what the database lacks; return the number of records of each kind."""
    if store.ledger is None:
        return {}
    return _apply(store, store.ledger, _compare(store, store.ledger).unapplied)


def accept_database(store: Store) -> int:
    """Take the database as it is: cancel entries without a row, and enter rows without an entry.

    Returns how many withdrawals no longer hold.
    """
    if store.ledger is None:
        return 0
    comparison = _compare(store, store.ledger)
    if comparison.unapplied:
        cancelled = [entry.id for entry in comparison.unapplied]
        store.ledger.record_outcome(cancelled, committed=False)
    if comparison.unknown:
        store.ledger.append(*comparison.unknown)
        store.ledger.record_outcome([entry.id for entry in comparison.unknown], committed=True)
    return len(comparison.unapplied)


def end_all_access(store: Store) -> EndedAccess:
    """End every session, invitation, open link and access token, and audit it."""
    total = EndedAccess(0, 0, 0)
    with store.write_all_organisations() as session:
        _replace_signing_key(store, session)
        for organisation in session.execute(select(col(tables.OrganisationRow.id))).scalars():
            actor = OPERATOR_ACTOR._replace(organisation=organisation)
            work = store.join_transaction(session, actor)
            is_open = (
                col(tables.LinkRow.revoked_at).is_(None),
                col(tables.LinkRow.submitted_at).is_(None),
            )
            counts = EndedAccess(
                work.delete(tables.SessionRow),
                work.delete(tables.InvitationRow),
                work.update(tables.LinkRow, {"revoked_at": work.now}, *is_open),
            )
            total = EndedAccess(*map(sum, zip(total, counts, strict=True)))
            work.audit("restore", "access", count=max(sum(counts), 1))
    return total


def _replace_signing_key(store: Store, session: OrganisationSession) -> None:
    """Sign with a new key: the one in the backup may have been replaced because it leaked."""
    try:
        algorithm = store.signing_keys.find_current_key().algorithm
    except LookupError:  # none is trusted: the next start adds one
        return
    signing_keys.add_signing_key(session, store.key_ring, algorithm, at_once=True)
    store.signing_keys.invalidate_cache()


def _compare(store: Store, ledger: WithdrawalLedger) -> _Comparison:
    content = ledger.read()
    with store.read_all_organisations() as session:
        rows = _load_rows(session)
        is_own = col(tables.OrganisationRow.id) != SYSTEM
        query = select(col(tables.OrganisationRow.id)).where(is_own).limit(1)
        is_new_database = session.execute(query).first() is None
    return _Comparison(content, rows, is_new_database)


def _load_rows(session: OrganisationSession) -> dict[str, Withdrawal]:
    query = select(tables.WithdrawalRow).order_by(col(tables.WithdrawalRow.at))
    return {
        row.id: Withdrawal(row.id, row.organisation_id, row.kind, tuple(row.targets.split("\n")))
        for row in session.execute(query).scalars()
    }


def _begin_ledger(store: Store, ledger: WithdrawalLedger) -> None:
    with store.write_all_organisations() as session:
        tenancy.lock_organisation(session, SYSTEM)
        if _load_rows(session):  # another process was faster
            return
        work = store.join_transaction(session, SERVICE_ACTOR)
        work.withdraw("ledger", str(uuid4()))
        work.audit("administer", "ledger")
    ledger.record_outcome(work.withdrawal_ids, committed=True)


def _apply(store: Store, ledger: WithdrawalLedger, entries: Sequence[Withdrawal]) -> dict[str, int]:
    """Apply the entries that still have no row, in their order; return the number by kind."""
    counts: dict[str, int] = {}
    applied_ids: list[str] = []
    if not entries:
        return counts
    with store.write_all_organisations() as session:
        for organisation in sorted({entry.organisation for entry in entries}):
            tenancy.lock_organisation(session, organisation)
        open_ids = ledger.read().select(None, COMMITTED) - _load_rows(session).keys()
        for entry in entries:
            if entry.id not in open_ids:  # another process was faster
                continue
            work = _begin_work(store, session, entry.organisation)
            if work.organisation == entry.organisation:
                kind = ACTS[entry.kind](work, entry.targets) or entry.kind
                counts[kind] = counts.get(kind, 0) + len(entry.targets)
                work.audit("restore", entry.kind, count=len(entry.targets))
            work.insert(tables.WithdrawalRow, work.build_withdrawal_row(entry))
            applied_ids.append(entry.id)
    if applied_ids:
        ledger.record_outcome(applied_ids, committed=True)
    return counts


def _begin_work(store: Store, session: OrganisationSession, organisation: str) -> Transaction:
    """Return a unit of work in the organisation, or in the system's if the backup lacks it."""
    try:
        return store.join_transaction(session, OPERATOR_ACTOR._replace(organisation=organisation))
    except NotFoundError:
        return store.join_transaction(session, OPERATOR_ACTOR)
