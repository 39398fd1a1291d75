"""Lists of screenings, newest first, a page at a time; the cursor tells nothing to who holds it."""

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, or_, select, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.problems import FieldError, Problem
from api.store.database.tables import AcknowledgementRow, EnteredInErrorRow, ScreeningRow
from api.store.keys.field_encryption import Place, SealError
from api.store.screenings.screenings import assessment_of, band_of, patient_of, state
from api.store.transaction import Transaction
from schemas.screening import PatientFilters, ScreeningFilters, ScreeningLine

_CURSOR = "cursor"
_NEWEST_FIRST = col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc()


class Page(NamedTuple):
    """A stretch of the list, and the cursor of the next one."""

    lines: tuple[ScreeningLine, ...]
    next: str | None


class _Position(NamedTuple):
    filters: ScreeningFilters
    limit: int
    created_at: datetime
    id: str


def first_page(work: Transaction, filters: ScreeningFilters, limit: int) -> Page:
    """The newest screenings that the filters let through."""
    return _page(work, _matching(work, filters), filters, limit)


def next_page(work: Transaction, cursor: str) -> Page:
    """The page after the one that gave this cursor. Raises Problem `wrong_shape` for any other."""
    at = _opened(work, cursor)
    query = _matching(work, at.filters).where(
        tuple_(col(ScreeningRow.created_at), col(ScreeningRow.id)) < tuple_(at.created_at, at.id)
    )
    return _page(work, query, at.filters, at.limit)


def unseen(work: Transaction, tiers: Iterable[str], limit: int) -> tuple[ScreeningLine, ...]:
    """Screenings in force whose red flags nobody acknowledged: by these tiers, each newest first.

    At most `limit` of each tier.
    """
    kept = (
        each
        for tier in tiers
        for each in work.session.execute(
            _matching(work, ScreeningFilters(tier=tier))
            .where(~_replaced(work), ~_in_error(work), ~_acknowledged(work))
            .order_by(*_NEWEST_FIRST)
            .limit(limit)
        ).all()
    )
    return tuple(_line(work, each) for each in kept)


def _page(work: Transaction, query: Any, filters: ScreeningFilters, limit: int) -> Page:
    rows = work.session.execute(query.order_by(*_NEWEST_FIRST).limit(limit + 1)).all()
    shown = rows[:limit]
    more = len(rows) > limit
    last = shown[-1].ScreeningRow if more else None
    return Page(
        tuple(_line(work, row) for row in shown),
        _sealed(work, _Position(filters, limit, last.created_at, last.id)) if last else None,
    )


def _matching(work: Transaction, filters: ScreeningFilters) -> Any:
    query: Any = select(
        ScreeningRow,
        _replaced(work).label("replaced"),
        _in_error(work).label("in_error"),
        _acknowledged(work).label("acknowledged"),
    ).where(col(ScreeningRow.organisation_id) == work.organisation)
    for name, word in (
        ("patient_index", filters.patient),
        ("system_index", filters.patient_system),
        ("status_index", filters.status),
        ("tier_index", filters.tier),
        ("band_index", filters.band),
    ):
        if word is not None:
            query = query.where(col(getattr(ScreeningRow, name)).in_(work.keys.keyed(name, word)))
    if isinstance(filters, PatientFilters) and filters.without_system:
        none = work.keys.keyed("system_index", None)
        query = query.where(col(ScreeningRow.system_index).in_(none))
    if filters.rulebook is not None:
        query = query.where(
            or_(
                col(ScreeningRow.rulebook) == filters.rulebook,
                col(ScreeningRow.rulebook).startswith(f"{filters.rulebook}@", autoescape=True),
            )
        )
    if filters.created_from is not None:
        query = query.where(col(ScreeningRow.created_at) >= filters.created_from)
    if filters.created_before is not None:
        query = query.where(col(ScreeningRow.created_at) < filters.created_before)
    return query


def _replaced(work: Transaction) -> Any:
    replacing: Any = aliased(ScreeningRow)
    return exists().where(
        replacing.organisation_id == work.organisation,
        replacing.replaces == col(ScreeningRow.id),
    )


def _in_error(work: Transaction) -> Any:
    return exists().where(
        col(EnteredInErrorRow.organisation_id) == work.organisation,
        col(EnteredInErrorRow.screening_id) == col(ScreeningRow.id),
    )


def _acknowledged(work: Transaction) -> Any:
    return exists().where(
        col(AcknowledgementRow.organisation_id) == work.organisation,
        col(AcknowledgementRow.screening_id) == col(ScreeningRow.id),
    )


def _line(work: Transaction, found: Any) -> ScreeningLine:
    row = found.ScreeningRow
    assessment = assessment_of(work, row)
    return ScreeningLine(
        id=row.id,
        created_at=row.created_at,
        replaces=row.replaces,
        state=state(replaced=found.replaced, in_error=found.in_error),
        patient=patient_of(work, row),
        rulebook=row.rulebook,
        status=assessment.status,
        tier=assessment.safety.tier,
        band=band_of(assessment),
        flags=len(assessment.safety.flags),
        all_asked=assessment.safety.all_asked,
        not_asked=len(assessment.safety.unanswered),
        acknowledged=found.acknowledged,
    )


def _sealed(work: Transaction, at: _Position) -> str:
    told = [
        at.filters.model_dump_json(exclude_none=True),
        at.limit,
        at.created_at.isoformat(),
        at.id,
    ]
    sealed = work.keys.current.seal(_place(work), json.dumps(told).encode())
    return f"{work.key_id}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def _opened(work: Transaction, cursor: str) -> _Position:
    key_id, _, text = cursor.partition(".")
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        told = json.loads(work.keys.open(key_id, _place(work), sealed))
    except (SealError, binascii.Error, ValueError):
        error = FieldError(pointer="/cursor", code="cursor", detail="must be one that a list gave")
        raise Problem("wrong_shape", errors=[error]) from None
    filters, limit, created_at, screening_id = told
    return _Position(
        PatientFilters.model_validate_json(filters),
        limit,
        datetime.fromisoformat(created_at),
        screening_id,
    )


def _place(work: Transaction) -> Place:
    return Place(_CURSOR, "position", work.organisation)
