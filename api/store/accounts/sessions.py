"""Sessions: begun at signing in, found by a hash, ended by time or by will."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.client_secrets import hashed
from api.store.accounts.practitioners import told
from api.store.database.tables import OrganisationRow, PractitionerRow, SessionRow
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.sign_in import SignedIn

SEEN_AGAIN = timedelta(minutes=1)


class Lasting(NamedTuple):
    """How long sessions last: without a request, and at most."""

    idle: timedelta
    most: timedelta


def begin(work: Transaction, practitioner: str, lasting: Lasting) -> str:
    """A new session; what the browser holds it by."""
    secret = secrets.token_urlsafe(32)
    row = {
        "organisation_id": work.organisation,
        "id": str(uuid4()),
        "practitioner_id": practitioner,
        "sha256": hashed(secret),
        "created_at": work.now,
        "seen_at": work.now,
        "ends_at": work.now + lasting.most,
    }
    work.session.put(SessionRow, row)
    return secret


def signed_in(store: Store, secret: str, lasting: Lasting) -> SignedIn | None:
    """Who is signed in by this; None where nobody is, or no longer."""
    now = datetime.now(UTC)
    with store.glance() as session:
        found = _found(session, secret)
        if found is None or found.ends_at <= now or found.seen_at <= now - lasting.idle:
            return None
    if found.seen_at <= now - SEEN_AGAIN:
        with store.across() as session:
            session.execute(
                update(SessionRow)
                .where(
                    col(SessionRow.organisation_id) == found.organisation,
                    col(SessionRow.id) == found.session,
                )
                .values(seen_at=now)
            )
    return found


def end(work: Transaction, session_id: str) -> None:
    """Nobody is signed in by it any more."""
    work.session.execute(
        delete(SessionRow).where(
            col(SessionRow.organisation_id) == work.organisation, col(SessionRow.id) == session_id
        )
    )


def end_held(work: Transaction, secret: str) -> None:
    """The session that a browser holds by this ends, where it is of this organisation."""
    work.session.execute(
        delete(SessionRow).where(
            col(SessionRow.organisation_id) == work.organisation,
            col(SessionRow.sha256) == hashed(secret),
        )
    )


def end_all(work: Transaction, practitioner: str, but: str = "") -> int:
    """The practitioner is signed in nowhere any more, or in this one session; how many ended."""
    done: Any = work.session.execute(
        delete(SessionRow).where(
            col(SessionRow.organisation_id) == work.organisation,
            col(SessionRow.practitioner_id) == practitioner,
            col(SessionRow.id) != but,
        )
    )
    return int(done.rowcount)


def count(work: Transaction, practitioner: str) -> int:
    """In how many browsers the practitioner is signed in, those that fell idle among them."""
    rows = work.session.execute(
        select(col(SessionRow.id)).where(
            col(SessionRow.organisation_id) == work.organisation,
            col(SessionRow.practitioner_id) == practitioner,
            col(SessionRow.ends_at) > work.now,
        )
    ).all()
    return len(rows)


def drop_ended(session: Session) -> None:
    """Sessions that are over go."""
    session.execute(delete(SessionRow).where(col(SessionRow.ends_at) < datetime.now(UTC)))


def _found(session: Session, secret: str) -> SignedIn | None:
    row = session.execute(
        select(SessionRow, PractitionerRow, OrganisationRow)
        .join(
            PractitionerRow,
            (col(PractitionerRow.organisation_id) == col(SessionRow.organisation_id))
            & (col(PractitionerRow.id) == col(SessionRow.practitioner_id)),
        )
        .join(OrganisationRow, col(OrganisationRow.id) == col(SessionRow.organisation_id))
        .where(
            col(SessionRow.sha256) == hashed(secret),
            col(PractitionerRow.active),
            col(OrganisationRow.active),
        )
    ).one_or_none()
    if row is None:
        return None
    held, practitioner, organisation = row
    return SignedIn(
        session=held.id,
        practitioner=told(practitioner),
        organisation=held.organisation_id,
        organisation_name=organisation.name,
        test=organisation.test,
        since=held.created_at,
        seen_at=held.seen_at,
        ends_at=held.ends_at,
    )
