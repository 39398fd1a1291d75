"""Practitioner sessions: begun at login, found by a hash of the cookie, ended by time or logout."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.client_secrets import hash_secret
from api.store.accounts.practitioners import build_practitioner, select_of_active_practitioners
from api.store.database.tables import OrganisationRow, PractitionerRow, SessionRow
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.sign_in import PractitionerSession

SEEN_UPDATE_INTERVAL = timedelta(minutes=1)


class SessionLifetimes(NamedTuple):
    """The idle timeout and the absolute timeout of sessions."""

    idle: timedelta
    absolute: timedelta


class OpenSession(NamedTuple):
    """A session that is not ended; `seen_at` is up to a minute old."""

    id: str
    created_at: datetime
    seen_at: datetime


def begin_session(work: Transaction, practitioner: str, lifetimes: SessionLifetimes) -> str:
    """Begin a session and return the secret for its cookie."""
    secret = secrets.token_urlsafe(32)
    row = {
        "id": str(uuid4()),
        "practitioner_id": practitioner,
        "sha256": hash_secret(secret),
        "created_at": work.now,
        "seen_at": work.now,
        "ends_at": work.now + lifetimes.absolute,
    }
    work.insert(SessionRow, row)
    return secret


def look_up_session(
    store: Store, secret: str, lifetimes: SessionLifetimes
) -> PractitionerSession | None:
    """Return the login of this session secret; None if unknown, expired or inactive."""
    now = datetime.now(UTC)
    with store.read_all_organisations() as session:
        login = _load_login(session, secret)
        if login is None or login.ends_at <= now or login.seen_at <= now - lifetimes.idle:
            return None
    if login.seen_at <= now - SEEN_UPDATE_INTERVAL:
        is_owned = col(SessionRow.organisation_id) == login.organisation
        is_current = col(SessionRow.id) == login.session
        with store.write_all_organisations() as session:
            session.execute(update(SessionRow).where(is_owned, is_current).values(seen_at=now))
    return login


def renew_secret(work: Transaction, session_id: str) -> str:
    """Give the session a new secret for its cookie, and return it; the old one opens nothing."""
    secret = secrets.token_urlsafe(32)
    work.update(SessionRow, {"sha256": hash_secret(secret)}, col(SessionRow.id) == session_id)
    return secret


def end_session(work: Transaction, session_id: str) -> None:
    """End a session."""
    work.delete(SessionRow, col(SessionRow.id) == session_id)


def end_session_by_secret(work: Transaction, secret: str) -> None:
    """End the session of this secret if it belongs to this organisation."""
    work.delete(SessionRow, col(SessionRow.sha256) == hash_secret(secret))


def end_practitioner_session(work: Transaction, practitioner: str, session_id: str) -> int:
    """End this session if it is the practitioner's; return how many ended."""
    return work.delete(
        SessionRow,
        col(SessionRow.practitioner_id) == practitioner,
        col(SessionRow.id) == session_id,
    )


def end_practitioner_sessions(
    work: Transaction, practitioner: str, except_session: str = ""
) -> int:
    """End the practitioner's sessions, except possibly one; return how many ended."""
    return work.delete(
        SessionRow,
        col(SessionRow.practitioner_id) == practitioner,
        col(SessionRow.id) != except_session,
    )


def list_sessions(
    work: Transaction, practitioner: str, lifetimes: SessionLifetimes
) -> tuple[OpenSession, ...]:
    """Return the sessions in which the practitioner is signed in now, the newest login first."""
    query = (
        work.select(SessionRow)
        .where(
            col(SessionRow.practitioner_id) == practitioner,
            col(SessionRow.ends_at) > work.now,
            col(SessionRow.seen_at) > work.now - lifetimes.idle,
        )
        .order_by(col(SessionRow.created_at).desc(), col(SessionRow.id))
    )
    rows = work.list_rows(query)
    return tuple(OpenSession(row.id, row.created_at, row.seen_at) for row in rows)


def count_sessions(work: Transaction, practitioner: str) -> int:
    """Return the number of the practitioner's sessions, including idle ones."""
    return work.count(
        SessionRow,
        col(SessionRow.practitioner_id) == practitioner,
        col(SessionRow.ends_at) > work.now,
    )


def delete_ended_sessions(session: Session) -> None:
    """Delete the expired sessions of all organisations."""
    session.execute(delete(SessionRow).where(col(SessionRow.ends_at) < datetime.now(UTC)))


def _load_login(session: Session, secret: str) -> PractitionerSession | None:
    row = session.execute(
        select_of_active_practitioners(
            SessionRow, SessionRow, PractitionerRow, OrganisationRow
        ).where(col(SessionRow.sha256) == hash_secret(secret))
    ).one_or_none()
    if row is None:
        return None
    session_row, practitioner, organisation = row
    return PractitionerSession(
        session=session_row.id,
        practitioner=build_practitioner(practitioner),
        organisation=session_row.organisation_id,
        organisation_name=organisation.name,
        test=organisation.test,
        since=session_row.created_at,
        seen_at=session_row.seen_at,
        ends_at=session_row.ends_at,
    )
