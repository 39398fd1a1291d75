"""Prometheus metrics of the service, without clients, organisations, ids or paths.

Every label has a closed set of values: declared routes, known methods, statuses and codes. Counters
count since the service started, over all its workers; the levels of the backlog are read from the
database.
"""

import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import prometheus_client
import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

LATENCY_BUCKETS_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
)

BACKLOG_SECONDS = 15.0
"""How long the levels of the backlog are kept, however often they are read."""
LEVEL_SECONDS = 1.0
STORE_UP_HELP = "Whether the database could be read."
BACKLOG_HELP = {
    "deliveries_waiting": "Deliveries that wait or are under way.",
    "deliveries_parked": "Deliveries parked for manual review.",
    "delivery_oldest_waiting_seconds": "Age of the oldest waiting delivery in seconds.",
    "notifications_waiting": "E-mails and SMS that wait.",
    "notifications_parked": "E-mails and SMS that could not be sent.",
    "batches_waiting": "Batches with rows that wait.",
    "batch_rows_waiting": "Rows of batches that wait.",
    "workers_alive": "Worker processes that sent a heartbeat in time.",
    "links_due": "Patients who are due to be screened again.",
    "red_flags_unacknowledged": "Screenings with unacknowledged red flags, by tier.",
}
_log = structlog.get_logger("nociscreen")


