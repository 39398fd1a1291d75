"""Refusals: whoever is not let through leaves a row, and a flood of strangers leaves few.

A caller that is known is recorded each time. Strangers, and callers that come too often, are told
one row a second for each kind of refusal; `count` says how many it stands for. Nobody waits long
for a row about a refusal: where the database has another writer, it is written after that.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from api.problems import Problem
from api.store.accounts.organisations import SYSTEM
from api.store.store import Store
from api.store.transaction import Actor

WINDOW_SECONDS = 1.0
KINDS_AT_ONCE = 1000
WAIT_SECONDS = 1.0
STRANGER = Actor(SYSTEM, "unknown", "anonymous")
_log = structlog.get_logger("nociscreen")


class _Kind(NamedTuple):
    actor: Actor
    code: str


class _Late(NamedTuple):
    actor: Actor
    code: str
    target: str
    times: int


class Refusals:
    """Records what was refused, in the chain of whose call it was."""

    def __init__(self, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._guard = threading.Lock()
        self._untold: dict[_Kind, tuple[float, int]] = {}
        self._late: deque[_Late] = deque()

    def record(self, actor: Actor, code: str, target: str = "") -> None:
        """Record one. Where it was refused as the database does not serve, the log alone tells."""
        if code == "unavailable":
            _log.warning("refusal_not_recorded", code=code, count=1)
            return
        if len(self._untold) >= KINDS_AT_ONCE:
            self.flush()
        count = 1
        if actor.organisation == SYSTEM or code == "too_many":
            count = self._due(_Kind(actor._replace(request_id=""), code))
        if count:
            self._write(actor, code, target, count)

    def flush(self) -> None:
        """Record what was counted and not yet told."""
        with self._guard:
            untold, self._untold = self._untold, {}
        for kind, (_, count) in untold.items():
            if count:
                self._write(kind.actor, kind.code, "", count)
        self._catch_up()

    def _due(self, kind: _Kind) -> int:
        """How many the next row stands for; 0 where it is too soon for one."""
        now = self._now()
        with self._guard:
            since, count = self._untold.get(kind, (float("-inf"), 0))
            if now - since >= WINDOW_SECONDS:
                self._untold[kind] = now, 0
                return count + 1
            self._untold[kind] = since, count + 1
            return 0

    def _write(self, actor: Actor, code: str, target: str, count: int) -> None:
        late = _Late(actor, code, target, count)
        if self._written(late):
            self._catch_up()

    def _catch_up(self) -> None:
        """Write what had to wait, for as long as the database takes it."""
        for _ in range(len(self._late)):
            try:
                late = self._late.popleft()
            except IndexError:  # another thread wrote it
                return
            if not self._written(late):
                return

    def _written(self, late: _Late) -> bool:
        """Write one row; where the database is busy, it waits for a better time."""
        actor, code, target, times = late
        try:
            with self._store.transaction(actor, WAIT_SECONDS) as work:
                work.audit("refuse", target=target, outcome=code, count=times)
        except Problem as problem:
            if problem.code == "unavailable" and len(self._late) < KINDS_AT_ONCE:
                self._late.append(late)
            else:
                _log.warning("refusal_not_recorded", code=code, count=times)
            return False
        return True
