"""Mappings of columns: each name has versions, which never change."""

from typing import Any

from sqlmodel import col

from api.store.database import tenancy
from api.store.database.tables import MappingRow
from api.store.errors import ConflictError, NotFoundError
from api.store.transaction import Transaction
from schemas.batches.mapping import MappingListItem, NewMapping, StoredMapping
from schemas.text import accept_stored_text

MAX_MAPPINGS = 500
_IS_STORED = col(MappingRow.content).is_not(None)


def add_mapping(work: Transaction, mapping: NewMapping, rulebook: str) -> StoredMapping:
    """Store a mapping as the next version of its name. Raises ConflictError if there are many."""
    tenancy.lock_organisation(work.session, work.organisation)
    if work.count(MappingRow, _IS_STORED) >= MAX_MAPPINGS:
        raise ConflictError(f"There are {MAX_MAPPINGS} mappings. Delete old versions first.")
    versions = work.select(col(MappingRow.version)).where(col(MappingRow.name) == mapping.name)
    version = 1 + max(work.list_rows(versions), default=0)
    row: dict[str, Any] = {
        "id": f"{mapping.name}@{version}",
        "name": mapping.name,
        "version": version,
        "created_at": work.now,
        "rulebook": rulebook,
    }
    work.insert(MappingRow, row, content=mapping.toml.encode())
    return StoredMapping(**row, toml=mapping.toml)


def find_mapping(work: Transaction, name: str) -> StoredMapping:
    """Return a version (`redcap@2`), or the newest one of a name. Raises NotFoundError."""
    is_wanted = col(MappingRow.id if "@" in name else MappingRow.name) == name
    query = (
        work.select(MappingRow)
        .where(is_wanted, _IS_STORED)
        .order_by(col(MappingRow.version).desc())
    )
    row = work.session.execute(query.limit(1)).scalar_one_or_none()
    if row is None:
        raise NotFoundError
    with accept_stored_text():
        text = work.decrypt_column(row, "content").decode()
        return StoredMapping(**_describe(row).model_dump(), toml=text)


def list_mappings(work: Transaction) -> list[MappingListItem]:
    """Return all mappings by name, newest version first."""
    query = work.select(MappingRow).where(_IS_STORED)
    query = query.order_by(col(MappingRow.name), col(MappingRow.version).desc())
    return [_describe(row) for row in work.list_rows(query)]


def delete_mapping(work: Transaction, mapping_id: str) -> None:
    """Erase one version, whose number is not given again. Raises NotFoundError."""
    if not work.update(MappingRow, {"content": None}, col(MappingRow.id) == mapping_id, _IS_STORED):
        raise NotFoundError


def _describe(row: MappingRow) -> MappingListItem:
    return MappingListItem(**row.model_dump(include=set(MappingListItem.model_fields)))
