"""Bounds how many threads wait for foreign hosts, so that a silent host stops nobody else.

Requests share a pool of threads. Those that need a foreign host's answer enter the bulkhead first:
it holds a few for each source and some in all, and refuses the next at once.
"""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

MAX_THREADS = 12
MAX_THREADS_PER_SOURCE = 6


class BulkheadFullError(Exception):
    """Too many threads already wait for this source, or for foreign hosts in all."""


class Bulkhead:
    """The threads that wait for foreign hosts, counted by source. Thread-safe."""

    def __init__(
        self, max_threads: int = MAX_THREADS, max_per_source: int = MAX_THREADS_PER_SOURCE
    ) -> None:
        self._max_threads = max_threads
        self._max_per_source = max_per_source
        self._lock = threading.Lock()
        self._threads: Counter[Hashable] = Counter()

    @contextmanager
    def enter(self, source: Hashable) -> Iterator[None]:
        """Count this thread while the block runs. Raises BulkheadFullError without waiting."""
        with self._lock:
            if (
                self._threads[source] >= self._max_per_source
                or self._threads.total() >= self._max_threads
            ):
                raise BulkheadFullError
            self._threads[source] += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads[source] -= 1
                self._threads += Counter()  # forgets the sources that nobody waits for
