"""What the canonical URLs of this database begin with: fixed at its first use, and its aliases.

The aliases are the addresses that the service has had: version 1.1 and its clients made canonical
URLs of them.
"""

from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.accounts.organisations import SYSTEM
from api.store.database.engine import DatabaseError
from api.store.database.tables import CanonicalBaseRow
from api.store.database.tenancy import lock_organisation
from api.store.store import Store
from schemas.canonical import CANONICAL_BASE


def fix_canonical_base(store: Store, chosen_base: str | None, *, may_write: bool) -> None:
    """Read the base, or fix it. Raises DatabaseError if the operator chose another one later."""
    with store.read_all_organisations() as session:
        bases = _list_bases(session)
    if not bases and may_write:
        with store.write_all_organisations() as session:
            lock_organisation(session, SYSTEM)  # another process may be about to fix it
            bases = _list_bases(session)
            if not bases:
                bases = [chosen_base or CANONICAL_BASE]
                _add_base(session, bases[0], is_fixed=True)
    store.canonical_bases = tuple(bases or [chosen_base or CANONICAL_BASE])
    if chosen_base not in (None, store.canonical_bases[0]):
        raise DatabaseError(
            f"NOCISCREEN_CANONICAL_BASE is {chosen_base}, but the canonical URLs of this database "
            f"begin with {store.canonical_bases[0]} since its first use: remove the setting"
        )


def remember_address(store: Store, address: str) -> None:
    """Accept canonical URLs under this address of the service from now on."""
    if address in store.canonical_bases:
        return
    with store.write_all_organisations() as session:
        lock_organisation(session, SYSTEM)
        bases = _list_bases(session)
        if address not in bases:
            _add_base(session, address, is_fixed=False)
            bases.append(address)
    store.canonical_bases = tuple(bases)


def _list_bases(session: Session) -> list[str]:
    """Return the fixed base, then the addresses, oldest first."""
    order = col(CanonicalBaseRow.fixed).desc(), col(CanonicalBaseRow.created_at)
    return list(session.execute(select(col(CanonicalBaseRow.url)).order_by(*order)).scalars())


def _add_base(session: Session, url: str, *, is_fixed: bool) -> None:
    row = {"url": url, "fixed": is_fixed, "created_at": datetime.now(UTC)}
    session.execute(insert(CanonicalBaseRow).values(**row))
