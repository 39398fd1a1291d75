import signal
import socket
import urllib.error
import urllib.request

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pydantic import ValidationError
from support.builders import build_store_settings
from support.servers.processes import issue_first_token, serving
from support.servers.span_collector import running_span_collector

from api.observability.traces import RequestTraces, open_traces
from api.settings import Settings

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "Kanarie0042x"


def get(url: str, token: str = "", **headers: str) -> int:
    """The status of the response."""
    sent_headers = headers | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=sent_headers)) as response:  # noqa: S310 - our own
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def record(*headers: tuple[bytes, bytes], status: int = 200, problem: str = ""):
    """The span of a request with these headers."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    RequestTraces(provider).record_request(
        headers,
        route="/v1/score",
        method="POST",
        status=status,
        problem=problem,
        request_id="6f",
        seconds=0.25,
    )
    (span,) = exporter.get_finished_spans()
    return span


def test_a_collector_receives_a_span_for_each_request_and_nothing_the_client_sent(tmp_path):
    settings = build_store_settings(tmp_path)
    token = issue_first_token(settings)
    with (
        running_span_collector() as collector,
        serving(settings, tmp_path / "log", NOCISCREEN_TRACES_URL=collector.url) as server,
    ):
        trace_headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": f"x={CANARY}"}
        address = f"{server.address}/v1/screenings"
        assert get(f"{address}?patient={CANARY}", token, **trace_headers) == 200
        assert get(f"{address}/{CANARY}") == 401
        server.process.terminate()
        server.process.stdout.read()
    (listing, refusal) = collector.spans
    assert (listing.name, listing.trace_id.hex()) == ("GET /v1/screenings", TRACE)
    assert listing.parent_span_id.hex() == PARENT
    assert refusal.name == "GET /v1/screenings/{screening}"
    assert not refusal.parent_span_id
    attributes = {it.key: it.value.string_value or it.value.int_value for it in refusal.attributes}
    assert attributes.pop("nociscreen.request_id")
    assert attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/screenings/{screening}",
        "http.response.status_code": 401,
        "error.type": "missing_token",
    }
    assert refusal.status.code == Status.STATUS_CODE_UNSET
    resource = collector.exports[0].resource_spans[0].resource
    assert {it.key: it.value.string_value for it in resource.attributes}[
        "service.name"
    ] == "nociscreen"
    assert CANARY not in str(collector.exports)


def test_a_server_whose_collector_is_away_answers_and_stops(tmp_path):
    settings = build_store_settings(tmp_path)
    token = issue_first_token(settings)
    with socket.socket() as closed_port:
        closed_port.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed_port.getsockname()[1]}/v1/traces"
        with serving(settings, tmp_path / "log", NOCISCREEN_TRACES_URL=url) as server:
            assert get(f"{server.address}/v1/screenings", token) == 200
        assert server.process.returncode == -signal.SIGTERM


def test_a_span_lasts_as_long_as_its_request():
    span = record()
    assert span.end_time - span.start_time == 250_000_000


@pytest.mark.parametrize(("status", "code"), [(499, StatusCode.UNSET), (500, StatusCode.ERROR)])
def test_only_an_error_of_the_server_marks_its_span_as_failed(status, code):
    assert record(status=status).status.status_code is code


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"traceparent", b"00-0-0-01")],
        [(b"traceparent", f"00-{'0' * 32}-{PARENT}-01".encode())],
        [(b"traceparent", b"\xff")],
        [(b"tracestate", b"a=b")],
    ],
)
def test_a_missing_or_malformed_parent_begins_a_new_trace(headers):
    assert record(*headers).parent is None


def test_without_an_address_no_traces_are_sent():
    assert open_traces("") is None


def test_settings_that_send_traces_without_the_packages_say_what_to_install(monkeypatch):
    monkeypatch.setattr("api.settings.find_spec", lambda _: None)
    assert Settings().traces_url == ""
    with pytest.raises(ValidationError, match=r"pip install 'nociscreen\[traces\]'"):
        Settings(traces_url="http://127.0.0.1:4318/v1/traces")
