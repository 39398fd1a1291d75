"""Says in one sentence why no connection to PostgreSQL could be opened."""

import re
from collections.abc import Callable

from sqlalchemy.engine import URL

from api.store.database.engine import DatabaseError, UnreachableError

DEFAULT_PORT = 5432


def convert_connection_fault(url: URL, cause: BaseException) -> DatabaseError:
    """Return the error of a failed connection, in one sentence without the password.

    libpq gives no SQLSTATE for a failed connection, so its English text decides. A server that
    speaks another language gets the sentence for all other refusals.
    """
    text = str(cause)
    for pattern, describe in _REFUSALS:
        if re.search(pattern, text):
            return DatabaseError(f"DATABASE_URL: {describe(url)}")
    return UnreachableError(f"DATABASE_URL: no PostgreSQL server answers at {_describe_place(url)}")


_REFUSALS: tuple[tuple[str, Callable[[URL], str]], ...] = (
    (
        "password authentication failed|no password supplied",
        lambda url: (
            f"the password of the role {url.username} is wrong or missing, or there is no such role"
        ),
    ),
    (
        'FATAL: +role ".*" does not exist',
        lambda url: f"there is no role {url.username} at {_describe_place(url)}",
    ),
    (
        'FATAL: +database ".*" does not exist',
        lambda url: f"there is no database {url.database} at {_describe_place(url)}; create it",
    ),
    (
        "SSL|certificate",
        lambda url: (
            f"the TLS connection to {_describe_place(url)} failed; check sslmode, sslrootcert and "
            "the server's certificate"
        ),
    ),
    (
        "FATAL:",
        lambda url: (
            f"the PostgreSQL server at {_describe_place(url)} refuses the connection; its log "
            "gives the reason"
        ),
    ),
)


def _describe_place(url: URL) -> str:
    host = url.host or url.query.get("host") or "the local socket"
    return f"{host}, port {url.port or url.query.get('port') or DEFAULT_PORT}"
