"""Allowed hosts: the hosts and ports to which an organisation may connect.

The operator maintains the list. An organisation can read it but cannot change it, because it opens
the private network.
"""

from typing import Any

from sqlmodel import col

from api.outbound.allowlist import AllowedHost, HostPort
from api.store.database.tables import AllowedPlaceRow
from api.store.errors import NotFoundError
from api.store.transaction import Transaction


def add_allowed_host(work: Transaction, place: HostPort, *, private: bool) -> None:
    """Allow connections to this host and port, replacing an earlier entry for it."""
    earlier = work.find(AllowedPlaceRow, *_match_place(place))
    was_private = earlier is not None and earlier.private
    work.delete(AllowedPlaceRow, *_match_place(place))
    row = {"host": place.host, "port": place.port, "private": private, "added_at": work.now}
    work.insert(AllowedPlaceRow, row)
    if was_private and not private:
        work.withdraw("allowed_host", _describe(place))


def delete_allowed_host(work: Transaction, place: HostPort) -> None:
    """Remove this host and port from the next connection on. Raises NotFoundError."""
    if not work.delete(AllowedPlaceRow, *_match_place(place)):
        raise NotFoundError
    work.withdraw("allowed_host", _describe(place))


def list_allowed_hosts(work: Transaction) -> tuple[AllowedHost, ...]:
    """Return every host and port that the organisation may connect to."""
    query = work.select(AllowedPlaceRow)
    rows = work.list_rows(query.order_by(col(AllowedPlaceRow.host), col(AllowedPlaceRow.port)))
    return tuple(AllowedHost(HostPort(row.host, row.port), row.private) for row in rows)


def _describe(place: HostPort) -> str:
    return f"{place.host} {place.port}"


def _match_place(place: HostPort) -> tuple[Any, ...]:
    return col(AllowedPlaceRow.host) == place.host, col(AllowedPlaceRow.port) == place.port
