"""Webhooks: verified by an independent library, retried unchanged, signed with both secrets."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support.builders import do
from support.interop.loopback_servers import read_request, running_server

from api.deliveries.sender_threads import send_due_deliveries
from api.deliveries.transports.webhook import generate_webhook_secret, sign_payload


@pytest.fixture
def hook():
    """A receiver that refuses the first request, and the headers and body of each request."""
    requests: list[tuple[dict[str, str], bytes]] = []

    def serve(connection) -> None:
        head, body = read_request(connection)
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        requests.append(({name.lower(): value for name, _, value in lines}, body))
        status = "503 X" if len(requests) == 1 else "204 No Content"
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with running_server(serve) as host_port:
        yield host_port, requests


def test_a_signature_is_that_of_the_specification():
    """The example of Standard Webhooks, section Signature scheme."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    sent_at = datetime.fromtimestamp(1614265330, UTC)
    signature = sign_payload(
        b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at, (secret,)
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_is_retried_with_the_same_body_and_signed_with_both_secrets(
    hook, send, sender, find_delivery, make_due
):
    host_port, requests = hook
    old, new = generate_webhook_secret(), generate_webhook_secret()
    delivery, _, _ = send(host_port, "generic-webhook", "http", "/in", webhook_secrets=(new, old))
    send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "waiting"
    make_due()
    send_due_deliveries(sender, 4)
    delivered = find_delivery(delivery)
    codes = [attempt.code for attempt in delivered.attempts]
    assert (delivered.state, codes) == ("delivered", ["503", "204"])
    (first, body), (second, second_body) = requests
    assert body == second_body
    assert first["webhook-id"] == second["webhook-id"] == delivered.control_id
    event = Webhook(old).verify(body, second)
    assert Webhook(new).verify(body, second) == event
    assert event["type"] == "screening.result"
    assert event["screening"]["patient"]["reference"] == "MRN-0042"
    assert event["report"]["url"].startswith("https://nociscreen.example/v1/screenings/")
    for broken, headers in ((body + b" ", second), (body, second | {"webhook-id": "another"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(broken, headers)


def test_a_withdrawal_contains_no_result(hook, send, sender, store, clinic, find_screening):
    from api.store.screenings import screenings

    host_port, requests = hook
    requests.append(({}, b""))
    secrets = (generate_webhook_secret(),)
    _, screening, _ = send(host_port, "generic-webhook", "http", "/in", webhook_secrets=secrets)
    send_due_deliveries(sender, 4)
    do(store, clinic, screenings.mark_entered_in_error, find_screening(screening), "wrong patient")
    send_due_deliveries(sender, 4)
    event = json.loads(requests[-1][1])
    assert event["type"] == "screening.withdrawal"
    assert event["screening"]["entered_in_error"]["reason"] == "wrong patient"
    assert not event.keys() & {"report"}
    assert not event["screening"].keys() & {"assessment", "answers", "context"}
