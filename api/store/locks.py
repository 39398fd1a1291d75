"""Turns: one at a time in this process, first come, first served; for all, or for each of a name.

SQLite's own waiting lets some writers starve; this does not.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Event, Lock


class Turns:
    """A lock that is handed on in the order in which it was asked for."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Event] = deque()
        self._taken = False

    @contextmanager
    def taken(self, seconds: float) -> Iterator[None]:
        """Hold the turn. Raises TimeoutError where it does not come in time."""
        mine = self._ask()
        if mine is not None and not mine.wait(seconds) and not self._left(mine):
            raise TimeoutError("another writer holds the database")
        try:
            yield
        finally:
            self._hand_on()

    def _ask(self) -> Event | None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return None
            mine = Event()
            self._waiting.append(mine)
            return mine

    def _left(self, mine: Event) -> bool:
        """Leave the queue; True where the turn came at the last moment."""
        with self._guard:
            if mine.is_set():
                return True
            self._waiting.remove(mine)
            return False

    def _hand_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class NamedTurns:
    """A turn of its own for each name, known for as long as someone holds it or waits for it."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._asked: dict[Hashable, tuple[Turns, int]] = {}

    @contextmanager
    def taken(self, name: Hashable, seconds: float) -> Iterator[None]:
        """Hold the turn of this name. Raises TimeoutError where it does not come in time."""
        with self._guard:
            turns, count = self._asked.get(name) or (Turns(), 0)
            self._asked[name] = turns, count + 1
        try:
            with turns.taken(seconds):
                yield
        finally:
            with self._guard:
                turns, count = self._asked.pop(name)
                if count > 1:
                    self._asked[name] = turns, count - 1
