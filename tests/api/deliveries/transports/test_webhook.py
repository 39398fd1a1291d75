"""Webhooks: verified by a library not written here, replayed in time, signed by both secrets."""

import json

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support.builders import do
from support.interop.loopback_servers import listening

from api.deliveries.transports.webhook import generate_webhook_secret


@pytest.fixture
def hook():
    """A receiver and what it was sent: headers and body."""
    seen: list[tuple[dict[str, str], bytes]] = []

    def serve(line) -> None:
        read = b""
        while b"\r\n\r\n" not in read:
            read += line.recv(65536)
        head, _, body = read.partition(b"\r\n\r\n")
        lines = [each.partition(": ") for each in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        while len(body) < int(headers["content-length"]):
            body += line.recv(65536)
        seen.append((headers, body))
        status = "503 X" if len(seen) == 1 else "204 No Content"
        line.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with listening(serve) as place:
        yield place, seen


def test_a_webhook_is_signed_tried_again_and_the_same_each_time(hook, send, sender, found, at_once):
    place, seen = hook
    old, new = generate_webhook_secret(), generate_webhook_secret()
    delivery, _, _ = send(place, "generic-webhook", "http", "/in", webhook_secrets=(new, old))
    sender.send_all()
    assert found(delivery).state == "waiting"
    at_once()
    sender.send_all()
    done = found(delivery)
    assert (done.state, [each.code for each in done.attempts]) == ("delivered", ["503", "204"])
    (first, body), (second, again) = seen
    assert body == again
    assert first["webhook-id"] == second["webhook-id"] == done.control_id
    for secret in (old, new):
        told = Webhook(secret).verify(body, second)
    assert told["type"] == "screening.result"
    assert told["screening"]["patient"]["reference"] == "MRN-0042"
    assert told["report"]["url"].startswith("https://nociscreen.example/v1/screenings/")
    for broken, headers in ((body + b" ", second), (body, second | {"webhook-id": "another"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(broken, headers)


def test_a_withdrawal_tells_no_result(hook, send, sender, store, clinic, of):
    from api.store.screenings import screenings

    place, seen = hook
    seen.append(({}, b""))
    secrets = (generate_webhook_secret(),)
    _, screening, _ = send(place, "generic-webhook", "http", "/in", webhook_secrets=secrets)
    sender.send_all()
    do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
    sender.send_all()
    told = json.loads(seen[-1][1])
    assert told["type"] == "screening.withdrawal"
    assert told["screening"]["entered_in_error"]["reason"] == "wrong patient"
    assert not told.keys() & {"report"}
    assert not told["screening"].keys() & {"assessment", "answers", "context"}
