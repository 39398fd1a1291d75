"""Lists of screenings, newest first, in pages with an encrypted cursor."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import tuple_
from sqlmodel import col

from api.security.base64url import decode_base64url, encode_base64url
from api.store.database.tables import ScreeningRow
from api.store.errors import InvalidCursorError
from api.store.keys.field_encryption import DecryptionError, FieldLocation
from api.store.screenings import conditions, screening_lines
from api.store.transaction import Transaction
from schemas.patients.screening import PatientFilters, ScreeningFilters, ScreeningListItem
from schemas.rulebooks.rulebook_name import RulebookName

_CURSOR = "cursor"
_NEWEST_FIRST = col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc()


class ScreeningPage(NamedTuple):
    """One page of the list and the cursor of the next page, or None on the last."""

    lines: tuple[ScreeningListItem, ...]
    next_cursor: str | None


class _Position(NamedTuple):
    filters: ScreeningFilters
    limit: int
    created_at: datetime
    id: str


def list_first_page(work: Transaction, filters: ScreeningFilters, limit: int) -> ScreeningPage:
    """Return the first page of the screenings that match the filters."""
    return _load_page(work, _select_matching(work, filters), filters, limit)


def list_next_page(work: Transaction, cursor: str) -> ScreeningPage:
    """Return the page after the one that issued this cursor. Raises InvalidCursorError."""
    position = _decrypt_cursor(work, cursor)
    query = _select_matching(work, position.filters).where(
        tuple_(col(ScreeningRow.created_at), col(ScreeningRow.id))
        < tuple_(position.created_at, position.id)
    )
    return _load_page(work, query, position.filters, position.limit)


def list_unacknowledged(
    work: Transaction, tiers: Iterable[str], limit: int
) -> tuple[ScreeningListItem, ...]:
    """Return unacknowledged screenings in force, by tier as given, at most `limit` for each."""
    rows = (
        row
        for tier in tiers
        for row in work.session.execute(
            _select_matching(work, ScreeningFilters(tier=tier))
            .where(conditions.IS_IN_FORCE, ~conditions.IS_ACKNOWLEDGED)
            .order_by(*_NEWEST_FIRST)
            .limit(limit)
        ).all()
    )
    return tuple(screening_lines.build_line(work, row) for row in rows)


def list_lines(work: Transaction, ids: Sequence[str]) -> tuple[ScreeningListItem, ...]:
    """Return these screenings, in this order; those that were erased are left out."""
    query = _select_matching(work, ScreeningFilters()).where(col(ScreeningRow.id).in_(ids))
    rows = {row.id: row for row in work.session.execute(query).all()}
    return tuple(screening_lines.build_line(work, rows[name]) for name in ids if name in rows)


def seal_search(work: Transaction, text: str, start: int = 0) -> str:
    """Return a searched text and a position as a text for an address, encrypted like a cursor."""
    content = json.dumps([text, start]).encode()
    encrypted = work.data_keys.current.encrypt(_search_location(work), content)
    return f"{work.current_key_id}.{encode_base64url(encrypted)}"


def open_search(work: Transaction, sealed_search: str) -> tuple[str, int]:
    """Return the searched text and the position. Raises InvalidCursorError."""
    key_id, _, text = sealed_search.partition(".")
    try:
        encrypted = decode_base64url(text)
        content = json.loads(work.data_keys.decrypt(key_id, _search_location(work), encrypted))
    except (DecryptionError, ValueError):
        raise InvalidCursorError from None
    return content[0], content[1]


def _load_page(
    work: Transaction, query: Any, filters: ScreeningFilters, limit: int
) -> ScreeningPage:
    rows = _list_newest(work, query, filters.rulebook, limit + 1)
    page_rows = rows[:limit]
    last = page_rows[-1] if len(rows) > limit else None
    return ScreeningPage(
        tuple(screening_lines.build_line(work, row) for row in page_rows),
        _encrypt_cursor(work, _Position(filters, limit, last.created_at, last.id))
        if last
        else None,
    )


def _list_newest(work: Transaction, query: Any, rulebook: str | None, limit: int) -> Sequence[Any]:
    """Return the newest rows of a query, by this version or by any version of this instrument.

    Each version is searched alone, since an index has the screenings of one version in order.
    """
    newest_first = query.order_by(*_NEWEST_FIRST).limit(limit)
    if rulebook is None:
        return work.session.execute(newest_first).all()
    versions = [
        version
        for version in _list_stored_versions(work)
        if rulebook in {version, RulebookName.parse(version).instrument}
    ]
    rows = [
        row
        for version in versions
        for row in work.session.execute(
            newest_first.where(col(ScreeningRow.rulebook) == version)
        ).all()
    ]
    return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)[:limit]


def _list_stored_versions(work: Transaction) -> Iterator[str]:
    """Yield each version that a screening was scored by, in one step of the index each."""
    version: str | None = ""
    column = col(ScreeningRow.rulebook)
    while version is not None:
        query = work.select(ScreeningRow.rulebook).where(column > version)
        version = work.session.execute(query.order_by(column).limit(1)).scalar_one_or_none()
        if version is not None:
            yield version


def _select_matching(work: Transaction, filters: ScreeningFilters) -> Any:
    query: Any = work.select(
        *screening_lines.LINE_COLUMNS,
        conditions.IS_REPLACED.label("replaced"),
        conditions.IS_IN_ERROR.label("in_error"),
        conditions.IS_ACKNOWLEDGED.label("acknowledged"),
        conditions.RESCORED_FROM.label("rescored_from"),
    )
    for column, term in (
        (ScreeningRow.patient_index, filters.patient),
        (ScreeningRow.system_index, filters.patient_system),
        (ScreeningRow.status_index, filters.status),
        (ScreeningRow.tier_index, filters.tier),
        (ScreeningRow.band_index, filters.band),
    ):
        if term is not None:
            query = query.where(work.match_hash(column, term))
    if isinstance(filters, PatientFilters) and filters.without_system:
        query = query.where(work.match_hash(ScreeningRow.system_index, None))
    if filters.created_from is not None:
        query = query.where(col(ScreeningRow.created_at) >= filters.created_from)
    if filters.created_before is not None:
        query = query.where(col(ScreeningRow.created_at) < filters.created_before)
    return query


def _encrypt_cursor(work: Transaction, position: _Position) -> str:
    content = [
        position.filters.model_dump_json(exclude_none=True),
        position.limit,
        position.created_at.isoformat(),
        position.id,
    ]
    encrypted = work.data_keys.current.encrypt(_cursor_location(work), json.dumps(content).encode())
    return f"{work.current_key_id}.{encode_base64url(encrypted)}"


def _decrypt_cursor(work: Transaction, cursor: str) -> _Position:
    key_id, _, text = cursor.partition(".")
    try:
        encrypted = decode_base64url(text)
        content = json.loads(work.data_keys.decrypt(key_id, _cursor_location(work), encrypted))
    except (DecryptionError, ValueError):
        raise InvalidCursorError from None
    filters, limit, created_at, screening_id = content
    return _Position(
        PatientFilters.model_validate_json(filters),
        limit,
        datetime.fromisoformat(created_at),
        screening_id,
    )


def _search_location(work: Transaction) -> FieldLocation:
    return FieldLocation("search", "text", work.organisation)


def _cursor_location(work: Transaction) -> FieldLocation:
    return FieldLocation(_CURSOR, "position", work.organisation)
