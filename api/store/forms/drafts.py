"""Drafts: the encrypted answers given under a link before they are submitted."""

from sqlmodel import col

from api.store.database.tables import DraftRow
from api.store.transaction import Transaction
from schemas.patients.links import Draft

NO_TIER = "none"


def find_draft(work: Transaction, link_id: str) -> Draft | None:
    """Return the draft of a link, or None if it was not started."""
    row = work.find(DraftRow, col(DraftRow.link_id) == link_id)
    return None if row is None else decrypt_draft(work, row)


def save_draft(work: Transaction, link_id: str, draft: Draft) -> None:
    """Store the draft of a link, replacing the previous one."""
    content = draft.model_dump_json().encode()
    values = {
        "changed_at": work.now,
        **compute_indexes(work, draft),
        **work.encrypt_columns(DraftRow, link_id, content=content),
    }
    if not work.update(DraftRow, values, col(DraftRow.link_id) == link_id):
        work.insert(DraftRow, {"link_id": link_id, "started_at": work.now} | values)


def delete_draft(work: Transaction, link_id: str) -> None:
    """Delete the draft of a link."""
    work.delete(DraftRow, col(DraftRow.link_id) == link_id)


def decrypt_draft(work: Transaction, row: DraftRow) -> Draft:
    """Decrypt the draft of a row."""
    return Draft.model_validate_json(work.decrypt_column(row, "content"))


def compute_indexes(work: Transaction, draft: Draft) -> dict[str, bytes]:
    """Return the keyed hash of the red-flag tier, which urgent drafts are found by."""
    return work.hash_columns(tier_index=draft.tier)
