"""FHIR Subscriptions: handshake, notifications by the outbox, and what is refused by name."""

import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import pytest
from support.builders import CANONICAL, add, do
from support.callers import calling
from support.interop.fhir_validators import needs_node, validate_resources
from support.interop.hospital_issuers import allow_host
from support.interop.loopback_servers import Tarpit, read_request, running_server

from api.deliveries.sender_threads import send_due_deliveries
from api.main import create_app
from api.outbound.bulkhead import MAX_THREADS_PER_SOURCE
from api.store.screenings import screenings

BASE = "http://127.0.0.1:8000/fhir"
PATH = "/fhir/Subscription"
SENT_BASE = "https://nociscreen.example/fhir"
CONTENT = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content"
)
JSON = {"Content-Type": "application/fhir+json"}


@contextmanager
def running_subscriber(status: bytes = b"200 OK"):
    """Collects the notifications that arrive, each with the head of its request."""
    notifications: list[tuple[str, dict]] = []

    def serve(connection) -> None:
        head, body = read_request(connection)
        notifications.append((head.decode(), json.loads(body)))
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)

    with running_server(serve) as host_port:
        yield host_port, notifications


def build_subscription(host_port, topic="screening-stored", content="id-only", **channel) -> dict:
    payload = {"extension": [{"url": CONTENT, "valueCode": content}]}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "the EHR's task list",
        "criteria": f"{BASE}/SubscriptionTopic/{topic}",
        "channel": {
            "type": "rest-hook",
            "endpoint": f"http://{host_port.host}:{host_port.port}/notify",
            "payload": "application/fhir+json",
            "_payload": payload,
            "header": ["Authorization: Bearer a-secret"],
        } | channel,
    }  # fmt: skip


def post(client, resource: dict):
    return client.post(PATH, content=json.dumps(resource), headers=JSON)


def read_status(bundle: dict) -> dict:
    """Return the parameters of the status that a Bundle begins with, by name."""
    values = {}
    for parameter in bundle["entry"][0]["resource"]["parameter"]:
        parts = parameter.get("part", [parameter])
        for part in parts:
            (value,) = (part[name] for name in part if name.startswith("value"))
            values[part["name"]] = value
    return values


@pytest.fixture
def client(store_settings, clinic):
    """A client of the clinic, at a service with the same store."""
    app = create_app(store_settings)
    yield calling(app, clinic)
    app.services.renderer.close()
    app.services.store.close()


def test_each_stored_screening_is_notified_once(client, store, clinic, sender):
    with running_subscriber() as (host_port, notifications):
        allow_host(store, clinic, host_port)
        created = post(client, build_subscription(host_port))
        assert created.status_code == 201, created.text
        number = created.json()["id"]
        head, handshake = notifications.pop()
        assert "Authorization: Bearer a-secret" in head
        assert "Content-Type: application/fhir+json" in head
        assert read_status(handshake)["type"] == "handshake"
        screening = add(store, clinic, "N-1", name="Pat Test")
        send_due_deliveries(sender, 4)
        _, bundle = notifications.pop()
        status = read_status(bundle)
        assert status["subscription"] == {"reference": f"{SENT_BASE}/Subscription/{number}"}
        expected = {"topic": f"{CANONICAL}/SubscriptionTopic/screening-stored", "status": "active",
                    "type": "event-notification", "event-number": "1",
                    "events-since-subscription-start": "1"}  # fmt: skip
        assert {name: status[name] for name in expected} == expected
        url = f"{SENT_BASE}/QuestionnaireResponse/{screening.id}"
        assert bundle["entry"][1] == {
            "fullUrl": url, "request": {"method": "POST", "url": "QuestionnaireResponse"},
            "response": {"status": "201"},
        }  # fmt: skip
        assert "Pat Test" not in json.dumps(bundle)
        do(store, clinic, screenings.mark_entered_in_error, screening, "another patient")
        send_due_deliveries(sender, 4)
        _, bundle = notifications.pop()
        assert bundle["entry"][1]["request"]["method"] == "PUT"
        assert client.delete(f"{PATH}/{number}").status_code == 204
        add(store, clinic, "N-2")
        send_due_deliveries(sender, 4)
        assert notifications == []
    assert client.get(f"{PATH}/{number}").json()["status"] == "off"
    assert read_status(client.get(f"{PATH}/{number}/$status").json())["status"] == "off"


