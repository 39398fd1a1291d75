"""Maintenance: while the service runs, its upkeep is done once an hour, in a thread of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from api.problems import Problem
from api.settings import Settings
from api.store.operations.housekeeping import keep_up
from api.store.store import Store

EVERY_SECONDS = 3600.0
_log = structlog.get_logger("nociscreen")


@contextmanager
def kept_up(store: Store, settings: Settings) -> Iterator[None]:
    """Keep the store up until the block ends."""
    ended = threading.Event()

    def work() -> None:
        while True:
            try:
                keep_up(store, settings.token_algorithm, settings.signing_key_days)
            except Problem as problem:
                _log.warning("upkeep", problem=problem.code)
            except Exception:  # noqa: BLE001 - what fails once is tried again in an hour
                _log.exception("upkeep")
            if ended.wait(EVERY_SECONDS):
                return

    thread = threading.Thread(target=work, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=10)
