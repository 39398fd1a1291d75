"""Opens a store to examine it, without creating or changing anything."""

import time

from sqlalchemy import text

from api.settings import Settings
from api.store.database import engine as databases
from api.store.database import migrate
from api.store.errors import UnavailableError
from api.store.operations.startup import convert_fault, open_database, open_key_ring
from api.store.store import Store
from api.store.withdrawal_ledger import WithdrawalLedger


def open_existing_store(settings: Settings) -> Store | None:
    """Return the store as it is, or None if there is no embedded database yet.

    Raises KeyRingError or DatabaseError with a one-line message.
    """
    if settings.database_url is None and not settings.database_file.exists():
        return None
    ring = open_key_ring(settings, may_create=False)
    database = open_database(settings, ring)
    try:
        databases.require_row_level_security(database)
        databases.require_application_role(database)
    except UnavailableError as error:
        database.engine.dispose()
        raise convert_fault(database, error) from error
    except BaseException:
        database.engine.dispose()
        raise
    ledger = WithdrawalLedger(settings.ledger_file) if settings.ledger_file else None
    return Store(database, ring, ledger)


def has_current_tables(store: Store) -> bool:
    """Return whether the tables are those of this release."""
    with store.database.begin_read() as connection:
        return migrate.is_current(connection)


def measure_clock_offset(store: Store) -> float:
    """Return by how many seconds PostgreSQL's clock is ahead of this computer's."""
    with store.database.begin_read() as connection:
        before = time.time()
        clock = text("SELECT extract(epoch FROM clock_timestamp())::float8")
        database_time = float(connection.execute(clock).scalar_one())
        return database_time - (before + time.time()) / 2
