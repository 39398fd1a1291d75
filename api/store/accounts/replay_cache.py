"""The replay cache: tokens and client assertions that may be used once, until they expire."""

from collections.abc import Mapping
from datetime import UTC, datetime

from api.store.database.tables import UsedAssertionRow, UsedTokenRow
from api.store.errors import ConflictError
from api.store.keys.field_encryption import hash_parts
from api.store.transaction import Transaction


def consume_once(
    work: Transaction,
    table: type[UsedAssertionRow | UsedTokenRow],
    source: Mapping[str, str],
    jti: str,
    keep_until: int,
) -> bool:
    """Mark an id of this source as used until this Unix time. Return False if it was used."""
    expires_at = datetime.fromtimestamp(keep_until, UTC)
    row = {**source, "jti_sha256": hash_parts(jti.encode()), "expires_at": expires_at}
    try:
        work.insert_unique(table, row, ConflictError())
    except ConflictError:
        return False
    return True
