"""Metrics: what happens comes in, Prometheus' text goes out. No client, organisation, id or path.

Every label is one of a closed set: a route as it is declared, a known method, a status, a code.
"""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What is counted in one service, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "nociscreen_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=own,
        )
        self._seconds = Histogram(
            "nociscreen_request_seconds",
            "How long requests took.",
            ("route",),
            buckets=SECONDS,
            registry=own,
        )
        self._under_way = Gauge("nociscreen_requests_under_way", "Requests now.", registry=own)
        self._problems = Counter("nociscreen_problems", "Problems.", ("code",), registry=own)
        self._kept = Counter(
            "nociscreen_screenings_kept", "Screenings kept.", ("status",), registry=own
        )
        self._faults = Counter(
            "nociscreen_storage_faults", "Faults of storage.", ("kind",), registry=own
        )
        self._tries = Counter(
            "nociscreen_delivery_tries", "Tries to deliver.", ("outcome",), registry=own
        )
        self._parked = Counter(
            "nociscreen_deliveries_parked",
            "Deliveries given up until a person looks.",
            registry=own,
        )
        self._audit_rows = Counter(
            "nociscreen_audit_rows", "Rows written to the audit.", registry=own
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request was answered, by this route as declared."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, under_way: Callable[[], int]) -> None:
        """Ask this how many requests are under way."""
        self._under_way.set_function(under_way)

    def problem(self, code: str) -> None:
        """A problem of this code was sent."""
        self._problems.labels(code).inc()

    def kept(self, status: str) -> None:
        """A screening was kept, its assessment of this status."""
        self._kept.labels(status).inc()

    def storage_fault(self, kind: str) -> None:
        """Storage failed in this way, one of a closed set: `full`, `locked`, `away`, `keys`."""
        self._faults.labels(kind).inc()

    def tried(self, outcome: str, *, parked: bool) -> None:
        """A delivery was tried, and ended in this way, one of a closed set."""
        self._tries.labels(outcome).inc()
        if parked:
            self._parked.inc()

    def audited(self, rows: int = 1) -> None:
        """Rows were written to the audit."""
        self._audit_rows.inc(rows)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)
