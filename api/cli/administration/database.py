"""`nociscreen migrate | backup | restore | upkeep`: maintain the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import fail, load_settings, open_configured_store, print_note

if TYPE_CHECKING:
    from api.settings import Settings

BackupTarget = Annotated[Path, typer.Argument(dir_okay=False, help="The file to be made.")]
BackupSource = Annotated[Path, typer.Argument(dir_okay=False, help="A file that `backup` made.")]


def migrate() -> None:
    """Bring the database to the tables of this release."""
    with open_configured_store():
        print_note("the tables are those of this release")


def backup(to: BackupTarget) -> None:
    """Copy the embedded database while it is in use; its wrapped key lies beside the copy."""
    from api.store.accounts.organisations import OPERATOR_ACTOR
    from api.store.database.engine import DatabaseError
    from api.store.operations import backup as backups

    settings = _embedded_settings()
    with open_configured_store(settings) as store:
        try:
            backups.create_backup(settings.database_file, store.key_ring, to)
        except (DatabaseError, OSError) as error:
            fail(str(error))
        with store.transaction(OPERATOR_ACTOR) as work:
            work.audit("backup", "database")
    print_note(f"{to} holds the database as it was; without the key ring it cannot be read")


def restore(from_: BackupSource) -> None:
    """Lay a backup where the database was, then verify the audit of all that it holds."""
    from api.store.accounts import organisations
    from api.store.audit import chain
    from api.store.database.engine import DatabaseError
    from api.store.key_ring import KeyRingError
    from api.store.operations import backup as backups
    from api.store.operations.startup import open_key_ring

    settings = _embedded_settings()
    try:
        backups.restore_backup(from_, open_key_ring(settings), settings.database_file)
    except (DatabaseError, KeyRingError, OSError) as error:
        fail(str(error))
    with open_configured_store(settings) as store, store.read_all_organisations() as session:
        ids = [organisations.SYSTEM, *(row.id for row in organisations.list_organisations(session))]
        key_sets = [
            store.organisation_keys.load_keys(session, organisation_id) for organisation_id in ids
        ]
        faults = [
            fault
            for key_set in key_sets
            if key_set
            for fault in chain.verify_chain(session, key_set.audit)
        ]
    if faults:
        fail("the audit in the backup does not hold: run `nociscreen audit verify`")
    print_note(f"{settings.database_file} is restored; its audit holds")


def upkeep() -> None:
    """Erase what is due, drop what has expired, change the signing key in time."""
    from api.store.operations.housekeeping import run_housekeeping

    settings = load_settings()
    with open_configured_store(settings) as store:
        run_housekeeping(store, settings.token_algorithm, settings.signing_key_days)


def _embedded_settings() -> "Settings":
    settings = load_settings()
    if settings.database_url is not None:
        fail("this is for the embedded database; for PostgreSQL use pg_dump and pg_restore")
    return settings
