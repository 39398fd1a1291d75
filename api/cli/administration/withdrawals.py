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
    "not in the ledger: what was added or corrected since the backup, merges of patients, changed "
    "settings and e-mail addresses. Practitioners whose login changed need a new invitation"
)

LOST_HOLDS = (
    "placed_hold_without_patient: a legal hold was placed on a patient of whom the backup has "
    "nothing. Place it again if records of the patient are stored again"
)


@commands.command()
def apply() -> None:
    """Withdraw again what the ledger says; end every session, invitation, link and access token.

    Run it after `pg_restore`; `nociscreen restore` does it by itself.
    """
    with _open_restored_store() as store:
        reapply_withdrawals(store)


@commands.command()
def accept() -> None:
    """Serve without the ledger's help: what was withdrawn since the backup is valid again.

    Ends every session, invitation, link and access token.
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
    from api.store.operations.withdrawal_acts import LOST_HOLD

    if store.ledger_fault == "ledger_missing":
        fail(withdrawals.FAULT_TEXT["ledger_missing"])
    if store.ledger is not None:
        counts = withdrawals.apply_ledger(store)
        counted_kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
        print_note(f"withdrew again: {counted_kinds or 'nothing'}")
        if counts.get(LOST_HOLD):
            print_note(LOST_HOLDS)
    _end_access(store)
    print_note(REMAINING_RISKS)


def _end_access(store: "Store") -> None:
    from api.store.operations import withdrawals

    counts = withdrawals.end_all_access(store)
    print_note(
        f"ended {counts.sessions} sessions, {counts.invitations} invitations, "
        f"{counts.links} links and every access token"
    )


def _require_ledger(store: "Store") -> None:
    if store.ledger is None:
        fail(
            "the database has a ledger of withdrawals: name its file, or a new one, in "
            "NOCISCREEN_WITHDRAWALS_FILE"
        )
