"""Limits the request rate of each client."""

import heapq
import ipaddress
import math
import threading
import time
from collections.abc import Callable

from fastapi import Request

from api.problems import TooManyRequestsProblem

MAX_CLIENTS = 10_000


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
            self._full_at[client] = self._compute_full_at(client, per_minute)
            if len(self._full_at) > MAX_CLIENTS:
                self._drop_fullest()

    def check(self, client: str, per_minute: int) -> None:
        """Raise as `take` does, but take nothing: before a sign-in, where only failures count."""
        with self._lock:
            self._compute_full_at(client, per_minute)

    def _compute_full_at(self, client: str, per_minute: int) -> float:
        """Return when the bucket would be full again after one more request."""
        now, refill = self._now(), 60 / per_minute
        full_at = max(self._full_at.get(client, now), now) + refill
        wait = full_at - now - 60 - refill / 1000  # sums of small intervals are not exact
        if wait > 0:
            raise TooManyRequestsProblem(max(1, math.ceil(wait)))
        return full_at

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
