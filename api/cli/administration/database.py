"""`nociscreen migrate | backup | restore | upkeep`: maintain the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.administration.audit import load_audit_keys
from api.cli.context import fail, load_settings, open_configured_store, print_note

if TYPE_CHECKING:
    from api.settings import Settings

BackupTarget = Annotated[Path, typer.Argument(dir_okay=False, help="The file to write.")]
BackupSource = Annotated[Path, typer.Argument(dir_okay=False, help="A file written by `backup`.")]


def migrate() -> None:
    """Update the database schema to this release."""
    with open_configured_store():
        print_note("the database schema is up to date")


def backup(to: BackupTarget) -> None:
    """Copy the embedded database while it is in use, with its wrapped key beside the copy."""
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
    print_note(f"{to} is a backup; it can only be read with the key ring")


def restore(from_: BackupSource) -> None:
    """Restore a backup, verify all audit chains and withdraw again what the ledger says.

    Ends every session, invitation and link.
    """
    from api.cli.administration.withdrawals import reapply_withdrawals
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
    with open_configured_store(settings, may_be_unsettled=True) as store:
        with store.read_all_organisations() as session:
            faults = [
                fault
                for key in load_audit_keys(store, session)
                for fault in chain.verify_chain(session, key)
            ]
        if faults:
            fail("an audit chain in the backup is invalid: run `nociscreen audit verify`")
        print_note(f"{settings.database_file} is restored; its audit chains are valid")
        reapply_withdrawals(store)


def upkeep() -> None:
    """Run housekeeping: erase due data, delete expired rows, rotate the signing key."""
    from api.store.operations.housekeeping import run_housekeeping

    settings = load_settings()
    with open_configured_store(settings) as store:
        run_housekeeping(store, settings.token_algorithm, settings.signing_key_days)


def _embedded_settings() -> "Settings":
    settings = load_settings()
    if settings.database_url is not None:
        fail("this command is for the embedded database; for PostgreSQL use pg_dump and pg_restore")
    return settings
