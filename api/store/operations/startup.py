"""Startup: opens the store from the settings: key ring, database, schema."""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.exc import DBAPIError, OperationalError

from api.settings import Settings
from api.store.accounts import organisations
from api.store.accounts.organisations import SYSTEM
from api.store.database import engine as databases
from api.store.database import migrate
from api.store.database.connection_faults import convert_connection_fault
from api.store.database.engine import FAULT_TEXT, Database, DatabaseError
from api.store.errors import UnavailableError
from api.store.key_ring import KeyRing, KeyRingError, create_key_ring_file, read_key_file
from api.store.keys.file_key import load_file_key
from api.store.operations import withdrawals
from api.store.operations.canonical_bases import settle_canonical_bases
from api.store.store import Store
from api.store.withdrawal_ledger import WithdrawalLedger


def open_store(
    settings: Settings,
    notify: Callable[[str], None] = lambda _: None,
    *,
    may_be_unsettled: bool = False,
    may_create: bool = True,
) -> Store:
    """Open the store. If it `may_create`, upgrade its schema, and create what is missing.

    Calls `notify` with a message for each created file. Raises KeyRingError or DatabaseError with a
    one-line message, also if the ledger of withdrawals must be settled first, unless
    `may_be_unsettled`: then `ledger_fault` of the store names why.
    """
    if not may_create:
        require_database_file(settings)
    ring = open_key_ring(settings, notify, may_create=may_create)
    database = open_database(settings, ring)
    try:
        databases.require_row_level_security(database)
        if not may_create:
            migrate.require_current_schema(database)
        elif not _has_current_schema(database):
            migrate.upgrade(database)
        databases.require_application_role(database)
        ledger = WithdrawalLedger(settings.ledger_file) if settings.ledger_file else None
        store = Store(database, ring, ledger)
        if may_create:
            organisations.ensure_system_organisation(store, settings.token_algorithm)
        else:
            _require_rows(store)
        store.canonical_bases = settle_canonical_bases(store, settings, may_write=may_create)
        _settle_ledger(store, may_be_unsettled=may_be_unsettled)
    except UnavailableError as error:
        database.engine.dispose()
        if isinstance(error.__cause__, KeyRingError):
            raise error.__cause__ from None
        if isinstance(error.__cause__, OSError):
            raise DatabaseError(
                f"NOCISCREEN_WITHDRAWALS_FILE: {settings.ledger_file} cannot be written: "
                f"{error.__cause__.strerror}"
            ) from error
        raise convert_fault(database, error) from error
    except DBAPIError as error:
        database.engine.dispose()
        raise _convert_unknown_state(database, error) from error
    except BaseException:
        database.engine.dispose()
        raise
    return store


def convert_fault(database: Database, error: UnavailableError) -> DatabaseError:
    """Return why the database cannot be used, in one sentence."""
    cause = error.__cause__
    if isinstance(cause, OperationalError) and cause.statement is None and cause.orig is not None:
        return convert_connection_fault(database.engine.url, cause.orig)
    setting = "NOCISCREEN_DATABASE_FILE" if database.is_embedded else "DATABASE_URL"
    return DatabaseError(f"{setting}: {FAULT_TEXT[database.current_fault or 'unreachable']}")


def _convert_unknown_state(database: Database, error: DBAPIError) -> DatabaseError:
    """Return the sentence for tables that are not as a release of this service leaves them."""
    setting = "NOCISCREEN_DATABASE_FILE" if database.is_embedded else "DATABASE_URL"
    if type(error.orig).__name__ == "InsufficientPrivilege":
        return DatabaseError(
            f"{setting}: the role may not use the tables: log in as the role that owns them"
        )
    return DatabaseError(
        f"{setting}: the tables are not those of any release ({type(error.orig).__name__}): "
        "restore a whole backup into an empty database"
    )


def _has_current_schema(database: Database) -> bool:
    with database.begin_read() as connection:
        return migrate.is_current(connection)


def _require_rows(store: Store) -> None:
    """Raise DatabaseError if a dump without rows was restored: each database has a first row."""
    with store.read_all_organisations() as session:
        has_rows = organisations.has_organisation(session, SYSTEM)
    if not has_rows:
        raise DatabaseError(
            "the database has tables but no rows: either it is new, and `nociscreen migrate` "
            "prepares it, or its backup was made by a role that does not see all rows"
        )


def _settle_ledger(store: Store, *, may_be_unsettled: bool) -> None:
    """Compare the database with its ledger. Raises DatabaseError if they must be settled first."""
    store.ledger_fault = withdrawals.settle_ledger(store)
    if store.ledger_fault and not may_be_unsettled:
        raise DatabaseError(withdrawals.FAULT_TEXT[store.ledger_fault])


def require_database_file(settings: Settings) -> None:
    """Raise DatabaseError if the embedded database does not exist yet."""
    if settings.database_url is None and not settings.database_file.is_file():
        raise DatabaseError(
            f"there is no database at {settings.database_file.absolute()}: `nociscreen serve` "
            "or `nociscreen admin first` creates one there, or NOCISCREEN_DATABASE_FILE names "
            "another"
        )


def open_key_ring(
    settings: Settings, notify: Callable[[str], None] = lambda _: None, *, may_create: bool = True
) -> KeyRing:
    """Open the key ring of the settings; create a missing file for a new embedded database."""
    if settings.key_ring is not None:
        text = settings.key_ring.get_secret_value()
        return KeyRing(lambda: text)
    path = settings.key_ring_file
    if not path.exists():
        if settings.database_url is not None:
            raise KeyRingError(
                "a PostgreSQL database needs a key ring: set NOCISCREEN_KEY_RING or "
                "NOCISCREEN_KEY_RING_FILE (create one with `nociscreen keys new`)"
            )
        if settings.database_file.exists() or not may_create:
            raise KeyRingError(
                f"key ring {path} is missing; the database cannot be decrypted without it"
            )
        with suppress(FileExistsError):  # another process was faster
            create_key_ring_file(path)
            notify(
                f"created key ring {path.resolve()}: "
                "store a copy of it separately from the database"
            )
    return KeyRing(lambda: read_key_file(path))


def open_database(settings: Settings, ring: KeyRing) -> Database:
    """Open the database of the settings without checking its schema."""
    if settings.database_url is None:
        path = settings.database_file
        return databases.open_sqlite(path, load_file_key(path, ring))
    url = settings.database_url.get_secret_value()
    if not url.startswith(("postgres://", "postgresql://", "postgresql+psycopg://")):
        raise DatabaseError("DATABASE_URL must be a PostgreSQL URL")
    return databases.open_postgres(url.replace("postgres://", "postgresql://", 1))
