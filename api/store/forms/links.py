"""Links to patient forms: created, listed, revoked, moved to another patient and deleted.

The secret of a link is shown once, when the link is created, and is not stored. How a link is
answered is in `open_links`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.client_secrets import generate_link_secret, hash_secret
from api.store.database.tables import DraftRow, LinkRow, ResponseDraftRow, match_reference
from api.store.errors import ConflictError, NotFoundError
from api.store.forms import drafts, form_settings
from api.store.transaction import Transaction
from schemas.patients.links import Language, Link, LinkDetail, LinkKind, LinkState
from schemas.patients.patient import KnownPatient, parse_stored_patient

RETENTION_AFTER_EXPIRY = timedelta(days=30)
"""How long an expired link, with its draft, is retained."""


class LinkRequest(NamedTuple):
    """A link to be created."""

    patient: KnownPatient
    rulebook: str
    ask_again_days: int | None = None
    """None for the setting of the organisation."""
    kind: LinkKind = "until_submitted"
    language: Language | None = None
    days: int = 14
    order_sha256: str | None = None
    """The keyed hash of the order that a message made the link for."""


class LinkPage(NamedTuple):
    """One page of links, newest first, and the id to continue after, or None on the last page."""

    links: tuple[Link, ...]
    next_id: str | None


def add_link(work: Transaction, link: LinkRequest) -> tuple[Link, str]:
    """Create a link and return it with its secret."""
    link_id, secret = str(uuid4()), generate_link_secret()
    default_days = form_settings.load_form_settings(work).ask_again_days
    row = {
        "id": link_id,
        "sha256": hash_secret(secret),
        "kind": link.kind,
        "rulebook": link.rulebook,
        "language": link.language,
        "ask_again_days": link.ask_again_days or default_days,
        "created_at": work.now,
        "expires_at": work.now + timedelta(days=link.days),
        "actor": work.actor.id,
        "order_sha256": link.order_sha256,
        **compute_indexes(work, link.patient),
    }
    work.insert(LinkRow, row, patient=_encode_patient(link.patient))
    return find_link(work, link_id), secret


def revoke_link(work: Transaction, link_id: str) -> None:
    """Revoke the link. Raises NotFoundError, or ConflictError if its answers were submitted."""
    link = find_link(work, link_id)
    if link.state == "submitted":
        raise ConflictError(
            "The answers were already submitted; the link can no longer be revoked."
        )
    is_valid = col(LinkRow.revoked_at).is_(None)
    work.update(LinkRow, {"revoked_at": work.now}, col(LinkRow.id) == link_id, is_valid)


def find_link(work: Transaction, link_id: str) -> Link:
    """Return the link. Raises NotFoundError."""
    rows = _load_rows(work, col(LinkRow.id) == link_id, limit=1)
    if not rows:
        raise NotFoundError
    return _build_link(work, *rows[0])


def list_links_of_order(work: Transaction, order_sha256: str) -> tuple[Link, ...]:
    """Return the links that messages made for this order, newest first."""
    rows = _load_rows(work, col(LinkRow.order_sha256) == order_sha256, limit=None)
    return tuple(_build_link(work, *row) for row in rows)


def replace_secret(work: Transaction, link_id: str) -> tuple[Link, str]:
    """Give a link that was not started a new secret, and return both; the old one ends.

    Raises NotFoundError, or ConflictError if the link is not new.
    """
    link, secret = find_link(work, link_id), generate_link_secret()
    is_new = col(LinkRow.id) == link_id, col(LinkRow.holder_sha256).is_(None)
    values = {"sha256": hash_secret(secret)}
    if link.state != "new" or not work.update(LinkRow, values, *is_new):
        raise ConflictError("The link was opened or has ended; its address cannot be replaced.")
    return link, secret


def find_link_with_draft(work: Transaction, link_id: str) -> LinkDetail:
    """Return the link with its draft. Raises NotFoundError."""
    rows = _load_rows(work, col(LinkRow.id) == link_id, limit=1)
    if not rows:
        raise NotFoundError
    return build_link_with_draft(work, *rows[0])


def list_urgent_links(work: Transaction) -> tuple[Link, ...]:
    """Return all unsubmitted links whose drafts raise a red flag, newest first."""
    return tuple(_build_link(work, *row) for row in _load_urgent(work))


def list_urgent_drafts(work: Transaction) -> tuple[LinkDetail, ...]:
    """Return all unsubmitted links whose drafts raise a red flag, with their drafts."""
    return tuple(build_link_with_draft(work, *row) for row in _load_urgent(work))


def list_links(work: Transaction, limit: int, after: str | None = None) -> LinkPage:
    """Return a page of links, newest first. Raises NotFoundError if `after` is not a link."""
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
    work.delete(LinkRow, col(LinkRow.id).in_(ids))


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


def list_stale_link_ids(work: Transaction, held_indexes: set[bytes]) -> list[str]:
    """Return the ids of unsubmitted links past their retention, except of held patients."""
    query = work.select(LinkRow.id, col(LinkRow.patient_index)).where(
        col(LinkRow.submitted_at).is_(None),
        col(LinkRow.expires_at) < work.now - RETENTION_AFTER_EXPIRY,
    )
    rows = work.session.execute(query).all()
    return [row.id for row in rows if row.patient_index not in held_indexes]


def decrypt_patient(work: Transaction, row: LinkRow | ResponseDraftRow) -> KnownPatient:
    """Decrypt the patient of a link, or of a FHIR response in progress."""
    return parse_stored_patient(work.decrypt_column(row, "patient"))


def reassign_link(work: Transaction, row: Any, patient: KnownPatient) -> None:
    """Assign the link, and with it its draft, to another patient."""
    content = {"patient": _encode_patient(patient)}
    work.encrypt_row(row, content, compute_indexes(work, patient))
    work.session.flush()


def compute_indexes(work: Transaction, patient: KnownPatient) -> dict[str, bytes]:
    """Return the keyed hashes that a link or a FHIR response in progress is searched by."""
    return work.hash_columns(patient_index=patient.reference, system_index=patient.system)


def derive_state(row: LinkRow, draft: DraftRow | None, now: datetime) -> LinkState:
    """Return the state of a link; `draft` is its draft row, if it was started."""
    if row.submitted_at is not None:
        return "submitted"
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at <= now:
        return "expired"
    return "new" if draft is None else "started"


def _encode_patient(patient: KnownPatient) -> bytes:
    return patient.model_dump_json(exclude_none=True).encode()


def _load_urgent(work: Transaction) -> list[tuple[Any, Any]]:
    is_calm = work.match_hash(DraftRow.tier_index, drafts.NO_TIER)
    # drafts first: they are few, while links are never deleted once answered
    ids = work.list_rows(work.select(DraftRow.link_id).where(~is_calm))
    return list_link_rows(work, col(LinkRow.id).in_(ids), col(LinkRow.submitted_at).is_(None))


def _load_rows(work: Transaction, *conditions: Any, limit: int | None) -> list[tuple[Any, Any]]:
    query = (
        work.select(LinkRow, DraftRow)
        .outerjoin(DraftRow, match_reference(DraftRow.link_id, LinkRow))
        .where(*conditions)
        .order_by(col(LinkRow.created_at).desc(), col(LinkRow.id).desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in work.session.execute(query).all()]


def _build_link(work: Transaction, row: Any, draft: Any) -> Link:
    submitted_at = row.submitted_at
    return Link(
        **row.model_dump(include=set(Link.model_fields) - {"patient"}),
        state=derive_state(row, draft, work.now),
        patient=decrypt_patient(work, row),
        started_at=None if draft is None else draft.started_at,
        tier=None if draft is None else drafts.decrypt_draft(work, draft).tier,
        screening=row.screening_id,
        ask_again_on=submitted_at and (submitted_at + timedelta(days=row.ask_again_days)).date(),
    )
