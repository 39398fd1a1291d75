"""`nociscreen migrate | backup | restore | upkeep`: the database as a thing to be cared for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import fail, note, opened, settings

if TYPE_CHECKING:
    from api.settings import Settings

To = Annotated[Path, typer.Argument(dir_okay=False, help="The file to be made.")]
From = Annotated[Path, typer.Argument(dir_okay=False, help="A file that `backup` made.")]


def migrate() -> None:
    """Bring the database to the tables of this release."""
    with opened():
        note("the tables are those of this release")


def backup(to: To) -> None:
    """Copy the embedded database while it is in use; its wrapped key lies beside the copy."""
    from api.store.accounts.organisations import OPERATOR
    from api.store.database.engine import DatabaseError
    from api.store.operations import backup as backups

    chosen = _embedded()
    with opened(chosen) as store:
        try:
            backups.backup(chosen.database_file, store.ring, to)
        except (DatabaseError, OSError) as error:
            fail(str(error))
        with store.transaction(OPERATOR) as work:
            work.audit("backup", "database")
    note(f"{to} holds the database as it was; without the key ring it cannot be read")


def restore(from_: From) -> None:
    """Lay a backup where the database was, then verify the audit of all that it holds."""
    from api.store.accounts import organisations
    from api.store.audit import chain
    from api.store.database.engine import DatabaseError
    from api.store.key_ring import KeyRingError
    from api.store.operations import backup as backups
    from api.store.operations.startup import open_ring

    chosen = _embedded()
    try:
        backups.restore(from_, open_ring(chosen), chosen.database_file)
    except (DatabaseError, KeyRingError, OSError) as error:
        fail(str(error))
    with opened(chosen) as store, store.glance() as session:
        ids = [organisations.SYSTEM, *(each.id for each in organisations.every(session))]
        held = [store.keys.of(session, each) for each in ids]
        faults = [fault for each in held if each for fault in chain.verify(session, each.audit)]
    if faults:
        fail("the audit in the backup does not hold: run `nociscreen audit verify`")
    note(f"{chosen.database_file} is restored; its audit holds")


def upkeep() -> None:
    """Erase what is due, drop what has expired, change the signing key in time."""
    from api.store.operations.housekeeping import keep_up

    chosen = settings()
    with opened(chosen) as store:
        keep_up(store, chosen.token_algorithm, chosen.signing_key_days)


def _embedded() -> "Settings":
    chosen = settings()
    if chosen.database_url is not None:
        fail("this is for the embedded database; for PostgreSQL use pg_dump and pg_restore")
    return chosen
