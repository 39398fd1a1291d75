"""Prometheus metrics of the service, without clients, organisations, ids or paths.

Every label has a closed set of values: declared routes, known methods, statuses and codes.
"""

from collections.abc import Callable
from functools import partial

import prometheus_client
import structlog

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

_log = structlog.get_logger("nociscreen")


class Metrics:
    """The metrics of one service, in their own registry."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
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
            "nociscreen_requests_in_progress", "Requests in progress.", registry=registry
        )
        self._problems = count("problems", "Problem responses.", ("code",))
        self._screenings = count("screenings_stored", "Screenings stored.", ("status",))
        self._faults = count("storage_faults", "Storage faults.", ("kind",))
        self._attempts = count("delivery_attempts", "Delivery attempts.", ("outcome",))
        self._parked = count("deliveries_parked", "Deliveries parked for manual review.")
        self._audit_rows = count("audit_rows", "Audit rows written.")
        self._untrusted = count(
            "untrusted_forwarded_requests", "Requests forwarded by a proxy that is not trusted."
        )
        self.has_untrusted_proxy = False

    def record_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Record a response; `route` is the declared path."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def track_requests_in_progress(self, count_in_progress: Callable[[], int]) -> None:
        """Set the callback that counts requests in progress."""
        self._in_progress.set_function(count_in_progress)

    def record_problem(self, code: str) -> None:
        """Count a problem response by its code."""
        self._problems.labels(code).inc()

    def record_screening(self, status: str) -> None:
        """Count a stored screening by the status of its assessment."""
        self._screenings.labels(status).inc()

    def record_storage_fault(self, kind: str) -> None:
        """Count a storage fault by its kind: `full`, `locked`, `away` or `keys`."""
        self._faults.labels(kind).inc()

    def record_delivery_attempt(self, outcome: str, *, parked: bool) -> None:
        """Count a delivery attempt by its outcome, and a parked delivery."""
        self._attempts.labels(outcome).inc()
        if parked:
            self._parked.inc()

    def record_audit_rows(self, rows: int = 1) -> None:
        """Count audit rows."""
        self._audit_rows.inc(rows)

    def record_untrusted_forwarding(self) -> None:
        """Count a request of a proxy that is not trusted; the first one is logged."""
        self._untrusted.inc()
        if not self.has_untrusted_proxy:
            self.has_untrusted_proxy = True
            _log.warning("proxy_not_trusted", setting="NOCISCREEN_TRUSTED_PROXIES")

    def render(self) -> bytes:
        """Render all metrics in Prometheus text format 0.0.4."""
        return prometheus_client.generate_latest(self._registry)
