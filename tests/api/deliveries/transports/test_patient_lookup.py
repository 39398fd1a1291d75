"""The patient of a push is looked up at the receiver, and named by its id there or not at all."""

import json
from urllib.parse import parse_qs

import pytest
from support.builders import add, do
from support.interop.loopback_servers import read_request, running_server

from api.deliveries.preview import compose_for_preview
from api.deliveries.profiles import apply_options
from api.deliveries.screening_snapshot import load_screening_snapshot
from api.deliveries.sender_threads import send_due_deliveries

SYSTEM = "urn:oid:1.2.3"
LOOK_UP = {"fhir": {"looks_up_patient": True}}


def patient(number: str, system: str = SYSTEM, patient_id: str = "e1") -> dict:
    identifier = [{"system": system, "value": number}]
    return {"resourceType": "Patient", "id": patient_id, "identifier": identifier}


class Receiver:
    """Answers the look-up as it is told, and stores every bundle."""

    def __init__(self) -> None:
        self.status, self.patients = 200, []
        self.content: bytes | None = None
        self.searches, self.bundles = [], []

    def __call__(self, connection) -> None:
        head, body = read_request(connection)
        if b"/Patient/_search" in head.splitlines()[0]:
            self.searches.append(parse_qs(body.decode()))
            entries = [{"resource": it} for it in self.patients]
            bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
            content = json.dumps(bundle).encode() if self.content is None else self.content
            self._respond(connection, self.status, content)
        else:
            self.bundles.append(json.loads(body))
            entry = [{"response": {"status": "201"}}] * len(self.bundles[-1]["entry"])
            self._respond(connection, 200, json.dumps({"entry": entry}).encode())

    def _respond(self, connection, status: int, content: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def push(receiver, send, sender, find_delivery, store, clinic):
    """Sends a screening of this patient; returns the delivery."""

    def send_once(reference="N-1", options=LOOK_UP):
        screening = add(store, clinic, reference, system=SYSTEM)
        with running_server(receiver) as host_port:
            delivery, _, _ = send(
                host_port, "generic-fhir", "http", "/fhir", screening=screening, options=options
            )
            send_due_deliveries(sender, 4)
        return find_delivery(delivery)

    return send_once


def test_a_patient_who_is_found_once_is_named_by_the_receivers_id(push, receiver):
    receiver.patients = [patient("N-1")]
    assert push().state == "delivered"
    assert receiver.searches == [{"identifier": [f"{SYSTEM}|N-1"]}]
    (bundle,) = receiver.bundles
    subjects = {json.dumps(entry["resource"]["subject"]) for entry in bundle["entry"]}
    (subject,) = map(json.loads, subjects)
    assert subject["reference"] == "Patient/e1"
    assert subject["identifier"] == {"system": SYSTEM, "value": "N-1"}


def test_patients_with_other_numbers_do_not_count(push, receiver):
    receiver.patients = [
        patient("N-2", patient_id="e2"), patient("N-1", "urn:oid:9", "e3"), patient("N-1"),
        {"resourceType": "OperationOutcome", "id": "o"},
    ]  # fmt: skip
    assert push().state == "delivered"
    assert receiver.bundles[0]["entry"][0]["resource"]["subject"]["reference"] == "Patient/e1"


@pytest.mark.parametrize(
    ("patients", "reason"),
    [
        ([], "patient_not_found"),
        ([patient("N-2")], "patient_not_found"),
        ([patient("N-1", patient_id="no id/")], "patient_not_found"),
        ([patient("N-1"), patient("N-1", patient_id="e2")], "patient_not_unique"),
    ],
)
def test_nothing_is_sent_for_a_patient_who_is_not_certain(push, receiver, patients, reason):
    receiver.patients = patients
    delivery = push()
    assert (delivery.state, delivery.reason) == ("parked", reason)
    assert receiver.bundles == []


@pytest.mark.parametrize(
    ("status", "content", "state"),
    [
        (400, b"{}", "parked"),
        (403, b"{}", "waiting"),
        (503, b"{}", "waiting"),
        (200, b"not JSON", "waiting"),
        (200, b'{"resourceType": "OperationOutcome"}', "waiting"),
    ],
)
def test_nothing_is_sent_where_the_receiver_refuses_the_look_up(
    push, receiver, status, content, state
):
    receiver.status, receiver.content = status, content
    delivery = push()
    assert (delivery.state, delivery.reason) == (state, "patient_not_looked_up")
    assert delivery.attempts[-1].code == str(status)
    assert receiver.bundles == []


def test_an_id_of_the_receiver_is_not_looked_up(receiver, send, sender, store, clinic):
    screening = add(store, clinic, "Patient/eAbc")
    with running_server(receiver) as host_port:
        send(host_port, "generic-fhir", "http", "/fhir", screening=screening, options=LOOK_UP)
        send_due_deliveries(sender, 4)
    assert receiver.searches == []
    assert receiver.bundles[0]["entry"][0]["resource"]["subject"]["reference"] == "Patient/eAbc"


def test_by_default_nobody_is_looked_up(push, receiver):
    assert push(options={}).state == "delivered"
    assert receiver.searches == []


@pytest.mark.parametrize(
    ("system", "places"),
    [(None, ["subject/identifier/system", "subject/reference"]), (SYSTEM, [])],
)
def test_a_number_with_its_system_meets_the_need_of_an_id(
    compose_context, store, clinic, system, places
):
    screening = add(store, clinic, "N-1", system=system)
    snapshot = do(store, clinic, load_screening_snapshot, screening.id)
    profile = apply_options("oracle-health", LOOK_UP)
    payload = compose_for_preview(compose_context, snapshot, profile)
    assert [misfit.place for misfit in payload.misfits] == places
