"""Readiness: lists the faults that keep the store from working, in fixed, public words."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from api.store.accounts.organisations import SYSTEM
from api.store.database import migrate
from api.store.database.engine import FAULT_TEXT
from api.store.errors import UnavailableError
from api.store.key_ring import KeyRingError
from api.store.operations import withdrawals
from api.store.store import Store


def list_store_faults(store: Store) -> Iterator[tuple[str, str]]:
    """Yield a code and a sentence for each fault; nothing if the store works."""
    try:
        with store.read_all_organisations() as session:
            if store.ledger_fault:
                yield "withdrawals", withdrawals.FAULT_TEXT[store.ledger_fault]
            elif not migrate.is_current(session.connection()):
                yield "tables", "the database schema does not match this release"
            elif (fault := store.database.current_fault) in ("full", "locked"):
                yield "database", FAULT_TEXT[fault]
            else:
                yield from _list_key_faults(store, session)
    except UnavailableError:
        yield "database", FAULT_TEXT[store.database.current_fault or "unreachable"]


def _list_key_faults(store: Store, session: Session) -> Iterator[tuple[str, str]]:
    try:
        if store.organisation_keys.load_keys(session, SYSTEM) is None:
            yield "tables", "the system organisation's audit chain is missing"
    except KeyRingError:
        yield "key_ring", "the key ring is unreadable or lacks a key"
