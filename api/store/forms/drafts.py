"""Drafts: the encrypted answers given under a link before they are submitted."""

from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import col

from api.store.database.tables import DraftRow
from api.store.transaction import Transaction
from schemas.links import Draft

TABLE = "draft"
NO_TIER = "none"


def find_draft(work: Transaction, link_id: str) -> Draft | None:
    """Return the draft of a link, or None if it was not started."""
    row = work.session.execute(
        select(DraftRow).where(*_match_link(work, link_id))
    ).scalar_one_or_none()
    return None if row is None else decrypt_draft(work, row)


def save_draft(work: Transaction, link_id: str, draft: Draft) -> None:
    """Store the draft of a link, replacing the previous one."""
    content = draft.model_dump_json().encode()
    values = {
        "changed_at": work.now,
        "key_id": work.current_key_id,
        "tier_index": compute_tier_index(work, draft),
        "content": work.encrypt_field(TABLE, "content", link_id, content),
    }
    result: Any = work.session.execute(
        update(DraftRow).where(*_match_link(work, link_id)).values(**values)
    )
    if not result.rowcount:
        key = {"organisation_id": work.organisation, "link_id": link_id}
        work.session.insert_row(DraftRow, key | {"started_at": work.now} | values)


def delete_draft(work: Transaction, link_id: str) -> None:
    """Delete the draft of a link."""
    work.session.execute(delete(DraftRow).where(*_match_link(work, link_id)))


def decrypt_draft(work: Transaction, row: Any) -> Draft:
    """Decrypt the draft of a row."""
    content = work.decrypt_field(row.key_id, TABLE, "content", row.link_id, row.content)
    return Draft.model_validate_json(content)


def compute_tier_index(work: Transaction, draft: Draft) -> bytes:
    """Return the keyed hash of the red-flag tier, which urgent drafts are found by."""
    return work.data_keys.current.compute_keyed_hash("tier_index", draft.tier)


def _match_link(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return (
        col(DraftRow.organisation_id) == work.organisation,
        col(DraftRow.link_id) == link_id,
    )
