"""SMS through a real HTTP gateway on loopback, as its TOML file describes it."""

import json
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError
from support import builders
from support.builders import do
from support.interop.loopback_servers import read_request, running_server

from api.notifications.sender import NotificationSender
from api.notifications.sms import SmsGateway, build_sms_transport, fill_body, send_as_sms
from api.settings import Settings
from api.store.forms import links
from api.store.notifications import occasions
from api.store.operations.startup import open_store
from schemas.notification import Recipient
from schemas.patients.patient import KnownPatient

JSON_BODY = '{"to": "{to}", "text": "{text}", "kind": {"sms": true}}'
NUMBER = "+447700900123"


def answer_with(requests, response):
    """Return a server that keeps each request and answers with these bytes."""

    def serve(connection):
        requests.append(read_request(connection))
        head = f"HTTP/1.1 {response[0]} x\r\nContent-Length: {len(response[1])}\r\n\r\n"
        connection.sendall(head.encode() + response[1])

    return serve


def write_gateway(folder, host_port, **more):
    lines = {
        "url": f"http://{host_port.host}:{host_port.port}/messages?account=7",
        "body": JSON_BODY,
        "private_network": True,
        "success_contains": '"accepted"',
    } | more
    file = folder / "gateway.toml"
    file.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items()))
    return Settings(sms_gateway_file=file, delivery_seconds=2.0)


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        ((200, b'{"state": "accepted"}'), "delivered"),
        ((200, b'{"state": "no credit"}'), "transient_failure"),
        ((400, b'"accepted"'), "permanent_failure"),
        ((503, b""), "transient_failure"),
    ],
)
def test_the_response_decides_whether_it_was_sent(tmp_path, response, outcome):
    requests: list = []
    with running_server(answer_with(requests, response)) as host_port:
        transport = build_sms_transport(write_gateway(tmp_path, host_port))
        assert send_as_sms('Say "hi" {to}', NUMBER, transport).disposition == outcome
    ((head, body),) = requests
    assert json.loads(body)["text"] == 'Say "hi" {to}'
    assert NUMBER.encode() not in head


def test_the_form_encoding_escapes_what_it_must():
    gateway = SmsGateway(
        url="https://sms.example/",
        content_type="application/x-www-form-urlencoded",
        body="to={to}&msg={text}",
    )
    body = fill_body(gateway, NUMBER, "a&to=x é").decode()
    assert parse_qs(body) == {"to": [NUMBER], "msg": ["a&to=x é"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://sms.example/"},
        {"url": "https://user@sms.example/"},
        {"body": "{to}"},
        {"method": "GET"},
        {"headers": {"X": "a\r\nY: b"}},
    ],
)
def test_a_description_that_cannot_work_is_refused(changes):
    with pytest.raises(ValidationError):
        SmsGateway.model_validate({"url": "https://sms.example/", "body": JSON_BODY} | changes)


def test_a_gateway_without_tls_must_be_in_the_private_network(tmp_path):
    requests: list = []
    with running_server(answer_with(requests, (200, b'"accepted"'))) as host_port:
        settings = write_gateway(tmp_path, host_port, private_network=False)
        result = send_as_sms("text", NUMBER, build_sms_transport(settings))
    assert (result.outcome, requests) == ("not_allowed", [])


def test_an_invitation_goes_to_the_patients_phone(tmp_path):
    requests: list = []
    store = open_store(builders.copy_empty_store(tmp_path))
    clinic = builders.clinic(store, "Harbour Clinic")

    def invite(work):
        patient = KnownPatient(reference="MRN-0042", name="Zoe Canary")
        link, _ = links.add_link(work, links.LinkRequest(patient, "phq4@1.0.0", 90))
        recipient = Recipient(medium="sms", address=NUMBER)
        occasions.invite_patient(work, link, recipient, "https://n.example/intake/x")

    do(store, clinic, invite)
    with running_server(answer_with(requests, (200, b'"accepted"'))) as host_port:
        settings = write_gateway(tmp_path, host_port)
        assert NotificationSender(store, settings).send_all() == 1
    store.close()
    body = json.loads(requests[0][1])
    assert body["to"] == NUMBER
    assert body["text"] == (
        "Harbour Clinic asks you to fill in a questionnaire: https://n.example/intake/x"
    )
