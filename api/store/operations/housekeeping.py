"""Upkeep: what must happen without being asked: erasing what is due, dropping what has expired."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlmodel import col

from api.security.keys import SigningAlgorithm
from api.store.accounts import invitations, login_attempts, organisations, sessions
from api.store.accounts.organisations import SERVICE
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import AnsweredRow, ScreeningRow, UsedAssertionRow, UsedTokenRow
from api.store.forms import links
from api.store.idempotency import KEPT
from api.store.keys import signing_keys
from api.store.patients import data_subject_rights, legal_holds, patient_lookup
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.rights import Erased

_LONGEST_DAYS = 365.25 * 1000
_log = structlog.get_logger("nociscreen")


class _NothingDue(Exception):  # noqa: N818 - it is no error
    """All that is old enough is held, or the past of what stays; undoes the transaction."""


def keep_up(store: Store, algorithm: SigningAlgorithm, signing_key_days: int) -> None:
    """All of it once. What fails in one organisation does not stop the others."""
    with store.across() as session:
        now = datetime.now(UTC)
        session.execute(delete(AnsweredRow).where(col(AnsweredRow.created_at) < now - KEPT))
        for used in (UsedAssertionRow, UsedTokenRow):
            session.execute(delete(used).where(col(used.expires_at) < now))
        sessions.drop_ended(session)
        invitations.drop_expired(session)
        login_attempts.drop_forgotten(session)
        signing_keys.drop_distrusted(session)
        if signing_keys.due(session, signing_key_days):
            signing_keys.add_key(session, store.ring, algorithm)
            store.within(session, SERVICE).audit("rotate", "signing_key")
    drop_expired(store)
    with store.glance() as session:
        every = organisations.every(session)
    for each in every:
        try:
            erase_stale_links(store, each.id)
            if each.retention_years:
                erase_due(store, each.id, each.retention_years)
        except Exception as error:  # noqa: BLE001 - one organisation's trouble stays its own
            _log.warning("upkeep", organisation=each.id, error=type(error).__name__)


def drop_expired(store: Store) -> None:
    """Erase the batches whose time is over."""
    with store.glance() as session:
        due = batches.expired(session, datetime.now(UTC))
    for organisation, ids in due.items():
        with store.transaction(Actor(organisation, SERVICE.id, SERVICE.means)) as work:
            batches.drop(work, ids)
            work.audit("purge", "batch", count=len(ids))
    if due:
        store.database.forget_erased()


def erase_due(store: Store, organisation: str, years: int) -> Erased | None:
    """Erase what an organisation has kept for longer than it wants; None where nothing is due."""
    actor = Actor(organisation, SERVICE.id, SERVICE.means)
    with store.glance() as session:
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
    with suppress(_NothingDue), store.transaction(actor) as work:
        tenancy.in_turn(work.session, organisation)
        ids = _due(work, years)
        if not ids:
            raise _NothingDue
        erased = data_subject_rights.erase_screenings(work, ids)
        work.audit("purge", "screening", count=len(ids))
        return erased
    return None


def erase_stale_links(store: Store, organisation: str) -> int:
    """Erase links that expired long ago with what was answered and never sent; how many."""
    actor = Actor(organisation, SERVICE.id, SERVICE.means)
    with store.glance() as session:
        if not links.any_stale(session, organisation):
            return 0
    with suppress(_NothingDue), store.transaction(actor) as work:
        tenancy.in_turn(work.session, organisation)
        ids = links.stale(work, legal_holds.held_indexes(work))
        if not ids:
            raise _NothingDue
        links.erase(work, ids)
        work.audit("purge", "link", count=len(ids))
        return len(ids)
    return 0


def _due(work: Transaction, years: int) -> list[str]:
    """What is old enough, on no hold, and not the past of a screening that stays."""
    rows = work.session.execute(
        select(
            col(ScreeningRow.id),
            col(ScreeningRow.replaces),
            col(ScreeningRow.created_at),
            col(ScreeningRow.patient_index),
        ).where(col(ScreeningRow.organisation_id) == work.organisation)
    ).all()
    held = legal_holds.held_indexes(work)
    before = {row.id: row.replaces for row in rows}
    stays = {
        row.id for row in rows if row.created_at >= _years_ago(years) or row.patient_index in held
    }
    for each in list(stays):
        earlier = before[each]
        while earlier is not None:
            stays.add(earlier)
            earlier = before[earlier]
    return patient_lookup.latest_first(
        {row.id: row.replaces for row in rows if row.id not in stays}
    )


def _years_ago(years: int) -> datetime:
    days = min(365.25 * years, _LONGEST_DAYS)
    return datetime.now(UTC) - timedelta(days=days)
