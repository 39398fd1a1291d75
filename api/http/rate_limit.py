"""Token buckets: how much of its limit each client, network or organisation has left."""

import heapq
import ipaddress
import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from fastapi import Request

from api.problems import TooManyRequestsProblem

MAX_CLIENTS = 10_000
WINDOW_SECONDS = 60


class Allowance(NamedTuple):
    """What is left of a minute's quota, and after how many seconds all of it is back."""

    quota: int
    remaining: int
    reset_seconds: int


class RateLimiter:
    """A token bucket for each client, which holds one minute's quota and refills evenly.

    A bucket is stored as the instant at which it will be full again. Over 10,000 clients, the
    fullest tenth of the buckets is dropped.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, client: str, per_minute: int) -> None:
        """Take one token from the client's bucket. Raises Problem `too_many` if it is empty."""
        with self._lock:
            self._store(client, self._compute_full_at(client, per_minute))

    def check(self, client: str, per_minute: int) -> None:
        """Raise as `take` does, but take nothing: before work whose cost is known afterwards."""
        with self._lock:
            self._compute_full_at(client, per_minute)

    def read(self, client: str, per_minute: int) -> Allowance:
        """Return what is left in the client's bucket."""
        with self._lock:
            now = self._now()
            missing_seconds = max(0.0, self._full_at.get(client, now) - now)
        left = (WINDOW_SECONDS - missing_seconds) * per_minute / WINDOW_SECONDS
        return Allowance(per_minute, max(0, int(left + 0.001)), math.ceil(missing_seconds))

    def charge(self, client: str, per_minute: int, amount: float) -> None:
        """Take this amount even if the bucket then owes some; later `check`s wait for that."""
        with self._lock:
            now = self._now()
            cost = amount * WINDOW_SECONDS / per_minute
            self._store(client, max(self._full_at.get(client, now), now) + cost)

    def _compute_full_at(self, client: str, per_minute: int) -> float:
        """Return when the bucket would be full again after one more request."""
        now, refill = self._now(), WINDOW_SECONDS / per_minute
        full_at = max(self._full_at.get(client, now), now) + refill
        wait = full_at - now - WINDOW_SECONDS - refill / 1000  # sums of intervals are not exact
        if wait > 0:
            raise TooManyRequestsProblem(max(1, math.ceil(wait)))
        return full_at

    def _store(self, client: str, full_at: float) -> None:
        self._full_at[client] = full_at
        if len(self._full_at) > MAX_CLIENTS:
            self._drop_fullest()

    def _drop_fullest(self) -> None:
        for client in heapq.nsmallest(
            MAX_CLIENTS // 10, self._full_at, key=self._full_at.__getitem__
        ):
            del self._full_at[client]


def read_network_key(request: Request) -> str:
    """Return the network of the client that sent the request, as every limit counts it."""
    return compute_network_key(request.client.host) if request.client else "unknown"


def compute_network_key(address: str) -> str:
    """Return an IPv4 address or the /64 network of an IPv6 one; other text is unchanged."""
    try:
        parsed_address = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed_address, ipaddress.IPv4Address):
        return str(parsed_address)
    if parsed_address.ipv4_mapped is not None:
        return str(parsed_address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed_address) >> 64 << 64, 64)))
