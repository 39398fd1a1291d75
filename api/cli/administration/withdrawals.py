"""`nociscreen withdrawals`: settle a restored database with the ledger of withdrawals."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from api.cli.context import (
    fail,
    load_settings,
    open_configured_store,
    print_note,
    require_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.store.store import Store

commands = typer.Typer(
    no_args_is_help=True,
    help="After a restore: withdraw again what was withdrawn since the backup.",
)
REMAINING_RISKS = (
    "not in the ledger: changed passwords and second factors, limits, legal holds and screenings "
    "added since the backup"
)


@commands.command()
def apply() -> None:
    """Withdraw again what the ledger says, and end every session, invitation and link.

    Run it after `pg_restore`; `nociscreen restore` does it by itself.
    """
    with _open_restored_store() as store:
        reapply_withdrawals(store)


@commands.command()
def accept() -> None:
    """Serve without the ledger's help: what was withdrawn since the backup is valid again.

    Ends every session, invitation and link.
    """
    from api.store.operations import withdrawals

    with _open_restored_store() as store:
        _require_ledger(store)
        count = withdrawals.accept_database(store)
        print_note(f"accepted the database; {count} withdrawals of the ledger no longer hold")
        _end_access(store)


@contextmanager
def _open_restored_store() -> "Iterator[Store]":
    """Open a store that may be unsettled and of an earlier release, but is there."""
    settings = load_settings()
    require_store(settings)
    with open_configured_store(settings, may_be_unsettled=True, may_create=True) as store:
        yield store


def reapply_withdrawals(store: "Store") -> None:
    """Apply the ledger, end all access and say what was done; exit 2 if entries are missing."""
    from api.store.operations import withdrawals

    if store.ledger_fault == "ledger_missing":
        fail(withdrawals.FAULT_TEXT["ledger_missing"])
    if store.ledger is not None:
        counts = withdrawals.apply_ledger(store)
        counted_kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
        print_note(f"withdrew again: {counted_kinds or 'nothing'}")
    _end_access(store)
    print_note(REMAINING_RISKS)


def _end_access(store: "Store") -> None:
    from api.store.operations import withdrawals

    counts = withdrawals.end_all_access(store)
    print_note(
        f"ended {counts.sessions} sessions, {counts.invitations} invitations "
        f"and {counts.links} links"
    )


def _require_ledger(store: "Store") -> None:
    if store.ledger is None:
        fail(
            "the database has a ledger of withdrawals: name its file, or a new one, in "
            "NOCISCREEN_WITHDRAWALS_FILE"
        )
