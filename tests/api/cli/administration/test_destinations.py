"""Commands: a place is allowed, a destination made there, and what is due is sent once."""

import json

import pytest
from support import builders
from support.builders import do
from support.commands import run_command as run
from support.commands import run_json_command
from support.interop.mllp_receivers import running_hl7_server
from support.servers import processes

from api.store.deliveries import outbox


@pytest.fixture
def clinic(own_store):
    return builders.clinic(own_store)


def deliver(settings) -> dict[str, int]:
    """Return what the command prints, in a process of its own, since it configures logging."""
    return json.loads(processes.run(settings, "deliver").stdout)


def test_a_screening_is_delivered_by_commands_alone(store_settings, own_store, clinic, tmp_path):
    own = ("--organisation", clinic.organisation)
    screening = builders.add(own_store, clinic)
    options = tmp_path / "options.json"
    options.write_text(json.dumps({"document": {"how": "url"}}))
    with running_hl7_server() as (place, messages):
        name = f"{place.host}:{place.port}"
        words = ("admin", "destination", "add", "EHR", *own, "--profile", "generic-v2",
                 "--address", f"mllp://{name}", "--options", options)  # fmt: skip
        process = run(store_settings, *words)
        assert (process.returncode, "has not allowed" in process.stderr) == (2, True)
        run_json_command(store_settings, "admin", "allowed-host", "add", name, *own)
        assert "only hosts allowed as private" in run(store_settings, *words).stderr
        run_json_command(store_settings, "admin", "allowed-host", "add", name, *own, "--private")
        host = {"host": place.host, "port": place.port, "private": True}
        assert host in run_json_command(store_settings, "admin", "allowed-host", "list", *own)
        where = run_json_command(store_settings, *words)["id"]
        delivery = outbox.NewDelivery(where, screening.id, "result", outbox.SINGLE_LINE)
        queued = do(own_store, clinic, outbox.enqueue_delivery, delivery)
        assert deliver(store_settings) == {"tries": 1}
        assert deliver(store_settings) == {"tries": 0}
    assert queued.control_id in messages[0]
    (destination,) = run_json_command(store_settings, "admin", "destination", "list", *own)
    assert (destination["waiting"], destination["parked"]) == (0, 0)
    run_json_command(store_settings, "admin", "destination", "change", where, *own, "--inactive")
    assert run(store_settings, "admin", "allowed-host", "remove", name, *own).returncode == 0
    assert run(store_settings, "admin", "allowed-host", "add", "127.1:80", *own).returncode == 2


@pytest.mark.parametrize(
    "name", ["https://ehr.example.org", "ehr.example.org:443/../x?y", "ehr.example.org:", "u@h:1"]
)
def test_a_url_is_no_host(store_settings, clinic, name):
    own = ("--organisation", clinic.organisation)
    before = run_json_command(store_settings, "admin", "allowed-host", "list", *own)
    process = run(store_settings, "admin", "allowed-host", "add", name, *own)
    assert (process.returncode, "expected a host and port" in process.stderr) == (2, True)
    assert run_json_command(store_settings, "admin", "allowed-host", "list", *own) == before


@pytest.mark.parametrize(
    ("name", "host_and_port"),
    [("EHR.example.org", ("ehr.example.org", 443)), ("[2001:DB8::1]:2575", ("2001:db8::1", 2575))],
)
def test_a_host_is_added_with_or_without_a_port(store_settings, clinic, name, host_and_port):
    own = ("--organisation", clinic.organisation)
    hosts = run_json_command(store_settings, "admin", "allowed-host", "add", name, *own)
    assert host_and_port in [(host["host"], host["port"]) for host in hosts]
