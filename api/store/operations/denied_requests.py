"""Audit rows of denied requests, aggregated so that a flood of them writes only a few rows.

Each denial of a known caller is recorded. Denials of anonymous callers, of callers over their rate
limit and of HL7 messages are aggregated to one row per second, actor and code, whose `count` says
how many it stands for. A request does not wait long for its row: if the database is busy, the row
is retried later.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from api.store.accounts.organisations import SYSTEM
from api.store.errors import StoreError, UnavailableError
from api.store.store import Store
from api.store.transaction import Actor

AGGREGATION_SECONDS = 1.0
MAX_PENDING = 1000
WAIT_SECONDS = 1.0
ANONYMOUS_ACTOR = Actor(SYSTEM, "unknown", "anonymous")
_log = structlog.get_logger("nociscreen")


class _Denial(NamedTuple):
    actor: Actor
    code: str
    target: str
    reason: str
    occurrences: int


_Aggregate = tuple[Actor, str, str]
"""The actor, code and reason of denials that are counted together."""


class DeniedRequestLog:
    """Records denied requests in the audit chain of the caller's organisation."""

    def __init__(self, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        self._aggregates: dict[_Aggregate, tuple[float, int]] = {}
        self._pending: deque[_Denial] = deque()

    def record(
        self,
        actor: Actor,
        code: str,
        target: str = "",
        *,
        reason: str = "",
        is_aggregated: bool = False,
    ) -> None:
        """Record one denial, or one row for all of a second with `is_aggregated`.

        `reason` says in one word what the code does not tell the sender; it is the row's `kind`.
        If the database is unavailable, only the log records it.
        """
        if code == "unavailable":
            _log.warning("denial_not_recorded", code=code, count=1)
            return
        if len(self._aggregates) >= MAX_PENDING:
            self.flush()
        count = 1
        if is_aggregated or actor.organisation == SYSTEM or code == "too_many":
            count = self._count_due((actor._replace(request_id=""), code, reason))
        if count:
            self._write(_Denial(actor, code, target, reason, count))

    def flush(self) -> None:
        """Record all denials that were counted but not yet written."""
        with self._lock:
            aggregates, self._aggregates = self._aggregates, {}
        for (actor, code, reason), (_, count) in aggregates.items():
            if count:
                self._write(_Denial(actor, code, "", reason, count))
        self._retry_pending()

    def _count_due(self, key: _Aggregate) -> int:
        """Return how many denials to write in a row now; 0 if it is too soon."""
        now = self._now()
        with self._lock:
            since, count = self._aggregates.get(key, (float("-inf"), 0))
            if now - since >= AGGREGATION_SECONDS:
                self._aggregates[key] = now, 0
                return count + 1
            self._aggregates[key] = since, count + 1
            return 0

    def _write(self, denial: _Denial) -> None:
        if self._try_write(denial):
            self._retry_pending()

    def _retry_pending(self) -> None:
        for _ in range(len(self._pending)):
            try:
                denial = self._pending.popleft()
            except IndexError:  # another thread wrote it
                return
            if not self._try_write(denial):
                return

    def _try_write(self, denial: _Denial) -> bool:
        """Write one row, or keep it pending if the database is unavailable; True if written."""
        actor, code, target, reason, count = denial
        try:
            with self._store.transaction(actor, WAIT_SECONDS) as work:
                work.audit("refuse", reason, target, outcome=code, count=count)
        except StoreError as error:
            if isinstance(error, UnavailableError) and len(self._pending) < MAX_PENDING:
                self._pending.append(denial)
            else:
                _log.warning("denial_not_recorded", code=code, count=count)
            return False
        return True
