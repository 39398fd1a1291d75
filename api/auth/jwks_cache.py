"""Fetches JWK sets from allowed hosts and caches them as their `Cache-Control` permits.

An unknown key id fetches the set again, so that keys can be rotated without downtime, but at most
once in ten seconds: made-up key ids cannot cause more requests. If a set can't be fetched again,
its last keys serve for up to an hour.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog

from api.outbound.bulkhead import Bulkhead, BulkheadFullError
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, OutboundResponse, send_request
from api.problems import Problem
from api.security.jwks import find_jwk, parse_jwks
from api.security.keys import VerifyingKey
from api.security.strict_json import decode_json
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.deliveries import allowed_hosts
from api.store.locks import KeyedLocks
from api.store.store import Store

MAX_SET_BYTES = 128 * 1024
MAX_SETS = 256
DEFAULT_LIFETIME_SECONDS = 300
MAX_LIFETIME_SECONDS = 3600
MIN_LIFETIME_SECONDS = 1
REFETCH_SECONDS = 10
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})\"?(?:[\s,]|$)", re.IGNORECASE)
_NO_STORE = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:[\s,]|$)", re.IGNORECASE)
_log = structlog.get_logger("nociscreen")


class JwksSource(NamedTuple):
    """The address of a JWK set and the organisation whose allowlist applies."""

    organisation: str
    url: str


class _CachedSet(NamedTuple):
    """A JWK set, or None if fetching it failed; valid until the monotonic time `until`.

    While it can't be fetched again, its keys serve until `good_until`.
    """

    keys: tuple[dict[str, Any], ...] | None
    fetched_at: float
    until: float
    good_until: float


class JwksCache:
    """A cache of the JWK sets in use. Thread-safe."""

    def __init__(
        self,
        store: Store,
        seconds: float,
        bulkhead: Bulkhead,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._bulkhead = bulkhead
        self._now = now
        self._sets: OrderedDict[JwksSource, _CachedSet] = OrderedDict()
        self._lock = threading.Lock()
        self._locks = KeyedLocks()

    def find_key(self, source: JwksSource, kid: str, algorithm: Any) -> VerifyingKey | None:
        """Return the key with that id or None. Raises Problem `unavailable` if fetching fails."""
        jwk_set = self._find_cached(source)
        key = jwk_set and find_jwk(jwk_set.keys or (), kid, algorithm)
        if key is not None:
            return key
        try:
            with (
                self._bulkhead.enter(source.organisation),
                self._locks.acquire(source, self._seconds + 1),
            ):
                jwk_set = self._find_cached(source)
                if jwk_set is None or jwk_set.fetched_at + REFETCH_SECONDS <= self._now():
                    jwk_set = self._refresh(source)
        except (TimeoutError, BulkheadFullError):
            raise _unavailable() from None
        if jwk_set.keys is None:
            raise _unavailable()
        return find_jwk(jwk_set.keys, kid, algorithm)

    def _find_cached(self, source: JwksSource) -> _CachedSet | None:
        with self._lock:
            jwk_set = self._sets.get(source)
            if jwk_set is None or jwk_set.until <= self._now():
                return None
            self._sets.move_to_end(source)
            return jwk_set

    def _refresh(self, source: JwksSource) -> _CachedSet:
        now = self._now()
        try:
            response = self._fetch(source)
            keys = _parse_keys(response)
            jwk_set = _CachedSet(
                keys, now, now + _lifetime_seconds(response), now + MAX_LIFETIME_SECONDS
            )
        except OutboundError as error:
            _log.warning("jwks_fetch_failed", organisation=source.organisation, why=error.reason)
            jwk_set = self._keep_last_keys(source, now)
        with self._lock:
            self._sets[source] = jwk_set
            while len(self._sets) > MAX_SETS:
                self._sets.popitem(last=False)
        return jwk_set

    def _keep_last_keys(self, source: JwksSource, now: float) -> _CachedSet:
        """Return what serves until the next attempt: the last keys, unless they are too old."""
        with self._lock:
            last = self._sets.get(source)
        if last is None or last.keys is None or last.good_until <= now:
            return _CachedSet(None, now, now + REFETCH_SECONDS, now)
        return last._replace(fetched_at=now, until=now + REFETCH_SECONDS)

    def _fetch(self, source: JwksSource) -> OutboundResponse:
        actor = SERVICE_ACTOR._replace(organisation=source.organisation)
        with self._store.read_all_organisations() as session:
            work = self._store.join_transaction(session, actor)
            policy = ConnectionPolicy(allowed_hosts.list_allowed_hosts(work), self._seconds)
        request = OutboundRequest("GET", source.url, {"Accept": "application/json"})
        return send_request(request, policy, MAX_SET_BYTES)


def _parse_keys(response: OutboundResponse) -> tuple[dict[str, Any], ...]:
    if response.status != 200:
        raise OutboundError("unreadable")
    try:
        return parse_jwks(decode_json(response.content))
    except ValueError:
        raise OutboundError("unreadable") from None


def _lifetime_seconds(response: OutboundResponse) -> int:
    """Return the lifetime: five minutes by default, a second for `no-store`, an hour at most."""
    cache_control = response.headers.get("cache-control", "")
    if _NO_STORE.search(cache_control):
        return MIN_LIFETIME_SECONDS
    age = _MAX_AGE.search(cache_control)
    seconds = int(age[1]) if age else DEFAULT_LIFETIME_SECONDS
    return max(MIN_LIFETIME_SECONDS, min(seconds, MAX_LIFETIME_SECONDS))


def _unavailable() -> Problem:
    detail = "The keys to verify the signature can't be fetched now."
    return Problem("unavailable", detail, headers={"Retry-After": str(REFETCH_SECONDS)})
