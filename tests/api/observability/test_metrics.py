"""Metrics: events are counted, with labels from closed sets."""

import re

import pytest
from starlette.testclient import TestClient
from support.builders import build_store_settings

from api.main import create_app
from api.observability.metrics import Metrics


@pytest.fixture
def app(tmp_path):
    return create_app(build_store_settings(tmp_path))


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def read_samples(client) -> dict[str, float]:
    """Return every sample by its name and labels."""
    lines = client.get("/metrics").text.splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_they_are_prometheus_text(client):
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE nociscreen_requests_total counter" in response.text


def test_requests_are_counted_by_the_route_as_declared(client):
    client.get("/v1/rulebooks/phq4/1.0.0")
    client.get("/v1/rulebooks/phq4/9.9.9")
    client.delete("/v1/rulebooks/phq4/1.0.0")
    client.get("/nowhere/phq4")
    client.request("ZAPHOD", "/nowhere")
    route = "/v1/rulebooks/{instrument}/{version}"
    samples = read_samples(client)
    assert samples[f'nociscreen_requests_total{{method="GET",route="{route}",status="200"}}'] == 1
    assert samples[f'nociscreen_requests_total{{method="GET",route="{route}",status="404"}}'] == 1
    assert (
        samples[f'nociscreen_requests_total{{method="DELETE",route="{route}",status="405"}}'] == 1
    )
    assert samples['nociscreen_requests_total{method="GET",route="none",status="404"}'] == 1
    assert samples['nociscreen_requests_total{method="other",route="none",status="404"}'] == 1
    assert samples[f'nociscreen_request_seconds_count{{route="{route}"}}'] == 3


def test_every_route_is_counted_by_its_path_in_the_description(app, client):
    assert len(app.openapi()["paths"]) > 50
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            client.request(method, re.sub(r"{\w+}", "x", path))
            assert any(f'route="{path}"' in name for name in read_samples(client)), path


def test_problems_are_counted_by_their_code(client):
    client.post("/v1/score")
    client.get("/nowhere")
    client.get("/nowhere")
    samples = read_samples(client)
    assert samples['nociscreen_problems_total{code="missing_token"}'] == 1
    assert samples['nociscreen_problems_total{code="not_found"}'] == 2


def test_the_request_for_metrics_is_in_progress(client):
    assert read_samples(client)["nociscreen_requests_in_progress"] == 1


def test_screenings_audit_rows_and_storage_faults_are_counted():
    metrics = Metrics()
    metrics.record_screening("scored")
    metrics.record_storage_fault("full")
    metrics.record_audit_rows()
    metrics.record_audit_rows(3)
    text = metrics.render().decode()
    assert 'nociscreen_screenings_stored_total{status="scored"} 1.0' in text
    assert 'nociscreen_storage_faults_total{kind="full"} 1.0' in text
    assert "nociscreen_audit_rows_total 4.0" in text


def test_two_services_count_separately(client, tmp_path):
    second_client = TestClient(create_app(build_store_settings(tmp_path / "other")))
    client.get("/nowhere")
    assert not [name for name in read_samples(second_client) if "not_found" in name]


def test_there_are_no_metrics_of_the_process_or_the_machine(client):
    names = {name.partition("{")[0] for name in read_samples(client)}
    assert len(names) >= 3
    assert all(name.startswith("nociscreen_") for name in names)
