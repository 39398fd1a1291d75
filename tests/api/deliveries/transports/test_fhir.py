"""FHIR push to an independent EHR, with a login by SMART Backend Services."""

import json
import subprocess
import urllib.request
from urllib.parse import parse_qs

import jwt
import pytest
from support.builders import add, do, intake
from support.interop.fhir_validators import NODE, needs_node, validate_resources
from support.interop.loopback_servers import read_request, respond_with, running_server

from api.deliveries.sender_threads import send_due_deliveries
from api.outbound.allowlist import HostPort
from api.security.keys import generate_signing_key
from api.store.deliveries import allowed_hosts, dispatch, outbox, search
from api.store.screenings import screenings
from schemas.organisations.delivery import SmartSignIn

TOKEN = "a-token-of-the-ehr"
TYPES = ("QuestionnaireResponse", "Observation", "RiskAssessment", "DocumentReference")


@pytest.fixture(scope="module")
def ehr():
    process = subprocess.Popen(
        ["node", NODE / "ehr_http.mjs", TOKEN], stdout=subprocess.PIPE, text=True
    )
    yield HostPort("127.0.0.1", int(process.stdout.readline()))
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def key():
    return generate_signing_key("ES384")


@pytest.fixture
def token_endpoint(key):
    """A token endpoint that verifies assertions by an independent library, and its requests."""
    forms: list[dict] = []

    def serve(connection) -> None:
        _, body = read_request(connection)
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        address = f"http://127.0.0.1:{host_port.port}/token"
        public_key = jwt.PyJWK(key.to_public_jwk())
        claims = jwt.decode(
            form["client_assertion"], public_key, algorithms=["ES384"], audience=address,
            options={"require": ["iss", "sub", "aud", "exp", "jti"]},
        )  # fmt: skip
        assert claims["exp"] - claims["iat"] <= 300
        assert claims["iss"] == claims["sub"] == "nociscreen-client"
        forms.append(form)
        token = json.dumps({"access_token": TOKEN, "token_type": "bearer", "expires_in": 300})
        response = f"HTTP/1.1 200 OK\r\nContent-Length: {len(token)}\r\n\r\n{token}"
        connection.sendall(response.encode())

    with running_server(serve) as host_port:
        yield host_port, forms


@pytest.fixture
def push(send, token_endpoint, key, store, clinic):
    host_port, _ = token_endpoint

    def enqueue(ehr, profile="generic-fhir", **secrets):
        do(
            store,
            clinic,
            lambda work: allowed_hosts.add_allowed_host(work, host_port, private=True),
        )
        smart = SmartSignIn(
            token_url=f"http://127.0.0.1:{host_port.port}/token", client_id="nociscreen-client"
        )
        return send(
            ehr, profile, "http", "/fhir", smart=smart, key_kid=key.kid,
            key_pem=key.private_pem.decode(), **secrets,
        )  # fmt: skip

    return enqueue


