"""Bounds how many threads may wait for other hosts, so that a silent host delays no other caller.

Requests share a pool of threads. Those that need another host's answer enter the bulkhead first: it
admits a few for each source and some in all, and refuses the next at once. The HL7 v2 listener
counts its connections in the same way.
"""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

MAX_THREADS = 16
MAX_THREADS_PER_SOURCE = 4


class BulkheadFullError(Exception):
    """Too many threads are already waiting for this source, or for all sources together."""


class Bulkhead:
    """The threads that wait for other hosts, counted by source. Thread-safe."""

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
                self._threads += Counter()  # drops the sources without a waiting thread
