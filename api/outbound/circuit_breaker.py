"""Lets one attempt at a time go to a host, and none for a while after it gave no response."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

FIRST_REST_SECONDS = 5.0
MAX_REST_SECONDS = 60.0
MAX_HOSTS = 10_000


class HostUnavailableError(Exception):
    """Another attempt at the host is under way, or the host rests after a failure."""


class _Failures(NamedTuple):
    in_a_row: int
    rests_until: float


class HostAttempt:
    """One attempt at a host, successful unless `fail` is called."""

    has_failed = False

    def fail(self) -> None:
        """Note that the host gave no response."""
        self.has_failed = True


class CircuitBreaker:
    """The hosts with an attempt under way, and those that rest after a failure. Thread-safe."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._busy: set[Hashable] = set()
        self._failures: dict[Hashable, _Failures] = {}

    @contextmanager
    def enter(self, host: Hashable) -> Iterator[HostAttempt]:
        """Make the only attempt at the host. Raises HostUnavailableError without waiting."""
        with self._lock:
            failures = self._failures.get(host)
            is_resting = failures is not None and failures.rests_until > self._now()
            if host in self._busy or is_resting:
                raise HostUnavailableError
            self._busy.add(host)
        attempt = HostAttempt()
        try:
            yield attempt
        finally:
            with self._lock:
                self._busy.discard(host)
                self._note(host, attempt)

    @contextmanager
    def enter_with_others(self, host: Hashable) -> Iterator[HostAttempt]:
        """Make one of several attempts. Raises HostUnavailableError while the host rests."""
        with self._lock:
            failures = self._failures.get(host)
            if failures is not None and failures.rests_until > self._now():
                raise HostUnavailableError
        attempt = HostAttempt()
        try:
            yield attempt
        finally:
            with self._lock:
                self._note(host, attempt)

    def _note(self, host: Hashable, attempt: HostAttempt) -> None:
        """Remember the failure: the rest doubles with each in a row."""
        last = self._failures.pop(host, None)
        if not attempt.has_failed:
            return
        in_a_row = last.in_a_row + 1 if last else 1
        rest_seconds = min(FIRST_REST_SECONDS * 2 ** min(in_a_row - 1, 10), MAX_REST_SECONDS)
        if len(self._failures) >= MAX_HOSTS:
            self._failures.pop(next(iter(self._failures)))
        self._failures[host] = _Failures(in_a_row, self._now() + rest_seconds)
