"""Metrics: what happened is counted, under names from closed sets."""

import re

import pytest
from starlette.testclient import TestClient
from support.builders import kept_in

from api.main import create_app
from api.observability.metrics import Metrics


@pytest.fixture
def app(tmp_path):
    return create_app(kept_in(tmp_path))


@pytest.fixture
def anyone(app) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def counted(anyone) -> dict[str, float]:
    """Every sample by its name and labels."""
    lines = anyone.get("/metrics").text.splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_they_are_prometheus_text(anyone):
    response = anyone.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE nociscreen_requests_total counter" in response.text


def test_requests_are_counted_by_the_route_as_declared(anyone):
    anyone.get("/v1/rulebooks/phq4/1.0.0")
    anyone.get("/v1/rulebooks/phq4/9.9.9")
    anyone.delete("/v1/rulebooks/phq4/1.0.0")
    anyone.get("/nowhere/phq4")
    anyone.request("ZAPHOD", "/nowhere")
    route = "/v1/rulebooks/{instrument}/{version}"
    samples = counted(anyone)
    assert samples[f'nociscreen_requests_total{{method="GET",route="{route}",status="200"}}'] == 1
    assert samples[f'nociscreen_requests_total{{method="GET",route="{route}",status="404"}}'] == 1
    assert (
        samples[f'nociscreen_requests_total{{method="DELETE",route="{route}",status="405"}}'] == 1
    )
    assert samples['nociscreen_requests_total{method="GET",route="none",status="404"}'] == 1
    assert samples['nociscreen_requests_total{method="other",route="none",status="404"}'] == 1
    assert samples[f'nociscreen_request_seconds_count{{route="{route}"}}'] == 3


def test_every_route_is_counted_by_its_path_in_the_description(app, anyone):
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            anyone.request(method, re.sub(r"{\w+}", "x", path))
            assert any(f'route="{path}"' in name for name in counted(anyone)), path


def test_problems_are_counted_by_their_code(anyone):
    anyone.post("/v1/score")
    anyone.get("/nowhere")
    anyone.get("/nowhere")
    samples = counted(anyone)
    assert samples['nociscreen_problems_total{code="no_token"}'] == 1
    assert samples['nociscreen_problems_total{code="not_found"}'] == 2


def test_the_request_that_asks_is_under_way(anyone):
    assert counted(anyone)["nociscreen_requests_under_way"] == 1


def test_what_is_kept_and_audited_and_what_fails_is_counted():
    metrics = Metrics()
    metrics.record_screening("scored")
    metrics.record_storage_fault("full")
    metrics.record_audit_rows()
    metrics.record_audit_rows(3)
    text = metrics.render().decode()
    assert 'nociscreen_screenings_kept_total{status="scored"} 1.0' in text
    assert 'nociscreen_storage_faults_total{kind="full"} 1.0' in text
    assert "nociscreen_audit_rows_total 4.0" in text


def test_two_services_count_apart(anyone, tmp_path):
    other = TestClient(create_app(kept_in(tmp_path / "other")))
    anyone.get("/nowhere")
    assert not [name for name in counted(other) if "not_found" in name]


def test_nothing_of_the_process_or_the_machine_is_told(anyone):
    names = {name.partition("{")[0] for name in counted(anyone)}
    assert all(name.startswith("nociscreen_") for name in names)
