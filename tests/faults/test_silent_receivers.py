"""Receivers that accept and say nothing, or one byte at a time: who waits, and who does not."""

import threading
from contextlib import ExitStack

import pytest
from support import builders
from support.builders import copy_empty_store, do
from support.interop.loopback_servers import (
    PATIENCE_SECONDS,
    Tarpit,
    allow_private,
    drip_after,
    read_request,
    respond_with,
    running_server,
)

from api.deliveries.compose_request import ComposeContext
from api.deliveries.sender import DeliverySender
from api.deliveries.sender_threads import running_sender, send_due_deliveries
from api.deliveries.transports.fhir import (
    AccessTokenCache,
    FhirServer,
    SmartCredentials,
    send_over_fhir,
)
from api.deliveries.transports.mllp import send_over_mllp
from api.deliveries.transports.webhook import (
    WebhookEndpoint,
    generate_webhook_secret,
    send_over_webhook,
)
from api.documents.render_pool import InProcessRenderer
from api.fhir.elements import CanonicalUrls
from api.notifications.sender import NotificationSender, running_notification_sender
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, send_request
from api.outbound.smtp_client import OutboundMail, SmtpServer, send_mail
from api.security.keys import generate_signing_key
from api.store.deliveries import allowed_hosts, destinations, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.forms import links
from api.store.notifications import occasions
from api.store.operations.startup import open_store
from schemas.notification import Recipient
from schemas.organisations.delivery import SmartSignIn
from schemas.patients.patient import KnownPatient
from scoring.catalogue import load_catalogue

SHORT_SECONDS = 0.3


def send_webhook(host_port, policy):
    endpoint = WebhookEndpoint(f"http://127.0.0.1:{host_port.port}/", (generate_webhook_secret(),))
    return send_over_webhook(b"{}", "id", endpoint, policy).outcome


def send_fhir(host_port, policy):
    smart = SmartSignIn(token_url=f"http://127.0.0.1:{host_port.port}/token", client_id="c")
    login = SmartCredentials(smart, generate_signing_key("ES384"))
    server = FhirServer(f"http://127.0.0.1:{host_port.port}", "d", "transaction", login)
    content = b'{"resourceType": "Bundle", "entry": []}'
    return send_over_fhir(content, server, AccessTokenCache(), policy).outcome


def send_mllp(host_port, policy):
    return send_over_mllp(b"MSH|^~\\&|", "1", f"mllp://127.0.0.1:{host_port.port}", policy).outcome


def fetch(host_port, policy):
    """As JWK sets, OpenID Connect and the SMS gateway are called."""
    with pytest.raises(OutboundError) as error:
        send_request(OutboundRequest("GET", f"http://127.0.0.1:{host_port.port}/"), policy)
    return error.value.reason


def mail(host_port, policy):
    with pytest.raises(OutboundError) as error:
        send_mail(OutboundMail("a@x.example", "b@x.example", b""), SmtpServer(host_port, "none"),
                  policy)  # fmt: skip
    return error.value.reason


HTTP_HEAD = b"HTTP/1.1 200 x\r\nContent-Length: 999\r\n\r\n"
BEGINNINGS = {
    send_webhook: HTTP_HEAD, send_fhir: HTTP_HEAD, fetch: HTTP_HEAD, send_mllp: b"\x0bMSH|",
    mail: b"220 ",
}  # fmt: skip


@pytest.mark.parametrize("call", BEGINNINGS)
@pytest.mark.parametrize("is_dripping", [False, True])
def test_every_call_ends_at_its_deadline(call, is_dripping):
    tarpit = Tarpit()
    serve = drip_after(BEGINNINGS[call]) if is_dripping else tarpit.serve
    with running_server(serve) as host_port:
        policy = ConnectionPolicy(allow_private(host_port), SHORT_SECONDS)
        assert call(host_port, policy) == "timeout"
        tarpit.may_end.set()


def test_the_deadline_covers_the_resolver_and_several_calls_together():
    may_end, calls = threading.Event(), []

    def resolve(_host_port):
        calls.append(1)
        may_end.wait(PATIENCE_SECONDS)
        return ["127.0.0.1"]

    with running_server(respond_with(b"HTTP/1.1 204 x\r\n\r\n")) as host_port:
        request = OutboundRequest("GET", f"http://{host_port.host}:{host_port.port}/")
        policy = ConnectionPolicy(allow_private(host_port), SHORT_SECONDS)
        with pytest.raises(OutboundError, match="timeout"):
            send_request(request, policy._replace(resolver=resolve))
        may_end.set()
        shared_policy = policy._replace(deadline_seconds=PATIENCE_SECONDS).start_deadline()
        assert shared_policy.start_deadline() == shared_policy
        assert send_request(request, shared_policy).status == 204
        with pytest.raises(OutboundError, match="timeout"):
            send_request(request, shared_policy._replace(ends_at=0.0, resolver=resolve))
    assert len(calls) == 1


