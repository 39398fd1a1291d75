"""Repeats each kind of withdrawal in the ledger on a restored database.

The last entry of a kind holds: entries are applied in their order. A target that the database does
not have is passed over.
"""

from collections.abc import Callable
from typing import Any

from sqlmodel import col

from api.security.scopes import expand_scopes
from api.store.batches import batches
from api.store.database import tables, tenancy
from api.store.forms import links, response_drafts
from api.store.patients import data_subject_rights, legal_holds, patient_lookup
from api.store.screenings import events
from api.store.transaction import Transaction

Act = Callable[[Transaction, tuple[str, ...]], str | None]
"""Withdraws these targets; returns a name to count them under if it is not their kind."""

LOST_HOLD = "placed_hold_without_patient"
_ERROR_REASON = "Marked again after a restore. The reason was stored after the backup."


def _delete(table: Any, *names: str) -> Act:
    """Return an act that deletes rows; a target holds the values of these columns."""

    def delete_rows(work: Transaction, targets: tuple[str, ...]) -> None:
        for target in targets:
            values = zip(names, target.split(" ", len(names) - 1), strict=True)
            work.delete(table, *(getattr(table, name) == value for name, value in values))

    return delete_rows


def _update(
    table: Any, build_values: Callable[[Transaction], dict[str, Any]], *conditions: Any
) -> Act:
    """Return an act that updates the rows of these ids."""

    def update_rows(work: Transaction, targets: tuple[str, ...]) -> None:
        work.update(table, build_values(work), table.id.in_(targets), *conditions)

    return update_rows


def _deactivate(table: Any) -> Act:
    return _update(table, lambda _: {"active": False})


def _set_column(table: Any, name: str, read: Callable[[str], Any] = str) -> Act:
    """Return an act that sets a column to the value that a target names after the row's id."""

    def set_values(work: Transaction, targets: tuple[str, ...]) -> None:
        for row_id, _, value in (target.partition(" ") for target in targets):
            work.update(table, {name: read(value)}, table.id == row_id)

    return set_values


def _narrow_scopes(table: Any) -> Act:
    """Return an act that keeps only the scopes that a target names after its id."""

    def narrow(work: Transaction, targets: tuple[str, ...]) -> None:
        for row_id, *scopes in (target.split(" ") for target in targets):
            row = work.find(table, table.id == row_id)
            if row is not None:
                left = [scope for scope in expand_scopes(row.scopes.split()) if scope in scopes]
                work.update(table, {"scopes": " ".join(left)}, table.id == row_id)

    return narrow


def _set_organisation(work: Transaction, **values: Any) -> None:
    row = work.session.get_one(tables.OrganisationRow, work.organisation)
    for name, value in values.items():
        setattr(row, name, value)
    work.session.flush()


def _read_limit(text: str) -> int | None:
    return int(text) if text else None


def _set_organisation_limits(work: Transaction, targets: tuple[str, ...]) -> None:
    limits = (target.partition(" ") for target in targets)
    _set_organisation(work, **{name: _read_limit(limit) for name, _, limit in limits})


def _delete_password_logins(work: Transaction, targets: tuple[str, ...]) -> None:
    for table in (tables.SignInRow, tables.RecoveryCodeRow):
        work.delete(table, col(table.practitioner_id).in_(targets))


def _remove_hosts(work: Transaction, targets: tuple[str, ...]) -> None:
    table = tables.AllowedPlaceRow
    for host, _, port in (target.partition(" ") for target in targets):
        work.delete(table, col(table.host) == host, col(table.port) == int(port))


def _place_hold(work: Transaction, targets: tuple[str, ...]) -> str | None:
    (target,) = targets
    hold_id, systems, *record_ids = target.split(" ")
    has_system = systems == "one_system"
    if legal_holds.place_hold_again(work, hold_id, record_ids, has_system=has_system):
        return None
    return LOST_HOLD


def _release_holds(work: Transaction, targets: tuple[str, ...]) -> None:
    legal_holds.release_holds(work, targets)


def _erase_screenings(work: Transaction, targets: tuple[str, ...]) -> None:
    tenancy.lock_erasure(work.session, work.organisation)
    query = work.select(tables.ScreeningRow.id, col(tables.ScreeningRow.replaces))
    rows = work.session.execute(query.where(col(tables.ScreeningRow.id).in_(targets))).all()
    ids = patient_lookup.sort_latest_first({row.id: row.replaces for row in rows})
    data_subject_rights.erase_screenings(work, ids)


def _mark_entered_in_error(work: Transaction, targets: tuple[str, ...]) -> None:
    """Mark the screenings; receivers are not notified, as they were before the restore."""
    query = work.select(tables.ScreeningRow.id).where(col(tables.ScreeningRow.id).in_(targets))
    for screening_id in work.list_rows(query):
        if events.find_error_record(work, screening_id) is None:
            row = {"screening_id": screening_id, "at": work.now, "actor": work.actor.id}
            work.insert(tables.EnteredInErrorRow, row, reason=_ERROR_REASON.encode())


def _cancel_batches(work: Transaction, targets: tuple[str, ...]) -> None:
    batches.cancel_batches(work, targets)


ACTS: dict[str, Act] = {
    "ledger": lambda _work, _targets: None,
    "organisation": lambda work, _: _set_organisation(work, active=False),
    "second_approval": lambda work, _: _set_organisation(work, second_approval=True),
    "organisation_limit": _set_organisation_limits,
    "approval": _delete(tables.ApprovalRow, "id"),
    "client": _deactivate(tables.ClientRow),
    "client_scopes": _narrow_scopes(tables.ClientRow),
    "client_limit": _set_column(tables.ClientRow, "requests_per_minute", _read_limit),
    "secret": _delete(tables.ClientSecretRow, "id"),
    "public_key": _delete(tables.ClientKeyRow, "client_id", "kid"),
    "key_set": _delete(tables.ClientKeySetRow, "client_id"),
    "api_key": _update(
        tables.ApiKeyRow,
        lambda work: {"revoked_at": work.now},
        col(tables.ApiKeyRow.revoked_at).is_(None),
    ),
    "practitioner": _deactivate(tables.PractitionerRow),
    "practitioner_scopes": _narrow_scopes(tables.PractitionerRow),
    "login": _delete_password_logins,
    "identity": _delete(tables.IdentityRow, "practitioner_id"),
    "recovery_code": _delete(tables.RecoveryCodeRow, "practitioner_id", "sha256"),
    "issuer": _deactivate(tables.IssuerRow),
    "issuer_terms": _set_column(tables.IssuerRow, "content"),
    "destination": _deactivate(tables.DestinationRow),
    "allowed_host": _remove_hosts,
    "delivery": _update(
        tables.DeliveryRow,
        lambda work: {"state": "cancelled", "reason": "cancelled", "ended_at": work.now},
        col(tables.DeliveryRow.state) != "delivered",
    ),
    "placed_hold": _place_hold,
    "legal_hold": _release_holds,
    "erased_hold": lambda work, targets: legal_holds.delete_holds(work, list(targets)),
    "entered_in_error": _mark_entered_in_error,
    "screening": _erase_screenings,
    "link": lambda work, targets: links.delete_links(work, list(targets)),
    "response_draft": response_drafts.delete_drafts,
    "batch": batches.delete_batches,
    "cancelled_batch": _cancel_batches,
}
"""How each kind of withdrawal is done again."""
