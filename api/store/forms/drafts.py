"""Drafts: what a patient has answered under a link so far, sealed, until it is sent."""

from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import col

from api.store.database.tables import DraftRow
from api.store.transaction import Transaction
from schemas.links import Draft

TABLE = "draft"
NO_TIER = "none"


def found(work: Transaction, link_id: str) -> Draft | None:
    """The draft; None where nothing was begun."""
    row = work.session.execute(select(DraftRow).where(*_of(work, link_id))).scalar_one_or_none()
    return None if row is None else draft_of(work, row)


def keep(work: Transaction, link_id: str, draft: Draft) -> None:
    """Keep it in the place of what was kept before."""
    content = draft.model_dump_json().encode()
    values = {
        "changed_at": work.now,
        "key_id": work.key_id,
        "tier_index": tier_index(work, draft),
        "content": work.seal(TABLE, "content", link_id, content),
    }
    changed: Any = work.session.execute(
        update(DraftRow).where(*_of(work, link_id)).values(**values)
    )
    if not changed.rowcount:
        named = {"organisation_id": work.organisation, "link_id": link_id}
        work.session.put(DraftRow, named | {"started_at": work.now} | values)


def drop(work: Transaction, link_id: str) -> None:
    """Nothing of it stays."""
    work.session.execute(delete(DraftRow).where(*_of(work, link_id)))


def draft_of(work: Transaction, row: Any) -> Draft:
    """The draft of a row."""
    content = work.open(row.key_id, TABLE, "content", row.link_id, row.content)
    return Draft.model_validate_json(content)


def tier_index(work: Transaction, draft: Draft) -> bytes:
    """What a draft that needs action is found by."""
    return work.keys.current.keyed("tier_index", draft.tier)


def _of(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return (
        col(DraftRow.organisation_id) == work.organisation,
        col(DraftRow.link_id) == link_id,
    )
