"""Limits: who calls comes in, nothing goes out; too often, and it is the problem `too_many`."""

import heapq
import math
import threading
import time
from collections.abc import Callable

from api.problems import Problem

CLIENTS = 10_000


class RateLimiter:
    """So many calls a minute for each client: a bucket of one minute's quota, refilled evenly.

    Of each bucket only the instant is kept at which it will be full again. Over 10,000 clients,
    the tenth of the buckets that are full, or nearest to it, is forgotten.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, client: str, per_minute: int) -> None:
        """Take one from the client's bucket.

        Raises Problem `too_many`, with `Retry-After` in whole seconds, where there is none.
        """
        with self._lock:
            self._full_at[client] = self._after_one(client, per_minute)
            if len(self._full_at) > CLIENTS:
                self._forget()

    def check(self, client: str, per_minute: int) -> None:
        """Raise as `take` would, and take nothing: before a sign-in, whose failure is taken."""
        with self._lock:
            self._after_one(client, per_minute)

    def _after_one(self, client: str, per_minute: int) -> float:
        """When the bucket would be full again after one more."""
        now, refill = self._now(), 60 / per_minute
        full_at = max(self._full_at.get(client, now), now) + refill
        wait = full_at - now - 60 - refill / 1000  # sums of small intervals are not exact
        if wait > 0:
            raise Problem("too_many", headers={"Retry-After": str(max(1, math.ceil(wait)))})
        return full_at

    def _forget(self) -> None:
        for client in heapq.nsmallest(CLIENTS // 10, self._full_at, key=self._full_at.__getitem__):
            del self._full_at[client]
