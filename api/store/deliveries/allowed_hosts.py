"""Allowed places: where connections in an organisation's name may go. Told by whoever runs it all.

An organisation reads its list and does not change it: what lies in the house is not its to open.
"""

from typing import Any

from sqlalchemy import delete, insert, select
from sqlmodel import col

from api.outbound.allowlist import Allowed, Place
from api.problems import Problem
from api.store.database.tables import AllowedPlaceRow
from api.store.transaction import Transaction


def allow(work: Transaction, place: Place, *, private: bool) -> None:
    """From now on connections may go there; what was said of the place before is forgotten."""
    work.session.execute(delete(AllowedPlaceRow).where(*_at(work, place)))
    work.session.execute(
        insert(AllowedPlaceRow).values(
            organisation_id=work.organisation,
            host=place.host,
            port=place.port,
            private=private,
            added_at=work.now,
        )
    )


def disallow(work: Transaction, place: Place) -> None:
    """From the next connection on none goes there. Raises Problem `not_found`."""
    if place not in {each.place for each in allowed(work)}:
        raise Problem("not_found")
    work.session.execute(delete(AllowedPlaceRow).where(*_at(work, place)))


def allowed(work: Transaction) -> tuple[Allowed, ...]:
    """Every place that the organisation may reach."""
    rows = work.session.execute(
        select(AllowedPlaceRow)
        .where(col(AllowedPlaceRow.organisation_id) == work.organisation)
        .order_by(col(AllowedPlaceRow.host), col(AllowedPlaceRow.port))
    ).scalars()
    return tuple(Allowed(Place(each.host, each.port), each.private) for each in rows)


def _at(work: Transaction, place: Place) -> tuple[Any, ...]:
    return (
        col(AllowedPlaceRow.organisation_id) == work.organisation,
        col(AllowedPlaceRow.host) == place.host,
        col(AllowedPlaceRow.port) == place.port,
    )
