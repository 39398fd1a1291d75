"""Allowed hosts: the hosts and ports to which an organisation may connect.

The operator maintains the list. An organisation can read it but cannot change it, because it opens
the private network.
"""

from typing import Any

from sqlalchemy import delete, insert, select
from sqlmodel import col

from api.outbound.allowlist import AllowedHost, HostPort
from api.problems import Problem
from api.store.database.tables import AllowedPlaceRow
from api.store.transaction import Transaction


def add_allowed_host(work: Transaction, place: HostPort, *, private: bool) -> None:
    """Allow connections to this host and port, replacing an earlier entry for it."""
    work.session.execute(delete(AllowedPlaceRow).where(*_match_place(work, place)))
    work.session.execute(
        insert(AllowedPlaceRow).values(
            organisation_id=work.organisation,
            host=place.host,
            port=place.port,
            private=private,
            added_at=work.now,
        )
    )


def delete_allowed_host(work: Transaction, place: HostPort) -> None:
    """Remove this host and port from the next connection on. Raises Problem `not_found`."""
    if place not in {entry.host_port for entry in list_allowed_hosts(work)}:
        raise Problem("not_found")
    work.session.execute(delete(AllowedPlaceRow).where(*_match_place(work, place)))


def list_allowed_hosts(work: Transaction) -> tuple[AllowedHost, ...]:
    """Return every host and port that the organisation may connect to."""
    rows = work.session.execute(
        select(AllowedPlaceRow)
        .where(col(AllowedPlaceRow.organisation_id) == work.organisation)
        .order_by(col(AllowedPlaceRow.host), col(AllowedPlaceRow.port))
    ).scalars()
    return tuple(AllowedHost(HostPort(row.host, row.port), row.private) for row in rows)


def _match_place(work: Transaction, place: HostPort) -> tuple[Any, ...]:
    return (
        col(AllowedPlaceRow.organisation_id) == work.organisation,
        col(AllowedPlaceRow.host) == place.host,
        col(AllowedPlaceRow.port) == place.port,
    )
