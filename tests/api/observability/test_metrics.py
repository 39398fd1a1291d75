"""Metrics: events are counted, with labels from closed sets."""

import json
import re
import shutil
import socket
import subprocess
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient
from support.builders import (
    add,
    build_store_settings,
    clinic,
    copy_empty_store,
    fill_patient_record,
)
from support.callers import statements
from support.contract_document import read_contract

from api.cli.worker_health import running_health_server
from api.main import create_app
from api.observability.metrics import Metrics
from api.store.operations.backlog import read_backlog
from api.store.operations.startup import open_store

ROOT = Path(__file__).parents[3]
DOCS, MONITORING = ROOT / "docs", ROOT / "deploy" / "monitoring"


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


def test_every_route_is_counted_by_its_path_in_the_description(client):
    operations = [
        (method, path) for path, methods in read_contract()["paths"].items() for method in methods
    ]
    for method, path in operations:
        client.request(method, re.sub(r"{\w+}", "x", path))
    names = [name for name in read_samples(client) if "nociscreen_requests_total" in name]
    counted_operations = {tuple(re.findall(r'(?:method|route)="([^"]+)"', name)) for name in names}
    expected = {(method.upper(), path) for method, path in operations}
    assert len(expected) > 50
    assert counted_operations == expected | {("GET", "/metrics")}


def test_problems_are_counted_by_their_code(client):
    client.post("/v1/score")
    client.get("/nowhere")
    client.get("/nowhere")
    samples = read_samples(client)
    assert samples['nociscreen_problems_total{code="missing_token"}'] == 1
    assert samples['nociscreen_problems_total{code="unknown_address"}'] == 2


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
    assert not [name for name in read_samples(second_client) if "unknown_address" in name]


def test_the_process_and_the_release_are_described(client):
    names = {name.partition("{")[0] for name in read_samples(client)}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes"} <= names
    assert f'version="{version("nociscreen")}"' in client.get("/metrics").text


def test_what_waits_is_read_from_the_database_and_not_from_this_process(tmp_path):
    settings = copy_empty_store(tmp_path)
    store = open_store(settings)
    owner = clinic(store)
    fill_patient_record(store, owner)
    add(store, owner, example="red_flag")
    store.close()
    client = TestClient(create_app(settings))
    samples = read_samples(client)
    assert samples["nociscreen_deliveries_parked"] == 1
    assert samples["nociscreen_store_up"] == 1
    tiers = [
        samples[f'nociscreen_red_flags_unacknowledged{{tier="{tier}"}}'] for tier in ("T0", "T1")
    ]
    assert sum(tiers) == 1


def test_an_organisation_without_screenings_costs_no_statement(app):
    read_backlog(app.services.store, 60.0)
    with statements(app) as statements_before:
        read_backlog(app.services.store, 60.0)
    for _ in range(3):
        clinic(app.services.store)
    with statements(app) as statements_after:
        read_backlog(app.services.store, 60.0)
    assert len(statements_after) == len(statements_before) > 0


def test_a_database_that_cannot_be_read_is_told_and_the_rest_is_still_there(app, client):
    app.services.store.metrics.track_backlog(lambda: 1 / 0)
    samples = read_samples(client)
    assert samples["nociscreen_store_up"] == 0
    assert "nociscreen_requests_in_progress" in samples
    assert "nociscreen_deliveries_parked" not in samples


def test_every_metric_that_a_document_names_exists_and_each_is_documented(client):
    exposed = {
        name.partition("{")[0].removesuffix("_bucket") for name in read_samples(client)
    } | Metrics().describe().keys()
    files = [*DOCS.glob("*.md"), *DOCS.glob("reference/*.md"), *MONITORING.iterdir()]
    metric_names = {
        re.sub("_(bucket|sum|count)$", "", name)
        for file in files
        for name in re.findall(r"\b(?:nociscreen|process)_[a-z_]+\b", file.read_text())
    }
    other_names = {"nociscreen_app", "nociscreen_backup", "nociscreen_engine", "nociscreen_jobs"}
    assert len(metric_names) > 25
    assert metric_names - other_names <= exposed
    reference = (DOCS / "reference" / "metrics.md").read_text()
    assert all(f"- `{name}`" in reference for name in Metrics().describe())


def test_the_alert_rules_and_the_dashboard_can_be_parsed():
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert {"expr", "for", "labels", "annotations"} <= rule.keys()
        assert rule["expr"].count("(") == rule["expr"].count(")")
    if promtool := shutil.which("promtool"):  # Debian's package prometheus
        command = [promtool, "check", "rules", str(MONITORING / "alerts.yaml")]
        output = subprocess.run(command, capture_output=True, text=True, check=True)
        assert f"SUCCESS: {len(rules)} rules" in output.stdout
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    assert all(target["expr"] for panel in panels for target in panel["targets"])


def test_a_worker_answers_on_its_health_port(tmp_path):
    store = open_store(copy_empty_store(tmp_path))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running_health_server(store, build_store_settings(tmp_path), "127.0.0.1", port):
        answers = {}
        for path in ("live", "ready"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/{path}") as response:
                answers[path] = json.load(response)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            text = response.read().decode()
    store.close()
    assert answers == {"live": {"status": "ok"}, "ready": {"status": "ok"}}
    assert "nociscreen_store_up 1.0" in text
