"""Rendering, bounded: so many reports at once, so many waiting, and no more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.problems import Problem


class Renderer:
    """Lets at most `workers` renderings run and `queue` wait, each for at most `seconds`."""

    def __init__(self, workers: int, queue: int, seconds: float) -> None:
        self._places = threading.BoundedSemaphore(workers + queue)
        self._workers = threading.BoundedSemaphore(workers)
        self._seconds = seconds

    def render(self, make: Callable[[], bytes]) -> bytes:
        """What `make` makes. Raises Problem `too_many` where no place comes free in time."""
        with self._held(self._places, 0), self._held(self._workers, self._seconds):
            return make()

    @contextmanager
    def _held(self, places: threading.BoundedSemaphore, seconds: float) -> Iterator[None]:
        if not places.acquire(timeout=seconds):
            raise Problem("too_many", headers={"Retry-After": "5"})
        try:
            yield
        finally:
            places.release()