def fetch_resources(ehr, resource_type: str) -> list[dict]:
    """Return the resources of a type that the EHR has."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{ehr.port}/fhir/{resource_type}?_count=500",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310 - on loopback
        return [entry["resource"] for entry in json.load(response).get("entry", [])]


def count_resources(ehr) -> dict[str, int]:
    return {name: len(fetch_resources(ehr, name)) for name in TYPES}


@needs_node
@pytest.mark.parametrize("mode", ["transaction", "single"])
def test_the_ehr_stores_each_resource_once_though_it_is_sent_twice(
    ehr, push, sender, find_delivery, store, clinic, mode, token_endpoint
):
    before = count_resources(ehr)
    delivery, _, _ = push(ehr, options={"fhir": {"mode": mode}})
    send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "delivered", find_delivery(delivery)
    do(store, clinic, outbox.resend_delivery, delivery)
    send_due_deliveries(sender, 4)
    assert [attempt.outcome for attempt in find_delivery(delivery).attempts] == [
        "accepted",
        "accepted",
    ]
    assert count_resources(ehr) == {name: count + 1 for name, count in before.items()}
    assert len(token_endpoint[1]) == 1
    response_id = fetch_resources(ehr, "QuestionnaireResponse")[-1]["id"]
    references = [resource["derivedFrom"] for resource in fetch_resources(ehr, "Observation")]
    assert [{"reference": f"QuestionnaireResponse/{response_id}"}] in references
    assert validate_resources(fetch_resources(ehr, "DocumentReference")[-1:]) == [[]]


@needs_node
def test_the_ehr_finds_the_patient_by_number(ehr, push, sender, find_delivery, store, clinic):
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "N-77"}],
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{ehr.port}/fhir/Patient",
        json.dumps(patient).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310 - on loopback
        patient_id = json.load(response)["id"]
    screening = add(store, clinic, "N-77", system="urn:oid:1.2.3")
    delivery, _, _ = push(ehr, screening=screening, options={"fhir": {"looks_up_patient": True}})
    send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "delivered", find_delivery(delivery)
    document = fetch_resources(ehr, "DocumentReference")[-1]
    assert document["subject"]["reference"] == f"Patient/{patient_id}"


@needs_node
def test_a_withdrawal_marks_the_resource_as_entered_in_error(
    ehr, push, sender, store, clinic, find_screening, find_delivery
):
    delivery, screening, _ = push(ehr)
    send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "delivered"
    do(store, clinic, screenings.mark_entered_in_error, find_screening(screening), "wrong patient")
    before = fetch_resources(ehr, "Observation")
    send_due_deliveries(sender, 4)
    after = {resource["id"]: resource["status"] for resource in fetch_resources(ehr, "Observation")}
    assert len(after) == len(before)
    changes = [
        after[resource["id"]] for resource in before if after[resource["id"]] != resource["status"]
    ]
    assert changes == ["entered-in-error"]


@needs_node
def test_a_correction_replaces_the_document(ehr, push, sender, store, clinic, find_screening):
    before = len(fetch_resources(ehr, "DocumentReference"))
    _, screening, _ = push(ehr)
    send_due_deliveries(sender, 4)
    corrected = intake(name="Test, Pat", system="urn:oid:1.2.3")
    do(store, clinic, screenings.amend_screening, find_screening(screening), corrected)
    send_due_deliveries(sender, 4)
    documents = fetch_resources(ehr, "DocumentReference")
    assert len(documents) == before + 2
    relations = [document["relatesTo"] for document in documents if "relatesTo" in document]
    assert relations[-1][0]["code"] == "replaces"


@needs_node
@pytest.mark.parametrize("profile", ["athena-practice", "epic-note", "oracle-health"])
def test_a_profile_of_one_document_sends_it_in_its_format(
    ehr, push, sender, find_delivery, store, clinic, profile
):
    before = count_resources(ehr)
    screening = add(store, clinic, "Patient/eAbc", encounter="Encounter/eVis")
    delivery, _, _ = push(ehr, profile, screening=screening)
    send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "delivered", find_delivery(delivery)
    expected_counts = before | {"DocumentReference": before["DocumentReference"] + 1}
    assert count_resources(ehr) == expected_counts
    document = fetch_resources(ehr, "DocumentReference")[-1]
    media_type = document["content"][0]["attachment"]["contentType"]
    media_types = {"athena-practice": "application/rtf", "epic-note": "text/plain"}
    assert media_type.startswith(media_types.get(profile, "application/pdf"))


def test_a_withdrawal_that_the_receiver_does_not_accept_is_parked(
    push, sender, store, clinic, find_screening
):
    def accept(connection) -> None:
        while connection.recv(1 << 20):
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with running_server(accept) as host_port:
        _, screening, destination_id = push(host_port, "athena-practice")
        send_due_deliveries(sender, 4)
        do(
            store,
            clinic,
            screenings.mark_entered_in_error,
            find_screening(screening),
            "wrong patient",
        )
        send_due_deliveries(sender, 4)
    filters = search.DeliveryFilters(destination=destination_id)
    deliveries = do(store, clinic, search.list_deliveries, filters, 9)
    assert {(delivery.event, delivery.state, delivery.reason) for delivery in deliveries} == {
        ("result", "delivered", ""),
        ("withdrawal", "parked", "incompatible_with_destination"),
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [(400, "parked"), (422, "parked"), (412, "parked"), (401, "waiting"), (429, "waiting"),
     (503, "waiting")],
)  # fmt: skip
def test_a_status_decides_whether_the_delivery_is_retried(
    status, state, send, sender, find_delivery
):
    response = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    with running_server(respond_with(response)) as host_port:
        delivery, _, _ = send(host_port, "generic-fhir", "http", "/fhir")
        send_due_deliveries(sender, 4)
    after = find_delivery(delivery)
    assert (after.state, after.attempts[-1].code) == (state, str(status))


def test_a_failing_delivery_only_delays_those_of_the_same_patient(
    send, sender, find_delivery, store, clinic
):
    statuses = iter([503, 200])

    def serve(connection) -> None:
        read_request(connection)
        body = json.dumps({"entry": [{"response": {"status": "201"}}] * 4})
        response = f"HTTP/1.1 {next(statuses)} X\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        connection.sendall(response.encode())

    options = {"document": {"how": "url"}}
    with running_server(serve) as host_port:
        receiver = host_port, "generic-fhir", "http", "/fhir"
        first, _, destination_id = send(*receiver, options=options)
        second, _, _ = send(*receiver, destination_id=destination_id)
        screening = add(store, clinic, "MRN-OTHER")
        third, _, _ = send(*receiver, screening=screening, destination_id=destination_id)
        send_due_deliveries(sender, 4)
    assert [find_delivery(delivery).state for delivery in (first, second, third)] == [
        "waiting", "waiting", "delivered",
    ]  # fmt: skip


def test_a_sender_that_lost_its_lease_records_nothing(send, store, clinic, find_delivery):
    delivery, _, destination_id = send(HostPort("127.0.0.1", 1))
    lease, second_lease = (dispatch.Lease(holder, 60) for holder in ("first", "second"))
    claim = do(store, clinic, dispatch.claim_delivery, destination_id, lease)
    assert do(store, clinic, dispatch.claim_delivery, destination_id, second_lease) is None
    do(store, clinic, dispatch.store_payload, claim, b"MSH")
    assert do(store, clinic, dispatch.begin_attempt, claim, second_lease) is None
    number = do(store, clinic, dispatch.begin_attempt, claim, lease)
    do(store, clinic, dispatch.release_lease, destination_id, lease)
    later = do(store, clinic, dispatch.claim_delivery, destination_id, second_lease)
    assert (later.id, later.payload) == (delivery, b"MSH")
    assert find_delivery(delivery).attempts[0].outcome == "unknown"
    late = dispatch.AttemptEnd("accepted", "AA", delivered=True)
    assert do(store, clinic, dispatch.end_attempt, claim, number, late) is False
    assert find_delivery(delivery).state == "waiting"
