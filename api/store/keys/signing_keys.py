"""The keys that sign access tokens: stored wrapped, shared by all processes, rotated regularly.

A new key is published before it signs, so that clients which cache the JWK set know it in time; an
old key stays trusted until the last token that it signed has expired.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import NamedTuple, cast

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.keys import SigningAlgorithm, SigningKey, VerifyingKey, generate_signing_key
from api.store.database.tables import SigningKeyRow
from api.store.key_ring import KeyRing

PUBLICATION_PERIOD = timedelta(minutes=10)
TRUST_PERIOD = timedelta(minutes=16)
CACHE_SECONDS = 15.0
MIN_RELOAD_SECONDS = 1.0


class _CachedKey(NamedTuple):
    key: SigningKey
    verifying: VerifyingKey
    signs_from: datetime
    trusted_until: datetime | None


_Cache = dict[str, _CachedKey]


class SigningKeys:
    """The signing keys of the database, cached for a few seconds."""

    def __init__(
        self, ring: KeyRing, glance: Callable[[], AbstractContextManager[Session]]
    ) -> None:
        self._ring = ring
        self._begin_read = glance
        self._lock = Lock()
        self._cache: _Cache = {}
        self._read_at = float("-inf")

    def find_current_key(self) -> SigningKey:
        """Return the newest key that may sign now. Raises LookupError if there is none."""
        now = datetime.now(UTC)
        trusted = [key for key in self._load(CACHE_SECONDS).values() if _is_trusted(key, now)]
        candidates = [cached for cached in trusted if cached.signs_from <= now]
        if not candidates:
            raise LookupError("there is no key to sign with")
        return max(candidates, key=lambda cached: cached.signs_from).key

    def list_published_keys(self) -> list[SigningKey]:
        """Return every key that is trusted now or will be."""
        now = datetime.now(UTC)
        cache = self._load(CACHE_SECONDS)
        return [cached.key for cached in cache.values() if _is_trusted(cached, now)]

    def look_up_trusted_key(self, kid: str) -> VerifyingKey | None:
        """Return the key with this key id; None if it is unknown or no longer trusted."""
        cached = self._load(CACHE_SECONDS).get(kid) or self._load(MIN_RELOAD_SECONDS).get(kid)
        return cached.verifying if cached and _is_trusted(cached, datetime.now(UTC)) else None

    def find_cached_key(self, kid: str) -> VerifyingKey | None:
        """Return the key if it is trusted and was read just now; never read the database."""
        if time.monotonic() - self._read_at > CACHE_SECONDS:
            return None
        cached = self._cache.get(kid)
        return cached.verifying if cached and _is_trusted(cached, datetime.now(UTC)) else None

    def invalidate_cache(self) -> None:
        """Invalidate the cache."""
        self._read_at = float("-inf")

    def _load(self, max_age_seconds: float) -> _Cache:
        with self._lock:
            if time.monotonic() - self._read_at > max_age_seconds:
                with self._begin_read() as session:
                    self._cache = _read_keys(session, self._ring, self._cache)
                self._read_at = time.monotonic()
            return self._cache


def add_signing_key(
    session: Session, ring: KeyRing, algorithm: SigningAlgorithm, *, at_once: bool = False
) -> SigningKey:
    """Add a key that signs after a publication period; `at_once` revokes all other keys."""
    now = datetime.now(UTC)
    is_first = session.execute(select(col(SigningKeyRow.kid)).limit(1)).first() is None
    signs_from = now if at_once or is_first else now + PUBLICATION_PERIOD
    trusted_until = now if at_once else signs_from + TRUST_PERIOD
    is_trusted = or_(
        col(SigningKeyRow.trusted_until).is_(None), col(SigningKeyRow.trusted_until) > trusted_until
    )
    session.execute(update(SigningKeyRow).where(is_trusted).values(trusted_until=trusted_until))
    key = generate_signing_key(algorithm)
    ring_key_id, wrapped = ring.wrap(key.private_pem, build_associated_data(key.kid))
    session.execute(
        insert(SigningKeyRow).values(
            kid=key.kid,
            algorithm=key.algorithm,
            ring_key_id=ring_key_id,
            sealed=wrapped,
            created_at=now,
            signs_from=signs_from,
            trusted_until=None,
        )
    )
    return key


def is_rotation_due(session: Session, max_age_days: int) -> bool:
    """Return whether the newest key is older than `days`, or there is none."""
    newest = session.execute(select(func.max(col(SigningKeyRow.signs_from)))).scalar_one()
    return newest is None or newest < datetime.now(UTC) - timedelta(days=max_age_days)


def delete_untrusted_keys(session: Session) -> None:
    """Delete the keys that are no longer trusted."""
    is_untrusted = col(SigningKeyRow.trusted_until) < datetime.now(UTC)
    session.execute(delete(SigningKeyRow).where(is_untrusted))


def _read_keys(session: Session, ring: KeyRing, cache: _Cache) -> _Cache:
    keys = {}
    for row in session.execute(select(SigningKeyRow)).scalars():
        if row.kid in cache:
            key, verifying = cache[row.kid][:2]
        else:
            pem = ring.unwrap(row.ring_key_id, row.sealed, build_associated_data(row.kid))
            key = SigningKey(
                kid=row.kid, algorithm=cast("SigningAlgorithm", row.algorithm), private_pem=pem
            )
            verifying = key.to_verifying_key()
        keys[row.kid] = _CachedKey(key, verifying, row.signs_from, row.trusted_until)
    return keys


def _is_trusted(cached: _CachedKey, now: datetime) -> bool:
    return cached.trusted_until is None or now < cached.trusted_until


def build_associated_data(kid: str) -> str:
    """Return the associated data of a wrapped signing key."""
    return f"signing|{kid}"
