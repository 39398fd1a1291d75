"""Open links: found by the hash of their secret, bound to a browser, used up by the answers.

An unknown, used, revoked or expired link is not found.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import col

from api.security.client_secrets import hash_secret
from api.store.database.tables import LinkRow, OrganisationRow
from api.store.errors import NotFoundError
from api.store.forms import drafts, due_links
from api.store.forms.links import decrypt_patient, derive_state
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.patients.links import Language, LinkKind, LinkState
from schemas.patients.patient import KnownPatient


class OpenLink(NamedTuple):
    """A link found by its secret; `holder` hashes the browser secret it is bound to, if any.

    `screening_id` is the screening made from the answers, once they were submitted.
    """

    organisation: str
    id: str
    kind: LinkKind
    rulebook: str
    language: Language | None
    holder_sha256: str | None
    expires_at: datetime
    screening_id: str | None


def find_open_link(store: Store, secret: str) -> OpenLink | None:
    """Return the link with this secret if it may be answered now, else None."""
    return _find_by_secret(store, secret, "new")


def find_submitted_link(store: Store, secret: str) -> OpenLink | None:
    """Return the link with this secret if its answers were submitted, else None."""
    return _find_by_secret(store, secret, "submitted")


def lock_link(work: Transaction, link: OpenLink) -> None:
    """Lock the link until the transaction ends. Raises NotFoundError if it is not open here."""
    is_same_holder = col(LinkRow.holder_sha256).is_not_distinct_from(link.holder_sha256)
    query = work.select(LinkRow.id).where(*_match_open(work, link.id), is_same_holder)
    if work.session.execute(query.with_for_update()).one_or_none() is None:
        raise NotFoundError


def bind_holder(work: Transaction, link_id: str, holder: str) -> None:
    """Bind the link to the browser that knows `holder`. Raises NotFoundError if it is bound."""
    is_unbound = col(LinkRow.holder_sha256).is_(None)
    values = {"holder_sha256": hash_secret(holder)}
    if not work.update(LinkRow, values, col(LinkRow.id) == link_id, is_unbound):
        raise NotFoundError


def mark_submitted(work: Transaction, link_id: str) -> KnownPatient:
    """Mark the link as submitted and return its patient. Raises NotFoundError unless it is open."""
    if not work.update(LinkRow, {"submitted_at": work.now}, *_match_open(work, link_id)):
        raise NotFoundError
    row = work.load_row(LinkRow, link_id)
    due_links.set_due_day(work, row)
    return decrypt_patient(work, row)


def attach_screening(work: Transaction, link_id: str, screening_id: str) -> None:
    """Record the screening made from the answers of the link, and delete its draft."""
    work.update(LinkRow, {"screening_id": screening_id}, col(LinkRow.id) == link_id)
    drafts.delete_draft(work, link_id)


def _find_by_secret(store: Store, secret: str, state: LinkState) -> OpenLink | None:
    row = store.look_up(
        select(LinkRow, col(OrganisationRow.active))
        .join(OrganisationRow, col(OrganisationRow.id) == col(LinkRow.organisation_id))
        .where(col(LinkRow.sha256) == hash_secret(secret))
    )
    if row is None or not row.active or derive_state(row[0], None, datetime.now(UTC)) != state:
        return None
    link = row[0]
    columns = link.model_dump(include=set(OpenLink._fields))
    return OpenLink(organisation=link.organisation_id, **columns)


def _match_open(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return (
        col(LinkRow.id) == link_id,
        col(LinkRow.submitted_at).is_(None),
        col(LinkRow.revoked_at).is_(None),
        col(LinkRow.expires_at) > work.now,
    )
