"""Quotas of an organisation, which the operator alone sets."""

from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.settings import Settings
from api.store.database.tables import OrganisationRow
from api.store.errors import NotFoundError
from api.store.transaction import Transaction


class Quotas(NamedTuple):
    """What the operator set for an organisation; None is the default of the settings."""

    requests_per_minute: int | None = None
    render_seconds: int | None = None
    """Seconds of rendering in a minute."""
    batch_bytes: int | None = None
    """Bytes of stored batches: uploads, results and reports."""
    waiting_rows: int | None = None
    """Rows of batches that wait to be processed."""


class EffectiveQuotas(NamedTuple):
    """The quotas that apply to an organisation; see `Quotas`."""

    requests_per_minute: int
    render_seconds: int
    batch_bytes: int
    waiting_rows: int


QUOTA_COLUMNS = tuple(col(getattr(OrganisationRow, name)) for name in Quotas._fields)


def read_quotas(row: Any) -> Quotas:
    """Return the quotas in a row that has `QUOTA_COLUMNS`."""
    return Quotas(*(getattr(row, name) for name in Quotas._fields))


def find_effective_quotas(quotas: Quotas, settings: Settings) -> EffectiveQuotas:
    """Return each quota that the operator set, and for the others that of the settings."""
    return EffectiveQuotas(
        *(
            quota or getattr(settings, f"organisation_{name}")
            for name, quota in quotas._asdict().items()
        )
    )


def load_quotas(session: Session, organisation: str, *, for_update: bool = False) -> Quotas:
    """Return the organisation's quotas; with `for_update`, lock them. Raises NotFoundError."""
    query = select(*QUOTA_COLUMNS).where(col(OrganisationRow.id) == organisation)
    if for_update:
        query = query.with_for_update(key_share=True)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFoundError
    return read_quotas(row)


def update_quotas(work: Transaction, changes: dict[str, int | None]) -> Quotas:
    """Update the quotas of the organisation. Raises NotFoundError."""
    if changes:
        is_own = col(OrganisationRow.id) == work.organisation
        work.session.execute(update(OrganisationRow).where(is_own).values(**changes))
    updated = load_quotas(work.session, work.organisation)
    limits = (f"{name} {limit or ''}" for name, limit in changes.items())
    work.withdraw("organisation_limit", *limits)
    return updated
