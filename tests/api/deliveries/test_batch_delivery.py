"""From a CSV file to the messages at an independent receiver, also if the service is killed."""

import http.client
import json
import os
import random
import time
from collections import Counter
from urllib.parse import urlsplit

import hl7
import pytest
from support import builders
from support.batch_files import CSV, complete_batch, csv, example, work
from support.builders import do
from support.callers import calling
from support.interop.mllp_receivers import running_hl7_server
from support.servers.processes import serving

from api.deliveries.compose_request import ComposeContext
from api.deliveries.sender import DeliverySender
from api.deliveries.sender_threads import send_due_deliveries
from api.fhir.elements import CanonicalUrls
from api.main import create_app
from api.security.tokens.access_tokens import AccessTokens
from api.store.audit import chain
from api.store.deliveries import allowed_hosts, destinations, search
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.search import DeliveryFilters
from api.store.operations.startup import open_store
from scoring.catalogue import load_catalogue

KILLS = int(os.environ.get("TEST_BATCH_KILLS", "1"))
ROWS = 60
FAST_SETTINGS = {
    "NOCISCREEN_DELIVERY_LEASE_SECONDS": "2",
    "NOCISCREEN_DELIVERY_SECONDS": "1",
    "NOCISCREEN_WORKER_TIMEOUT_SECONDS": "3",
    "NOCISCREEN_BATCH_ATTEMPTS": "50",
}
MAX_SECONDS = 120.0


def add_destination(store, clinic, host_port, **document: str) -> str:
    def add_in(transaction):
        allowed_hosts.add_allowed_host(transaction, host_port, private=True)
        address = f"mllp://{host_port.host}:{host_port.port}"
        secrets = DestinationSecrets(
            address=address, options={"document": document or {"how": "url"}}
        )
        return destinations.add_destination(transaction, "EHR", "generic-v2", secrets, follows=True)

    return do(store, clinic, add_in)


def list_references(messages: list[str]) -> list[str]:
    """Return the patients' references in PID-3."""
    return [str(hl7.parse(message)["PID"][0][3][0][0]) for message in messages]


@pytest.fixture
def service(store_settings):
    app = create_app(store_settings)
    yield app
    app.services.denied_requests.flush()
    app.services.renderer.close()
    app.services.store.close()


def test_a_file_becomes_messages_with_their_reports(service, store_settings, store, clinic):
    client = calling(service, clinic)
    intakes = [
        {"patient_reference": "MRN-1", **example()},
        {"patient_reference": None, **example()},
        {"patient_reference": "MRN-2", **example("red_flag")},
    ]
    with running_hl7_server() as (host_port, messages):
        destination_id = add_destination(store, clinic, host_port, how="inline", form="pdf")
        batch = complete_batch(client, csv(*intakes))
        body = {"destination": destination_id}
        reports = client.post(batch["links"]["reports"], json=body).json()
        work(service)
        compose_context = ComposeContext(
            load_catalogue(), service.services.renderer, CanonicalUrls("https://nociscreen.example")
        )
        assert send_due_deliveries(DeliverySender(store, store_settings, compose_context), 4) == 2
        path = f"/v1/deliveries?destination={destination_id}"
        deliveries = client.get(path).json()["deliveries"]
    assert list_references(messages) == ["MRN-1", "MRN-2"]
    assert all("^AP^PDF^Base64^JVBERi" in message for message in messages)
    assert [delivery["state"] for delivery in deliveries] == ["delivered"] * 2
    result = client.get(reports["links"]["self"]).json()
    assert (result["rows_enqueued"], result["failed"]) == (2, {"patient_reference": 1})


def request_until_served(
    address: str, token: str, method: str, path: str, body: str | None = None, **headers: str
):
    """Send a request, again while the service is away, and return the JSON of the response."""
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end:
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"} | headers)
            response = connection.getresponse()
            content = response.read()
            if response.status not in (429, 503):
                assert response.status in (200, 202), content
                return json.loads(content)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError("the service did not answer")


def wait_until(address: str, token: str, path: str, is_reached) -> dict:
    end = time.monotonic() + MAX_SECONDS
    while not is_reached(document := request_until_served(address, token, "GET", path)):
        assert time.monotonic() < end, document
        time.sleep(0.02)
    return document


def is_done(document: dict) -> bool:
    return document["state"] == "done"


def assert_stored_and_sent_once(store_settings, clinic, count: int) -> None:
    """Assert one screening and one audited delivery for each row, and an intact audit chain."""
    store = open_store(store_settings)
    deliveries = do(store, clinic, search.list_deliveries, DeliveryFilters(), 1000)
    with store.read_all_organisations() as session:
        actual_acts = [
            (entry.action, entry.kind, entry.target)
            for entry in chain.read_entries(session, clinic.organisation)
            if (entry.action, entry.kind, entry.outcome)
            in (("create", "screening", "ok"), ("deliver", "delivery", "enqueued"))
        ]
        keys = store.organisation_keys.load_keys(session, clinic.organisation)
        assert chain.verify_chain(session, keys.audit) == ()
        screening_count = (
            session.connection().exec_driver_sql("SELECT count(*) FROM screening").scalar()
        )
    store.close()
    assert {delivery.state for delivery in deliveries} == {"delivered"}
    screening_ids = [delivery.screening for delivery in deliveries]
    assert len(set(screening_ids)) == len(deliveries) == screening_count == count
    expected_acts = [("create", "screening", screening_id) for screening_id in screening_ids]
    expected_acts += [("deliver", "delivery", delivery.id) for delivery in deliveries]
    assert Counter(actual_acts) == Counter(expected_acts)


def test_a_service_killed_at_any_moment_stores_and_sends_each_row_once(store_settings):
    chance = random.Random(4715)
    store = open_store(store_settings)
    clinic = builders.clinic(store)
    tokens = AccessTokens(
        store_settings.issuer, store_settings.audience, store.signing_keys.look_up_trusted_key
    )
    token = builders.token(store, tokens, clinic)
    text = csv(*({"patient_reference": f"MRN-{n}", **example()} for n in range(ROWS)))
    with running_hl7_server() as (host_port, messages):
        destination_id = add_destination(store, clinic, host_port)
        store.close()
        with serving(store_settings, **FAST_SETTINGS) as api:
            caller = api.address, token
            links = request_until_served(*caller, "POST", "/v1/batches", text, **CSV)["links"]
            wait_until(*caller, links["self"], is_done)
            body, as_json = (
                json.dumps({"destination": destination_id}),
                {"Content-Type": "application/json"},
            )
            reports = request_until_served(*caller, "POST", links["reports"], body, **as_json)[
                "links"
            ]["self"]
        for _ in range(KILLS):
            with serving(store_settings, **FAST_SETTINGS) as api:
                caller = api.address, token
                before = request_until_served(*caller, "GET", reports)["rows_enqueued"]
                wait_until(
                    *caller, reports, lambda now, b=before: is_done(now) or now["rows_enqueued"] > b
                )
                time.sleep(chance.uniform(0, 0.2))
                api.process.kill()
                api.process.wait()
        with serving(store_settings, **FAST_SETTINGS) as api:
            caller = api.address, token
            result = wait_until(*caller, reports, is_done)
            wait_until(
                *caller, f"/v1/destinations/{destination_id}", lambda now: now["waiting"] == 0
            )
    assert (result["rows_enqueued"], result["rows_set_aside"]) == (ROWS, 0)
    assert set(list_references(messages)) == {f"MRN-{n}" for n in range(ROWS)}
    assert len(messages) <= ROWS + KILLS + 1
    assert_stored_and_sent_once(store_settings, clinic, ROWS)