@pytest.fixture
def settings(tmp_path):
    limits = {"delivery_seconds": PATIENCE_SECONDS, "smtp_host": "127.0.0.1", "smtp_tls": "none",
              "smtp_sender": "desk@clinic.example", "public_url": "https://x.example"}  # fmt: skip
    return copy_empty_store(tmp_path).model_copy(update=limits)


@pytest.fixture
def store(settings):
    own_store = open_store(settings)
    yield own_store
    own_store.close()


def enqueue(store, clinic, host_port, patients: int = 1) -> None:
    """Enqueue deliveries to a webhook of its own at this host."""
    screenings = [builders.add(store, clinic, f"MRN-{n}") for n in range(patients)]

    def enqueue_in(work) -> None:
        allowed_hosts.add_allowed_host(work, host_port, private=True)
        address = f"http://{host_port.host}:{host_port.port}/"
        content = DestinationSecrets(address=address, webhook_secrets=(generate_webhook_secret(),))
        to = destinations.add_destination(work, "EHR", "generic-webhook", content, follows=False)
        for screening in screenings:
            line = outbox.compute_line(work, screening.patient)
            outbox.enqueue_delivery(work, outbox.NewDelivery(to, screening.id, "result", line))

    do(store, clinic, enqueue_in)


def test_silent_receivers_of_one_organisation_hold_up_no_other(store, settings):
    clinic, other = builders.clinic(store), builders.clinic(store)
    tarpits, arrivals = [Tarpit() for _ in range(3)], threading.Semaphore(0)

    def accept(connection) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 204 x\r\n\r\n")
        arrivals.release()

    context = ComposeContext(
        load_catalogue(), InProcessRenderer(), CanonicalUrls(settings.public_url)
    )
    with ExitStack() as servers:
        for tarpit in tarpits:
            host_port = servers.enter_context(running_server(tarpit.serve))
            enqueue(store, clinic, host_port, patients=2)
            enqueue(store, clinic, host_port)
        receiver = servers.enter_context(running_server(accept))
        sender = DeliverySender(store, settings, context)
        servers.enter_context(running_sender(sender, workers=4))
        for tarpit in tarpits:
            servers.callback(tarpit.may_end.set)
        assert tarpits[0].is_reached.wait(PATIENCE_SECONDS)
        enqueue(store, other, receiver, patients=5)
        for _ in range(5):
            assert arrivals.acquire(timeout=PATIENCE_SECONDS)
        connections = [tarpit.connections for tarpit in tarpits]
        assert max(connections) == 1
        assert sum(connections) <= 2


def test_the_command_that_sends_once_tries_a_silent_host_once_and_serves_the_others(
    store, settings
):
    clinic, other = builders.clinic(store), builders.clinic(store)
    tarpit, arrivals = Tarpit(), []

    def accept(connection) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 204 x\r\n\r\n")
        arrivals.append(1)
        if len(arrivals) == 2:
            tarpit.may_end.set()

    context = ComposeContext(
        load_catalogue(), InProcessRenderer(), CanonicalUrls(settings.public_url)
    )
    with running_server(tarpit.serve) as silent, running_server(accept) as receiver:
        for _ in range(2):
            enqueue(store, clinic, silent)
        enqueue(store, other, receiver, patients=2)
        assert send_due_deliveries(DeliverySender(store, settings, context), workers=2) == 3
    assert tarpit.connections == 1


def test_a_silent_mail_server_holds_up_no_text_message(store, settings, tmp_path):
    clinic, arrived_event = builders.clinic(store), threading.Event()

    def accept(connection) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nok")
        arrived_event.set()

    tarpit = Tarpit()
    with running_server(tarpit.serve) as mail_server, running_server(accept) as gateway:
        file = tmp_path / "gateway.toml"
        file.write_text(
            f'url = "http://127.0.0.1:{gateway.port}/"\nprivate_network = true\n'
            'body = \'{"to": "{to}", "text": "{text}"}\'\nsuccess_contains = "ok"\n'
        )
        changes = {"smtp_port": mail_server.port, "sms_gateway_file": file}
        sender = NotificationSender(store, settings.model_copy(update=changes))

        def invite(medium: str, address: str) -> None:
            def invite_in(work) -> None:
                patient = KnownPatient(reference="MRN-1")
                link, _ = links.add_link(work, links.LinkRequest(patient, "phq4@1.0.0", 14))
                recipient = Recipient(medium=medium, address=address)
                occasions.invite_patient(work, link, recipient, "https://x.example/intake/1")

            do(store, clinic, invite_in)

        for number in range(3):
            invite("email", f"p{number}@x.example")
        with running_notification_sender(sender):
            try:
                assert tarpit.is_reached.wait(PATIENCE_SECONDS)
                invite("sms", "+447700900123")
                assert arrived_event.wait(PATIENCE_SECONDS)
                assert tarpit.connections == 1
            finally:
                tarpit.may_end.set()