class BacklogLevel(NamedTuple):
    """How much of something waits now; `labels` tell kinds of it apart."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


class _Backlog(Collector):
    """Reads the levels when it is scraped; without a database there is only `store_up`."""

    def __init__(self) -> None:
        self.read: Callable[[], Iterable[BacklogLevel]] | None = None
        self._lock = threading.Lock()
        self._levels: list[BacklogLevel] | None = None
        self._read_at = float("-inf")

    def collect(self) -> Iterator[Any]:
        if self.read is None:
            return
        levels = self._load(self.read)
        up = GaugeMetricFamily("nociscreen_store_up", STORE_UP_HELP)
        up.add_metric([], 0 if levels is None else 1)
        yield up
        families: dict[str, GaugeMetricFamily] = {}
        for level in levels or ():
            labels = [name for name, _ in level.labels]
            family = families.setdefault(
                level.name,
                GaugeMetricFamily(
                    f"nociscreen_{level.name}", BACKLOG_HELP[level.name], labels=labels
                ),
            )
            family.add_metric([value for _, value in level.labels], level.value)
        yield from families.values()

    def _load(self, read: Callable[[], Iterable[BacklogLevel]]) -> list[BacklogLevel] | None:
        with self._lock:
            if time.monotonic() - self._read_at > BACKLOG_SECONDS:
                try:
                    self._levels = list(read())
                    self._read_at = time.monotonic()
                except Exception as error:  # noqa: BLE001 - the scrape tells that it failed
                    self._levels = None
                    _log.warning("backlog_not_read", error=type(error).__name__)
            return self._levels


class Metrics:
    """The metrics of one service, in their own registry."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._shared_folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._levels: list[tuple[prometheus_client.Gauge, Callable[[], int]]] = []
        registry = self._registry = prometheus_client.CollectorRegistry()
        count = partial(prometheus_client.Counter, registry=registry, namespace="nociscreen")
        self._requests = count("requests", "Requests answered.", ("route", "method", "status"))
        self._seconds = prometheus_client.Histogram(
            "nociscreen_request_seconds",
            "Request duration in seconds.",
            ("route",),
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self._in_progress = prometheus_client.Gauge(
            "nociscreen_requests_in_progress",
            "Requests in progress.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._problems = count("problems", "Problem responses.", ("code",))
        self._screenings = count("screenings_stored", "Screenings stored.", ("status",))
        self._faults = count("storage_faults", "Storage faults.", ("kind",))
        self._attempts = count("delivery_attempts", "Delivery attempts.", ("outcome",))
        self._audit_rows = count("audit_rows", "Audit rows written.")
        self._untrusted = count(
            "untrusted_forwarded_requests", "Requests forwarded by a proxy that is not trusted."
        )
        self._render_seconds = count("render_seconds", "Seconds of rendering reports.")
        self._rendering = prometheus_client.Gauge(
            "nociscreen_reports_in_progress",
            "Reports rendered or queued.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        build = prometheus_client.Gauge(
            "nociscreen_build_info",
            "1, with the release.",
            ("version", "python"),
            registry=registry,
            multiprocess_mode="max",
        )
        build.labels(version("nociscreen"), platform.python_version()).set(1)
        if self._shared_folder is None:
            prometheus_client.ProcessCollector(registry=registry)
        self._backlog = _Backlog()
        registry.register(self._backlog)
        self.has_untrusted_proxy = False

    def track_backlog(self, read: Callable[[], Iterable[BacklogLevel]]) -> None:
        """Set the callback that reads the levels of the backlog from the database."""
        self._backlog.read = read

    def track_reports_in_progress(self, count_in_progress: Callable[[], int]) -> None:
        """Set the callback that counts the reports that are rendered or queued."""
        self._levels.append((self._rendering, count_in_progress))

    def record_rendering(self, seconds: float) -> None:
        """Count the seconds that a report took."""
        self._render_seconds.inc(seconds)

    def record_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Record a response; `route` is the declared path."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def track_requests_in_progress(self, count_in_progress: Callable[[], int]) -> None:
        """Set the callback that counts requests in progress."""
        self._levels.append((self._in_progress, count_in_progress))

    def record_problem(self, code: str) -> None:
        """Count a problem response by its code."""
        self._problems.labels(code).inc()

    def record_screening(self, status: str) -> None:
        """Count a stored screening by the status of its assessment."""
        self._screenings.labels(status).inc()

    def record_storage_fault(self, kind: str) -> None:
        """Count a storage fault by its kind: `full`, `locked`, `away` or `keys`."""
        self._faults.labels(kind).inc()

    def record_delivery_attempt(self, outcome: str) -> None:
        """Count a delivery attempt by its outcome."""
        self._attempts.labels(outcome).inc()

    def record_audit_rows(self, rows: int = 1) -> None:
        """Count audit rows."""
        self._audit_rows.inc(rows)

    def record_untrusted_forwarding(self) -> None:
        """Count a request of a proxy that is not trusted; the first one is logged."""
        self._untrusted.inc()
        if not self.has_untrusted_proxy:
            self.has_untrusted_proxy = True
            _log.warning("proxy_not_trusted", setting="NOCISCREEN_TRUSTED_PROXIES")

    def describe(self) -> dict[str, str]:
        """Return every metric by the name under which it is exposed, with what it says."""
        described = {
            family.name + ("_total" if family.type == "counter" else ""): family.documentation
            for family in self._registry.collect()
        }
        backlog = {f"nociscreen_{name}": text for name, text in BACKLOG_HELP.items()}
        return described | backlog | {"nociscreen_store_up": STORE_UP_HELP}

    def render(self) -> bytes:
        """Render all metrics in Prometheus text format 0.0.4, those of all workers added up."""
        self.update_levels()
        if self._shared_folder is None:
            return prometheus_client.generate_latest(self._registry)
        registry = prometheus_client.CollectorRegistry()
        MultiProcessCollector(registry, self._shared_folder)  # type: ignore[no-untyped-call]
        registry.register(self._backlog)
        return prometheus_client.generate_latest(registry)

    def update_levels(self) -> None:
        """Write down what is in progress in this process, for whichever worker is scraped."""
        for gauge, count_in_progress in self._levels:
            gauge.set(count_in_progress())

    @contextmanager
    def running_updates(self) -> Iterator[None]:
        """Write the levels down every second, if workers share their metrics, until the end."""
        stopped = threading.Event()

        def run() -> None:
            while not stopped.wait(LEVEL_SECONDS):
                self.update_levels()

        if self._shared_folder is not None:
            threading.Thread(target=run, name="levels", daemon=True).start()
        yield
        stopped.set()
