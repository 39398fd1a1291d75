"""The keys that sign access tokens: kept sealed, shared by every process, changed in good time.

A new key is published before it signs, so that whoever keeps the published keys for a while knows
it by then; an old one is trusted until the last token it signed has expired.
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

from api.security.keys import SigningAlgorithm, SigningKey, VerifyingKey, new_signing_key
from api.store.database.tables import SigningKeyRow
from api.store.key_ring import KeyRing

PUBLISHED_BEFORE = timedelta(minutes=10)
TRUSTED_AFTER = timedelta(minutes=16)
FRESH_SECONDS = 15.0
LEAST_SECONDS = 1.0


class _Known(NamedTuple):
    key: SigningKey
    verifying: VerifyingKey
    signs_from: datetime
    trusted_until: datetime | None


class SigningKeys:
    """The signing keys as every process sees them, at most a few seconds old."""

    def __init__(
        self, ring: KeyRing, glance: Callable[[], AbstractContextManager[Session]]
    ) -> None:
        self._ring = ring
        self._glance = glance
        self._guard = Lock()
        self._known: dict[str, _Known] = {}
        self._read_at = float("-inf")

    def current(self) -> SigningKey:
        """The key that signs now: the newest whose time has come. Raises LookupError for none."""
        now = datetime.now(UTC)
        signing = [
            each
            for each in self._fresh(FRESH_SECONDS).values()
            if each.signs_from <= now and _trusted(each, now)
        ]
        if not signing:
            raise LookupError("there is no key to sign with")
        return max(signing, key=lambda each: each.signs_from).key

    def published(self) -> list[SigningKey]:
        """Every key that is trusted now, or will be."""
        now = datetime.now(UTC)
        return [each.key for each in self._fresh(FRESH_SECONDS).values() if _trusted(each, now)]

    def find(self, kid: str) -> VerifyingKey | None:
        """The key of that name, where it is trusted now."""
        known = self._fresh(FRESH_SECONDS).get(kid) or self._fresh(LEAST_SECONDS).get(kid)
        return known.verifying if known and _trusted(known, datetime.now(UTC)) else None

    def forget(self) -> None:
        """Read the keys anew when they are next asked for."""
        self._read_at = float("-inf")

    def _fresh(self, seconds: float) -> dict[str, _Known]:
        with self._guard:
            if time.monotonic() - self._read_at > seconds:
                with self._glance() as session:
                    self._known = _read(session, self._ring, self._known)
                self._read_at = time.monotonic()
            return self._known


def add_key(
    session: Session, ring: KeyRing, algorithm: SigningAlgorithm, *, at_once: bool = False
) -> SigningKey:
    """A new key, which signs once it was published for a while; `at_once` distrusts the others."""
    now = datetime.now(UTC)
    signs_from = now if at_once or _none_yet(session) else now + PUBLISHED_BEFORE
    until = now if at_once else signs_from + TRUSTED_AFTER
    trusted = or_(
        col(SigningKeyRow.trusted_until).is_(None), col(SigningKeyRow.trusted_until) > until
    )
    session.execute(update(SigningKeyRow).where(trusted).values(trusted_until=until))
    key = new_signing_key(algorithm)
    ring_key_id, sealed = ring.wrap(key.private_pem, about(key.kid))
    session.execute(
        insert(SigningKeyRow).values(
            kid=key.kid,
            algorithm=key.algorithm,
            ring_key_id=ring_key_id,
            sealed=sealed,
            created_at=now,
            signs_from=signs_from,
            trusted_until=None,
        )
    )
    return key


def due(session: Session, days: int) -> bool:
    """Whether the newest key is older than this, or there is none."""
    newest = session.execute(select(func.max(col(SigningKeyRow.signs_from)))).scalar_one()
    return newest is None or newest < datetime.now(UTC) - timedelta(days=days)


def drop_distrusted(session: Session) -> None:
    """Delete keys that no living token can be signed with."""
    session.execute(
        delete(SigningKeyRow).where(col(SigningKeyRow.trusted_until) < datetime.now(UTC))
    )


def _none_yet(session: Session) -> bool:
    return session.execute(select(col(SigningKeyRow.kid)).limit(1)).first() is None


def _read(session: Session, ring: KeyRing, known: dict[str, _Known]) -> dict[str, _Known]:
    found = {}
    for row in session.execute(select(SigningKeyRow)).scalars():
        if row.kid in known:
            key, verifying = known[row.kid][:2]
        else:
            pem = ring.unwrap(row.ring_key_id, row.sealed, about(row.kid))
            key = SigningKey(
                kid=row.kid, algorithm=cast("SigningAlgorithm", row.algorithm), private_pem=pem
            )
            verifying = key.verifying()
        found[row.kid] = _Known(key, verifying, row.signs_from, row.trusted_until)
    return found


def _trusted(known: _Known, now: datetime) -> bool:
    return known.trusted_until is None or now < known.trusted_until


def about(kid: str) -> str:
    """What the wrapping of a key is bound to."""
    return f"signing|{kid}"
