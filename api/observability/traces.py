"""OpenTelemetry traces: one span for each request, sent to the operator's collector.

A span holds method, route template, status, problem code and request id. Of what the client sent it
holds only ids in a valid `traceparent` or `X-Request-Id`; `tracestate` is not passed on. FastAPI's
own spans would hold whole addresses, with patients' numbers, and stay off.
"""

import time
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_SECONDS = 5.0
"""How long the collector may take to accept spans."""
_PARENT_HEADER = "traceparent"
_SERVER_ERROR = 500


class RequestTraces:
    """Records a span for each request."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("nociscreen", version("nociscreen"))

    def record_request(  # noqa: PLR0913 - the attributes of a span
        self,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        route: str,
        method: str,
        status: int,
        problem: str,
        request_id: str,
        seconds: float,
    ) -> None:
        """Record the span of a request that has just ended, below the span of its caller."""
        ended_at = time.time_ns()
        span = self._tracer.start_span(
            f"{method} {route}",
            _read_parent(headers),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "nociscreen.request_id": request_id,
            },
            start_time=ended_at - round(seconds * 1e9),
        )
        if problem:
            span.set_attribute("error.type", problem)
        if status >= _SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end(ended_at)

    def close(self) -> None:
        """Send the spans that wait; they are lost if the collector does not accept them in time."""
        self._provider.shutdown()


def open_traces(url: str) -> RequestTraces | None:
    """Return what sends spans to the OTLP address, or None for an empty address.

    Spans are sent by a thread of their own, which drops them when too many wait.
    """
    if not url:
        return None
    # the packages of the extra `traces`, which the settings check
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = {"service.name": "nociscreen", "service.version": version("nociscreen")}
    provider = TracerProvider(resource=Resource.create(resource))
    exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return RequestTraces(provider)


def _read_parent(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """Return the caller's trace context (W3C), an empty one if it is absent or malformed."""
    name = _PARENT_HEADER.encode()
    parents = [value.decode("latin-1") for key, value in headers if key == name]
    return TraceContextTextMapPropagator().extract({_PARENT_HEADER: parents}, Context())
