"""Sends deliveries in threads of their own, so that a silent receiver delays only its own.

One organisation has at most half of the threads, and one host a single one. A host that gave no
response rests, and the destinations that were served longest ago come first.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress

import structlog

from api.deliveries.sender import POLL_INTERVAL_SECONDS, DeliverySender
from api.outbound.bulkhead import Bulkhead, BulkheadFullError
from api.outbound.circuit_breaker import CircuitBreaker, HostAttempt, HostUnavailableError
from api.store.deliveries.dispatch import DueDestination
from api.store.errors import StoreError

_log = structlog.get_logger("nociscreen")


class _SenderThreads:
    """The threads of one sender, and which destinations they serve."""

    def __init__(self, sender: DeliverySender, workers: int) -> None:
        self._sender = sender
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="delivery")
        self._places = Bulkhead(workers, max(1, workers // 2))
        self._hosts = CircuitBreaker()
        self._served_at: dict[DueDestination, float] = {}
        self._running: set[Future[int]] = set()
        self._stopping = threading.Event()

    def poll(self) -> None:
        """Look for due deliveries until `stop` is called."""
        while not self._stopping.wait(POLL_INTERVAL_SECONDS):
            try:
                due = self._sender.list_due_destinations()
            except StoreError as error:
                _log.warning("delivery", error=type(error).__name__)
                continue
            self._running = {attempt for attempt in self._running if not attempt.done()}
            for destination in self._served_at.keys() - set(due):
                del self._served_at[destination]
            for destination in sorted(due, key=lambda it: self._served_at.get(it, 0.0)):
                self._submit(destination)

    def send_once(self) -> int:
        """Send what is due now, and return the number of attempts. Raises StoreError."""
        waiting, attempts = self._sender.list_due_destinations(), 0
        while True:
            waiting = [destination for destination in waiting if not self._submit(destination)]
            if not self._running:  # the hosts that are left gave no response
                return attempts
            finished, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            attempts += sum(attempt.result() for attempt in finished)

    def stop(self) -> None:
        """Complete the attempts in progress and begin no more."""
        self._stopping.set()

    def close(self) -> None:
        """Wait for the attempts in progress."""
        self._pool.shutdown()

    def _submit(self, destination: DueDestination) -> bool:
        """Send to this destination if a thread and its host are free; return whether they were."""
        with ExitStack() as place, suppress(BulkheadFullError, HostUnavailableError):
            place.enter_context(self._places.enter(destination.organisation))
            try:
                host_port = self._sender.find_host(destination)
            except Exception as error:  # noqa: BLE001 - the other destinations have their turn
                _log.warning("delivery", error=type(error).__name__)
                return True
            host = place.enter_context(self._hosts.enter(host_port))
            self._served_at[destination] = time.monotonic()
            attempt = self._pool.submit(self._send, destination, host, place.pop_all())
            self._running.add(attempt)
            return True
        return False

    def _send(self, destination: DueDestination, host: HostAttempt, place: ExitStack) -> int:
        """Send to this destination; return the number of attempts, 0 if this service failed."""
        with place:
            try:
                return self._sender.drain(destination, self._stopping, host)
            except StoreError as error:
                _log.warning("delivery", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - one destination's failure must not stop the others
                _log.error("delivery", error=type(error).__name__)
            return 0


@contextmanager
def running_sender(sender: DeliverySender, workers: int) -> Iterator[None]:
    """Send in background threads until the block ends; attempts in progress are then completed."""
    threads = _SenderThreads(sender, workers)
    poller = threading.Thread(target=threads.poll, name="deliveries", daemon=True)
    poller.start()
    try:
        yield
    finally:
        threads.stop()
        poller.join(timeout=30)
        threads.close()


def send_due_deliveries(sender: DeliverySender, workers: int) -> int:
    """Send all due deliveries once, as the service does; return the number of attempts.

    Raises StoreError.
    """
    threads = _SenderThreads(sender, workers)
    try:
        return threads.send_once()
    finally:
        threads.stop()
        threads.close()
