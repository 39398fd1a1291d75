"""Housekeeping: erases records past their retention, deletes expired rows, rotates keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.keys import SigningAlgorithm
from api.store import approvals
from api.store.accounts import (
    invitations,
    kept_forms,
    login_attempts,
    organisations,
    sessions,
)
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import (
    AnsweredRow,
    RevokedTokenRow,
    ScreeningRow,
    UsedAssertionRow,
    UsedTokenRow,
)
from api.store.forms import links, response_drafts
from api.store.idempotency import RESPONSE_RETENTION
from api.store.keys import signing_keys
from api.store.patients import data_subject_rights, legal_holds, patient_lookup
from api.store.screenings.conditions import FIRST_STORED_AT
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.patients.rights import ErasureCounts

_LONGEST_DAYS = 365.25 * 1000
_log = structlog.get_logger("nociscreen")


class _StaleRecords(NamedTuple):
    """Records that are erased once they are old: their name in the audit, and what is done."""

    name: str
    has_stale: Callable[[Session, str], bool]
    list_stale_ids: Callable[[Transaction, set[bytes]], list[str]]
    delete: Callable[[Transaction, list[str]], None]


_LINKS = _StaleRecords("link", links.has_stale_links, links.list_stale_link_ids, links.delete_links)
_RESPONSE_DRAFTS = _StaleRecords(
    "response_draft",
    response_drafts.has_stale_drafts,
    response_drafts.list_stale_draft_ids,
    response_drafts.delete_drafts,
)


class _NothingDue(Exception):  # noqa: N818 - not an error
    """Nothing may be erased after all; rolls the transaction back."""


def run_housekeeping(store: Store, algorithm: SigningAlgorithm, signing_key_days: int) -> None:
    """Run every task once. A failure in one organisation does not stop the others."""
    with store.write_all_organisations() as session:
        now = datetime.now(UTC)
        is_expired = col(AnsweredRow.created_at) < now - RESPONSE_RETENTION
        session.execute(delete(AnsweredRow).where(is_expired))
        for table in (UsedAssertionRow, UsedTokenRow, RevokedTokenRow):
            session.execute(delete(table).where(col(table.expires_at) < now))
        sessions.delete_ended_sessions(session)
        kept_forms.delete_old_forms(session)
        approvals.delete_expired_approvals(session)
        invitations.delete_expired_invitations(session)
        login_attempts.delete_old_failures(session)
        signing_keys.delete_untrusted_keys(session)
        if signing_keys.is_rotation_due(session, signing_key_days):
            signing_keys.add_signing_key(session, store.key_ring, algorithm)
            store.join_transaction(session, SERVICE_ACTOR).audit("rotate", "signing_key")
    with store.read_all_organisations() as session:
        all_organisations = organisations.list_organisations(session)
        expired_batch_ids = batches.list_expired_batch_ids(session, datetime.now(UTC))
    for organisation in all_organisations:
        try:
            erase_expired_batches(store, organisation.id, expired_batch_ids[organisation.id])
            erase_stale_links(store, organisation.id)
            erase_stale_drafts(store, organisation.id)
            if organisation.retention_years:
                erase_due_screenings(store, organisation.id, organisation.retention_years)
        except Exception as error:  # noqa: BLE001 - isolates the organisations
            name = type(error).__name__
            _log.warning("housekeeping_failed", organisation=organisation.id, error=name)
    store.database.refresh_statistics()
    store.database.truncate_wal()


def erase_expired_batches(store: Store, organisation: str, ids: list[str]) -> None:
    """Erase these batches of an organisation, whose retention has ended."""
    if ids:
        with store.transaction(SERVICE_ACTOR._replace(organisation=organisation)) as work:
            batches.delete_batches(work, ids)
            work.audit("purge", "batch", count=len(ids))


def erase_due_screenings(store: Store, organisation: str, years: int) -> ErasureCounts | None:
    """Erase the screenings of an organisation past its retention; None if none are due."""
    with store.read_all_organisations() as session:
        due = session.execute(
            select(col(ScreeningRow.id))
            .where(
                col(ScreeningRow.organisation_id) == organisation,
                col(ScreeningRow.created_at) < _years_ago(years),
            )
            .limit(1)
        ).first()
    if due is None:
        return None
    erased: ErasureCounts | None = None
    with _lock_erasure(store, organisation) as work:
        ids = _list_due_screenings(work, years)
        if not ids:
            raise _NothingDue
        erased = data_subject_rights.erase_screenings(work, ids)
        work.audit("purge", "screening", count=len(ids))
    return erased


def erase_stale_links(store: Store, organisation: str) -> int:
    """Erase long-expired links with their unsubmitted answers; return their number."""
    return _erase_stale(store, organisation, _LINKS)


def erase_stale_drafts(store: Store, organisation: str) -> int:
    """Erase FHIR responses in progress that did not change for long; return their number."""
    return _erase_stale(store, organisation, _RESPONSE_DRAFTS)


def _erase_stale(store: Store, organisation: str, records: _StaleRecords) -> int:
    with store.read_all_organisations() as session:
        if not records.has_stale(session, organisation):
            return 0
    ids: list[str] = []
    with _lock_erasure(store, organisation) as work:
        ids = records.list_stale_ids(work, legal_holds.compute_held_indexes(work))
        if not ids:
            raise _NothingDue
        records.delete(work, ids)
        work.audit("purge", records.name, count=len(ids))
    return len(ids)


@contextmanager
def _lock_erasure(store: Store, organisation: str) -> Iterator[Transaction]:
    """Begin a transaction that erases, and that _NothingDue rolls back."""
    actor = SERVICE_ACTOR._replace(organisation=organisation)
    with suppress(_NothingDue), store.transaction(actor) as work:
        tenancy.lock_erasure(work.session, organisation)
        yield work


def _list_due_screenings(work: Transaction, years: int) -> list[str]:
    """List old screenings that no legal hold and no later version in retention protects.

    Rescoring does not prolong the retention of answers.
    """
    columns = ScreeningRow.replaces, ScreeningRow.patient_index, FIRST_STORED_AT.label("since")
    rows = work.session.execute(work.select(ScreeningRow.id, *columns)).all()
    held_indexes = legal_holds.compute_held_indexes(work)
    since = _years_ago(years)
    previous = {row.id: row.replaces for row in rows}
    retained = {row.id for row in rows if row.since >= since or row.patient_index in held_indexes}
    for screening_id in list(retained):
        earlier = previous[screening_id]
        while earlier is not None:
            retained.add(earlier)
            earlier = previous[earlier]
    return patient_lookup.sort_latest_first(
        {row.id: row.replaces for row in rows if row.id not in retained}
    )


def _years_ago(years: int) -> datetime:
    days = min(365.25 * years, _LONGEST_DAYS)
    return datetime.now(UTC) - timedelta(days=days)
