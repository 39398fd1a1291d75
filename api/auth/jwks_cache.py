"""Sets of keys by address: fetched from allowed places alone, held no longer than their owner says.

A name that is not in a set has it fetched anew, so that a key can be changed without downtime; but
not more often than every ten seconds, whoever makes names up.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog

from api.http import strict_json
from api.outbound.connection import Way
from api.outbound.errors import OutgoingError
from api.outbound.http_client import Answer, Asked, answered
from api.problems import Problem
from api.security.jwks import key_in, keys_of
from api.security.keys import VerifyingKey
from api.store.accounts.organisations import SERVICE
from api.store.deliveries import allowed_hosts
from api.store.locks import NamedTurns
from api.store.store import Store

MOST_BYTES = 128 * 1024
MOST_SETS = 256
USUAL_SECONDS = 300
LONGEST_SECONDS = 3600
SHORTEST_SECONDS = 1
AGAIN_SECONDS = 10
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})\"?(?:[\s,]|$)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:[\s,]|$)", re.IGNORECASE)
_log = structlog.get_logger("nociscreen")


class Source(NamedTuple):
    """Where a set of keys is published, and in whose name it is fetched."""

    organisation: str
    url: str


class _Held(NamedTuple):
    """A set of keys, or None where it could not be fetched; and until when that holds."""

    keys: tuple[dict[str, Any], ...] | None
    fetched_at: float
    until: float


class KeySets:
    """Every set of keys that is in use. Safe to use from many threads."""

    def __init__(
        self, store: Store, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._now = now
        self._held: OrderedDict[Source, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = NamedTurns()

    def key(self, source: Source, kid: str, algorithm: Any) -> VerifyingKey | None:
        """The key of that name. Raises Problem `unavailable` where the set cannot be fetched."""
        held = self._good(source)
        key = held and key_in(held.keys or (), kid, algorithm)
        if key is not None:
            return key
        try:
            with self._turns.taken(source, self._seconds + 1):
                held = self._good(source)
                if held is None or held.fetched_at + AGAIN_SECONDS <= self._now():
                    held = self._fetched(source)
        except TimeoutError:
            raise _unavailable() from None
        if held.keys is None:
            raise _unavailable()
        return key_in(held.keys, kid, algorithm)

    def _good(self, source: Source) -> _Held | None:
        """What is held of the set, where it still holds."""
        with self._lock:
            held = self._held.get(source)
            if held is None or held.until <= self._now():
                return None
            self._held.move_to_end(source)
            return held

    def _fetched(self, source: Source) -> _Held:
        now = self._now()
        try:
            answer = self._asked(source)
            keys = _keys(answer)
            held = _Held(keys, now, now + _seconds_kept(answer))
        except OutgoingError as error:
            _log.warning("key_set", organisation=source.organisation, why=error.why)
            held = _Held(None, now, now + AGAIN_SECONDS)
        with self._lock:
            self._held[source] = held
            while len(self._held) > MOST_SETS:
                self._held.popitem(last=False)
        return held

    def _asked(self, source: Source) -> Answer:
        actor = SERVICE._replace(organisation=source.organisation)
        with self._store.glance() as session:
            allowed = allowed_hosts.allowed(self._store.within(session, actor))
        asked = Asked("GET", source.url, {"Accept": "application/json"})
        return answered(asked, Way(allowed, self._seconds), MOST_BYTES)


def _keys(answer: Answer) -> tuple[dict[str, Any], ...]:
    if answer.status != 200:
        raise OutgoingError("unreadable")
    try:
        return keys_of(strict_json.parse(answer.content))
    except (Problem, ValueError):
        raise OutgoingError("unreadable") from None


def _seconds_kept(answer: Answer) -> int:
    """As its `Cache-Control` says, an hour at most; five minutes where it says nothing.

    A second at least, also where it is not to be kept: whoever calls at once shares one answer.
    """
    told = answer.headers.get("cache-control", "")
    if _NOT_KEPT.search(told):
        return SHORTEST_SECONDS
    age = _MAX_AGE.search(told)
    seconds = int(age[1]) if age else USUAL_SECONDS
    return max(SHORTEST_SECONDS, min(seconds, LONGEST_SECONDS))


def _unavailable() -> Problem:
    detail = "The keys that would prove the signature cannot be fetched now."
    return Problem("unavailable", detail, headers={"Retry-After": str(AGAIN_SECONDS)})
