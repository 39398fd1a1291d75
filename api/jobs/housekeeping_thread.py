"""Runs the store's housekeeping once an hour, in a thread, while the service runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from api.settings import Settings
from api.store.errors import StoreError
from api.store.operations.housekeeping import run_housekeeping
from api.store.store import Store

INTERVAL_SECONDS = 3600.0
_log = structlog.get_logger("nociscreen")


@contextmanager
def running_housekeeping(store: Store, settings: Settings) -> Iterator[None]:
    """Run the housekeeping until the block ends."""
    stopped = threading.Event()

    def run() -> None:
        while True:
            try:
                run_housekeeping(store, settings.token_algorithm, settings.signing_key_days)
            except StoreError as error:
                _log.warning("housekeeping_failed", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - a failure is retried after an hour
                _log.exception("housekeeping_failed")
            if stopped.wait(INTERVAL_SECONDS):
                return

    thread = threading.Thread(target=run, name="housekeeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=10)
