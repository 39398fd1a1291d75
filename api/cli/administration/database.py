"""`nociscreen migrate | backup | restore | upkeep`: maintain the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.administration.audit import load_audit_keys
from api.cli.context import fail, load_settings, open_configured_store, print_note, require_store

if TYPE_CHECKING:
    from api.settings import Settings
    from api.store.store import Store

BackupTarget = Annotated[Path, typer.Argument(dir_okay=False, help="The file to write.")]
BackupSource = Annotated[Path, typer.Argument(dir_okay=False, help="A file written by `backup`.")]
OUTDATED = 1


def migrate(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Change nothing; exit status 1 if the schema is not that of this release.",
        ),
    ] = False,
) -> None:
    """Update the database schema to this release; on PostgreSQL create the tables."""
    settings = load_settings()
    require_store(settings)
    if check:
        _check_schema(settings)
    with open_configured_store(settings, may_create=True):
        print_note("the database schema is up to date")


def backup(to: BackupTarget) -> None:
    """Back up the database while it is in use; a backup is useless without the key ring.

    The wrapped key of an embedded database is written next to the copy. On PostgreSQL the file is a
    dump by the role of NOCISCREEN_BACKUP_DATABASE_URL, which must see all rows.
    """
    from api.store.accounts.organisations import OPERATOR_ACTOR
    from api.store.database.engine import DatabaseError

    settings = load_settings()
    with open_configured_store(settings) as store:
        try:
            _write_backup(settings, store, to)
        except (DatabaseError, OSError) as error:
            fail(str(error))
        with store.transaction(OPERATOR_ACTOR) as work:
            work.audit("backup", "database")
    print_note(f"{to} is a backup; it can only be read with the key ring")


def restore(from_: BackupSource) -> None:
    """Restore a backup, verify all audit chains and withdraw again what the ledger says.

    Ends every session, invitation and link. On PostgreSQL the database must be empty.
    """
    from api.cli.administration.withdrawals import reapply_withdrawals
    from api.store.audit import chain
    from api.store.database.engine import DatabaseError
    from api.store.key_ring import KeyRingError

    settings = load_settings()
    try:
        _read_backup(settings, from_)
    except (DatabaseError, KeyRingError, OSError) as error:
        fail(str(error))
    with open_configured_store(settings, may_be_unsettled=True, may_create=True) as store:
        with store.read_all_organisations() as session:
            faults = [
                fault
                for key in load_audit_keys(store, session)
                for fault in chain.verify_chain(session, key)
            ]
        if faults:
            fail("an audit chain in the backup is invalid: run `nociscreen audit verify`")
        print_note(f"{from_} is restored; its audit chains are valid")
        reapply_withdrawals(store)


def upkeep() -> None:
    """Run housekeeping: erase due data, delete expired rows, rotate the signing key."""
    from api.store.operations.housekeeping import run_housekeeping

    settings = load_settings()
    with open_configured_store(settings) as store:
        run_housekeeping(store, settings.token_algorithm, settings.signing_key_days)


def _check_schema(settings: "Settings") -> None:
    """Say whether the schema is that of this release, and exit."""
    from api.store.database import migrate as migrations
    from api.store.database.engine import DatabaseError
    from api.store.errors import UnavailableError
    from api.store.key_ring import KeyRingError
    from api.store.operations.startup import open_database, open_key_ring

    try:
        database = open_database(settings, open_key_ring(settings, may_create=False))
        fault = migrations.find_schema_fault(database)
    except (DatabaseError, KeyRingError, UnavailableError) as error:
        fail(str(error))
    if fault:
        fail(f"{fault}: run `nociscreen migrate`", OUTDATED)
    print_note("the database schema is up to date")
    raise typer.Exit


def _write_backup(settings: "Settings", store: "Store", target: Path) -> None:
    from api.store.accounts import organisations
    from api.store.operations import backup as embedded_backup
    from api.store.operations import postgres_backup

    if settings.database_url is None:
        embedded_backup.create_backup(settings.database_file, store.key_ring, target)
        return
    if settings.backup_database_url is None:
        fail(
            "NOCISCREEN_BACKUP_DATABASE_URL: set the address of a role that sees all rows; the "
            "role of DATABASE_URL sees none outside the service"
        )
    with store.read_all_organisations() as session:
        count = 1 + len(organisations.list_organisations(session))
    url = settings.backup_database_url.get_secret_value()
    postgres_backup.create_dump(url, count, target)


def _read_backup(settings: "Settings", source: Path) -> None:
    from api.store.operations import backup as embedded_backup
    from api.store.operations import postgres_backup
    from api.store.operations.startup import open_key_ring

    ring = open_key_ring(settings, may_create=False)
    if settings.database_url is None:
        embedded_backup.restore_backup(source, ring, settings.database_file)
    else:
        postgres_backup.restore_dump(source, settings.database_url.get_secret_value())
