"""Readiness: lists the faults that keep the store from working, in fixed, public words."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from api.problems import Problem
from api.store.accounts.organisations import SYSTEM
from api.store.database import migrate
from api.store.database.engine import FAULT_TEXT
from api.store.key_ring import KeyRingError
from api.store.store import Store


def list_store_faults(store: Store) -> Iterator[tuple[str, str]]:
    """Yield a code and a sentence for each fault; nothing if the store works."""
    try:
        with store.read_all_organisations() as session:
            if not migrate.is_current(session.connection()):
                yield "tables", "the tables are not those of this release"
            elif (fault := store.database.current_fault) in ("full", "locked"):
                yield "database", FAULT_TEXT[fault]
            else:
                yield from _list_key_faults(store, session)
    except Problem:
        yield "database", FAULT_TEXT[store.database.current_fault or "away"]


def _list_key_faults(store: Store, session: Session) -> Iterator[tuple[str, str]]:
    try:
        if store.organisation_keys.load_keys(session, SYSTEM) is None:
            yield "tables", "the service's own chain is missing"
    except KeyRingError:
        yield "key_ring", "the key ring lacks a key, or cannot be read"
