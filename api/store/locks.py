"""Fair locks within one process, granted first come, first served: a single one, or one per key.

SQLite's own busy handler can starve a writer; these locks cannot.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Event, Lock


class FairLock:
    """A lock that is granted in the order of the requests."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Event] = deque()
        self._locked = False

    @contextmanager
    def acquire(self, seconds: float) -> Iterator[None]:
        """Hold the lock. Raises TimeoutError if it is not free within `seconds`."""
        grant = self._enqueue()
        if grant is not None and not grant.wait(seconds) and not self._leave_queue(grant):
            raise TimeoutError("the lock was not granted in time")
        try:
            yield
        finally:
            self._release()

    def _enqueue(self) -> Event | None:
        with self._guard:
            if not self._locked:
                self._locked = True
                return None
            grant = Event()
            self._waiting.append(grant)
            return grant

    def _leave_queue(self, grant: Event) -> bool:
        """Leave the queue; return True if the lock was granted at the last moment."""
        with self._guard:
            if grant.is_set():
                return True
            self._waiting.remove(grant)
            return False

    def _release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._locked = False


class KeyedLocks:
    """One fair lock per key; a lock exists only while it is held or waited for."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._locks: dict[Hashable, tuple[FairLock, int]] = {}

    @contextmanager
    def acquire(self, key: Hashable, seconds: float) -> Iterator[None]:
        """Hold the lock of this key. Raises TimeoutError if it is not free within `seconds`."""
        with self._guard:
            lock, count = self._locks.get(key) or (FairLock(), 0)
            self._locks[key] = lock, count + 1
        try:
            with lock.acquire(seconds):
                yield
        finally:
            with self._guard:
                lock, count = self._locks.pop(key)
                if count > 1:
                    self._locks[key] = lock, count - 1