@pytest.mark.parametrize("content", ["empty", "full-resource"])
def test_red_flags_are_a_topic_and_the_content_is_as_asked(client, store, clinic, sender, content):
    with running_subscriber() as (host_port, notifications):
        allow_host(store, clinic, host_port)
        created = post(client, build_subscription(host_port, "red-flag", content))
        number = created.json()["id"]
        add(store, clinic, "N-1", example="too_little_known")
        flagged = add(store, clinic, "N-2", example="red_flag")
        send_due_deliveries(sender, 4)
        bundles = [bundle for _, bundle in notifications]
    assert [len(bundle["entry"]) for bundle in bundles] == [1, 1 if content == "empty" else 2]
    if content == "full-resource":
        resource = bundles[1]["entry"][1]["resource"]
        assert (resource["resourceType"], resource["id"]) == ("QuestionnaireResponse", flagged.id)
    status = client.get(f"{PATH}/{number}/$status").json()
    assert read_status(status)["events-since-subscription-start"] == "1"
    resource = created.json()
    assert "a-secret" not in created.text
    assert client.get(f"{PATH}/{number}").json() == resource
    assert "header" not in resource["channel"]


@needs_node
def test_what_is_sent_is_valid(client, store, clinic, sender):
    with running_subscriber() as (host_port, notifications):
        allow_host(store, clinic, host_port)
        created = post(client, build_subscription(host_port)).json()
        add(store, clinic, "N-1")
        send_due_deliveries(sender, 4)
        status = client.get(f"{PATH}/{created['id']}/$status").json()
        resources = [created, status, *(it for _, it in notifications)]
        assert validate_resources(resources) == [[]] * 4


WRONG = {  # what is asked for: where the issue is
    "another topic": ({"criteria": "Observation?code=1"}, "Subscription.criteria"),
    "a type": ({"channel": {"type": "email"}}, "Subscription.channel.type"),
    "XML": ({"channel": {"payload": "application/fhir+xml"}}, "Subscription.channel.payload"),
    "no endpoint": ({"channel": {"endpoint": None}}, "Subscription.channel.endpoint"),
    "another header": ({"channel": {"header": ["Host: x"]}}, "Subscription.channel.header"),
    "two lines": ({"channel": {"header": ["A: b\r\nC: d"]}}, "Subscription.channel.header"),
    "a content": ({"channel": {"_payload": {"extension": [{"url": CONTENT, "valueCode": "all"}]}}},
                  "Subscription.channel.payload.extension"),
    "an end": ({"end": "2027-01-01T00:00:00Z"}, "Subscription"),
    "a status": ({"status": "active"}, "Subscription.status"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_refused_by_name(client, store, clinic, name):
    changes, expression = WRONG[name]
    with running_subscriber() as (host_port, notifications):
        allow_host(store, clinic, host_port)
        resource = build_subscription(host_port)
        channel = resource["channel"] | changes.get("channel", {})
        response = post(client, resource | changes | {"channel": channel})
        assert response.status_code == 422
        assert expression in [it["expression"][0] for it in response.json()["issue"]]
        assert notifications == []


def test_silent_endpoints_hold_few_threads(client, store, clinic):
    tarpit = Tarpit()
    with (
        running_server(tarpit.serve) as host_port,
        ThreadPoolExecutor(MAX_THREADS_PER_SOURCE + 1) as callers,
    ):
        allow_host(store, clinic, host_port)
        resource = build_subscription(host_port)
        attempts = [
            callers.submit(post, client, resource) for _ in range(MAX_THREADS_PER_SOURCE + 1)
        ]
        refused_response = next(as_completed(attempts)).result()
        is_waiting = [not attempt.done() for attempt in attempts]
        tarpit.may_end.set()
    assert (refused_response.status_code, sum(is_waiting)) == (503, MAX_THREADS_PER_SOURCE)
    assert refused_response.headers["retry-after"] == "10"
    assert [attempt.result().status_code for attempt in attempts].count(422) == 4


def test_an_endpoint_must_be_allowed_and_accept_the_handshake(client, store, clinic):
    with running_subscriber(b"500 No") as (host_port, notifications):
        resource = build_subscription(host_port)
        assert post(client, resource).status_code == 409
        assert notifications == []
        allow_host(store, clinic, host_port)
        refused_response = post(client, resource)
    assert refused_response.status_code == 422
    assert "500" in refused_response.text
    assert len(notifications) == 1
    assert client.get("/v1/destinations").json()["destinations"] == []
