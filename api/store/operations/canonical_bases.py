"""What the canonical URLs of this database begin with: fixed at its first use, and its aliases.

The aliases are the addresses that the service has had: version 1.1 and its clients made canonical
URLs of them.
"""

from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.settings import Settings
from api.store.accounts.organisations import SYSTEM
from api.store.database.engine import DatabaseError
from api.store.database.tables import CanonicalBaseRow
from api.store.database.tenancy import lock_organisation
from api.store.store import Store
from schemas.canonical import CANONICAL_BASE


def settle_canonical_bases(store: Store, settings: Settings, *, may_write: bool) -> tuple[str, ...]:
    """Return the fixed base, then the addresses that the service has had, oldest first.

    If it `may_write`, fix the base of a new database, and remember the address of the settings.
    Raises DatabaseError if the settings name another base than the one that is fixed.
    """
    with store.read_all_organisations() as session:
        bases = _list_bases(session)
    if may_write and (not bases or settings.public_url not in bases):
        with store.write_all_organisations() as session:
            lock_organisation(session, SYSTEM)  # another process may be about to do the same
            bases = _list_bases(session)
            if not bases:
                bases.append(settings.canonical_base or CANONICAL_BASE)
                _add_base(session, bases[0], is_fixed=True)
            if settings.public_url not in bases:
                bases.append(settings.public_url)
                _add_base(session, settings.public_url, is_fixed=False)
    bases = bases or [settings.canonical_base or CANONICAL_BASE]
    if settings.canonical_base not in (None, bases[0]):
        raise DatabaseError(
            f"NOCISCREEN_CANONICAL_BASE is {settings.canonical_base}, but the canonical URLs of "
            f"this database begin with {bases[0]} since its first use: remove the setting"
        )
    return tuple(bases)


def _list_bases(session: Session) -> list[str]:
    order = col(CanonicalBaseRow.fixed).desc(), col(CanonicalBaseRow.created_at)
    return list(session.execute(select(col(CanonicalBaseRow.url)).order_by(*order)).scalars())


def _add_base(session: Session, url: str, *, is_fixed: bool) -> None:
    row = {"url": url, "fixed": is_fixed, "created_at": datetime.now(UTC)}
    session.execute(insert(CanonicalBaseRow).values(**row))
