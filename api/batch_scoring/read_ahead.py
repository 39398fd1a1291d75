"""Overlaps the steps of a run: threads read the next input and write finished output."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Generator[Item, None, None]) -> Iterator[Item]:
    """Yield the items; a thread makes the next one while the last one is in use."""
    with ThreadPoolExecutor(1) as reader:
        try:
            upcoming = reader.submit(next, items, None)
            while (item := upcoming.result()) is not None:
                upcoming = reader.submit(next, items, None)
                yield item
        finally:
            reader.shutdown()
            items.close()


@contextmanager
def write_behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Return a function that runs a step in a thread, one after another.

    It waits for the step before and raises its error. At the end every step is done.
    """
    last: Future[None] | None = None

    def write(step: Callable[[], None]) -> None:
        nonlocal last
        if last is not None:
            last.result()
        last = writer.submit(step)

    with ThreadPoolExecutor(1) as writer:
        yield write
        if last is not None:
            last.result()
