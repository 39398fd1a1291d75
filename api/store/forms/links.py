"""Links to patient forms, found by the hash of their secret and used up by submitting the answers.

The secret is shown once, when the link is created, and is not stored. An unknown, used, revoked or
expired link is not found.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import generate_link_secret, hash_secret
from api.store.database.tables import DraftRow, LinkRow, OrganisationRow
from api.store.forms import drafts
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.links import Language, Link, LinkDetail, LinkKind, LinkState
from schemas.patient import KnownPatient

TABLE = "link"
RETENTION_AFTER_EXPIRY = timedelta(days=30)
"""How long an expired link, with its draft, is retained."""


class LinkRequest(NamedTuple):
    """A link to be created."""

    patient: KnownPatient
    rulebook: str
    ask_again_days: int
    kind: LinkKind = "until_submitted"
    language: Language | None = None
    days: int = 14


class OpenLink(NamedTuple):
    """A link found by its secret; `holder` hashes the browser secret it is bound to, if any."""

    organisation: str
    id: str
    kind: LinkKind
    rulebook: str
    language: Language | None
    holder_sha256: str | None


class LinkPage(NamedTuple):
    """One page of links, newest first, and the id to continue after, or None on the last page."""

    links: tuple[Link, ...]
    next_id: str | None


def add_link(work: Transaction, link: LinkRequest) -> tuple[Link, str]:
    """Create a link and return it with its secret."""
    link_id, secret = str(uuid4()), generate_link_secret()
    row = {
        "organisation_id": work.organisation,
        "id": link_id,
        "sha256": hash_secret(secret),
        "kind": link.kind,
        "rulebook": link.rulebook,
        "language": link.language,
        "ask_again_days": link.ask_again_days,
        "created_at": work.now,
        "expires_at": work.now + timedelta(days=link.days),
        "actor": work.actor.id,
        "holder_sha256": None,
        "revoked_at": None,
        "submitted_at": None,
        "screening_id": None,
        "key_id": work.current_key_id,
        **compute_indexes(work, link.patient),
        "patient": work.encrypt_field(
            TABLE, "patient", link_id, link.patient.model_dump_json(exclude_none=True).encode()
        ),
    }
    work.session.insert_row(LinkRow, row)
    return find_link(work, link_id), secret


def find_open_link(store: Store, secret: str) -> OpenLink | None:
    """Return the link with this secret if it may be answered now, else None."""
    return _find_by_secret(store, secret, "new")


def find_submitted_link(store: Store, secret: str) -> OpenLink | None:
    """Return the link with this secret if its answers were submitted, else None."""
    return _find_by_secret(store, secret, "submitted")


def lock_link(work: Transaction, link: OpenLink) -> None:
    """Lock the link until the transaction ends, waiting for any other holder of the lock.

    Raises Problem `not_found` if it may no longer be answered or was bound to another browser.
    """
    row = work.session.execute(
        select(col(LinkRow.id))
        .where(
            *_match_open(work, link.id),
            col(LinkRow.holder_sha256).is_not_distinct_from(link.holder_sha256),
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise Problem("not_found")


def bind_holder(work: Transaction, link_id: str, holder: str) -> None:
    """Bind the link to the browser that knows `holder`.

    Raises Problem `not_found` if it is bound already.
    """
    result: Any = work.session.execute(
        update(LinkRow)
        .where(*_match_id(work, link_id), col(LinkRow.holder_sha256).is_(None))
        .values(holder_sha256=hash_secret(holder))
    )
    if not result.rowcount:
        raise Problem("not_found")


def mark_submitted(work: Transaction, link_id: str) -> KnownPatient:
    """Mark the link as submitted and return its patient.

    Raises Problem `not_found` if it is no longer open.
    """
    result: Any = work.session.execute(
        update(LinkRow).where(*_match_open(work, link_id)).values(submitted_at=work.now)
    )
    if not result.rowcount:
        raise Problem("not_found")
    row = work.session.execute(select(LinkRow).where(*_match_id(work, link_id))).scalar_one()
    return decrypt_patient(work, row)


def attach_screening(work: Transaction, link_id: str, screening_id: str) -> None:
    """Record the screening made from the answers of the link, and delete its draft."""
    work.session.execute(
        update(LinkRow).where(*_match_id(work, link_id)).values(screening_id=screening_id)
    )
    drafts.delete_draft(work, link_id)


def revoke_link(work: Transaction, link_id: str) -> None:
    """Revoke the link. Raises Problem `not_found`, or `conflict` if its answers were submitted."""
    link = find_link(work, link_id)
    if link.state == "submitted":
        raise Problem("conflict", "The answers were sent already; the link is used up.")
    work.session.execute(
        update(LinkRow)
        .where(*_match_id(work, link_id), col(LinkRow.revoked_at).is_(None))
        .values(revoked_at=work.now)
    )


def find_link(work: Transaction, link_id: str) -> Link:
    """Return the link. Raises Problem `not_found`."""
    rows = _load_rows(work, *_match_id(work, link_id), limit=1)
    if not rows:
        raise Problem("not_found")
    return _build_link(work, *rows[0])


def list_urgent_links(work: Transaction) -> tuple[Link, ...]:
    """Return the unsubmitted links whose drafts raise a red flag, newest first, at most 200."""
    return tuple(_build_link(work, *row) for row in _load_urgent(work))


def list_urgent_drafts(work: Transaction) -> tuple[LinkDetail, ...]:
    """Return the unsubmitted links whose drafts raise a red flag, with their drafts."""
    return tuple(build_link_with_draft(work, *row) for row in _load_urgent(work))


def list_links(work: Transaction, limit: int, after: str | None = None) -> LinkPage:
    """Return a page of links, newest first. Raises Problem `not_found` if `after` is no link."""
    conditions: list[Any] = []
    if after is not None:
        last = find_link(work, after)
        conditions = [
            (col(LinkRow.created_at) < last.created_at)
            | ((col(LinkRow.created_at) == last.created_at) & (col(LinkRow.id) < last.id))
        ]
    rows = _load_rows(work, *conditions, limit=limit + 1)
    links = tuple(_build_link(work, *row) for row in rows[:limit])
    return LinkPage(links, links[-1].id if len(rows) > limit else None)


def build_link_with_draft(work: Transaction, link: Any, draft: Any) -> LinkDetail:
    """Return a link with its draft, decrypted from their rows."""
    return LinkDetail(
        **dict(_build_link(work, link, draft)),
        draft=None if draft is None else drafts.decrypt_draft(work, draft),
    )


def list_link_rows(work: Transaction, *conditions: Any) -> list[tuple[Any, Any]]:
    """Return the rows of the links that match these conditions, each with its draft row or None."""
    return _load_rows(work, *conditions, limit=None)


def delete_links(work: Transaction, ids: list[str]) -> None:
    """Delete links with their drafts."""
    work.session.execute(
        delete(LinkRow).where(
            col(LinkRow.organisation_id) == work.organisation, col(LinkRow.id).in_(ids)
        )
    )


def has_stale_links(session: Session, organisation: str) -> bool:
    """Return whether an unsubmitted link is past its retention, on hold or not."""
    row = session.execute(
        select(col(LinkRow.id))
        .where(
            col(LinkRow.organisation_id) == organisation,
            col(LinkRow.submitted_at).is_(None),
            col(LinkRow.expires_at) < datetime.now(UTC) - RETENTION_AFTER_EXPIRY,
        )
        .limit(1)
    ).first()
    return row is not None


def list_stale_link_ids(work: Transaction, held: set[bytes]) -> list[str]:
    """Return the ids of unsubmitted links past their retention whose patients are under no hold.

    `held` are the patient hashes under a legal hold.
    """
    rows = work.session.execute(
        select(col(LinkRow.id), col(LinkRow.patient_index)).where(
            col(LinkRow.organisation_id) == work.organisation,
            col(LinkRow.submitted_at).is_(None),
            col(LinkRow.expires_at) < work.now - RETENTION_AFTER_EXPIRY,
        )
    ).all()
    return [row.id for row in rows if row.patient_index not in held]


def decrypt_patient(work: Transaction, row: Any) -> KnownPatient:
    """Decrypt the patient of a link row."""
    content = work.decrypt_field(row.key_id, TABLE, "patient", row.id, row.patient)
    return KnownPatient.model_validate_json(content)


def reassign_link(work: Transaction, row: Any, patient: KnownPatient) -> None:
    """Assign the link, and with it its draft, to another patient."""
    content = patient.model_dump_json(exclude_none=True).encode()
    row.patient = work.encrypt_field(TABLE, "patient", row.id, content)
    for name, index in compute_indexes(work, patient).items():
        setattr(row, name, index)
    row.key_id = work.current_key_id
    work.session.flush()


def compute_indexes(work: Transaction, patient: KnownPatient) -> dict[str, bytes]:
    """Return the keyed hashes that a link is searched by."""
    return {
        "patient_index": work.data_keys.current.compute_keyed_hash(
            "patient_index", patient.reference
        ),
        "system_index": work.data_keys.current.compute_keyed_hash("system_index", patient.system),
    }


def _find_by_secret(store: Store, secret: str, state: LinkState) -> OpenLink | None:
    with store.read_all_organisations() as session:
        row = session.execute(
            select(LinkRow, col(OrganisationRow.active))
            .join(OrganisationRow, col(OrganisationRow.id) == col(LinkRow.organisation_id))
            .where(col(LinkRow.sha256) == hash_secret(secret))
        ).one_or_none()
    if row is None or not row.active or _derive_state(row[0], None, datetime.now(UTC)) != state:
        return None
    link = row[0]
    return OpenLink(
        organisation=link.organisation_id,
        id=link.id,
        kind=cast("LinkKind", link.kind),
        rulebook=link.rulebook,
        language=link.language,
        holder_sha256=link.holder_sha256,
    )


def _load_urgent(work: Transaction) -> list[tuple[Any, Any]]:
    no_tier = work.data_keys.compute_keyed_hashes("tier_index", drafts.NO_TIER)
    conditions = col(DraftRow.tier_index).not_in(no_tier), col(LinkRow.submitted_at).is_(None)
    return _load_rows(work, *conditions, limit=200)


def _match_id(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return col(LinkRow.organisation_id) == work.organisation, col(LinkRow.id) == link_id


def _match_open(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return (
        *_match_id(work, link_id),
        col(LinkRow.submitted_at).is_(None),
        col(LinkRow.revoked_at).is_(None),
        col(LinkRow.expires_at) > work.now,
    )


def _load_rows(work: Transaction, *conditions: Any, limit: int | None) -> list[tuple[Any, Any]]:
    query = (
        select(LinkRow, DraftRow)
        .outerjoin(
            DraftRow,
            (col(DraftRow.organisation_id) == col(LinkRow.organisation_id))
            & (col(DraftRow.link_id) == col(LinkRow.id)),
        )
        .where(col(LinkRow.organisation_id) == work.organisation, *conditions)
        .order_by(col(LinkRow.created_at).desc(), col(LinkRow.id).desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in work.session.execute(query).all()]


def _build_link(work: Transaction, row: Any, draft: Any) -> Link:
    submitted_at = row.submitted_at
    return Link(
        id=row.id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        kind=row.kind,
        state=_derive_state(row, draft, work.now),
        rulebook=row.rulebook,
        language=row.language,
        patient=decrypt_patient(work, row),
        started_at=None if draft is None else draft.started_at,
        submitted_at=submitted_at,
        tier=None if draft is None else drafts.decrypt_draft(work, draft).tier,
        screening=row.screening_id,
        ask_again_on=submitted_at and (submitted_at + timedelta(days=row.ask_again_days)).date(),
    )


def _derive_state(row: Any, draft: Any, now: datetime) -> LinkState:
    if row.submitted_at is not None:
        return "submitted"
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at <= now:
        return "expired"
    return "new" if draft is None else "started"
