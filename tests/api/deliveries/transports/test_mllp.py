"""MLLP: to independent servers, and to one that responds in every invalid way."""

import base64
import socket

import hl7
import pytest
from support.builders import add, do, intake
from support.interop.loopback_servers import issue_server_certificate, running_server
from support.interop.mllp_receivers import running_hl7_server, running_hl7apy_server

from api.deliveries.sender import DeliverySender
from api.deliveries.sender_threads import send_due_deliveries
from api.hl7v2.mllp_framing import frame_message
from api.store.deliveries import outbox, search
from api.store.deliveries.search import DeliveryFilters
from api.store.screenings import screenings


def read_message(connection: socket.socket) -> bytes:
    content = b""
    while b"\x1c\r" not in content:
        content += connection.recv(65536)
    return content


def acknowledge(code: str, control_id: str | None = None):
    """Return a server that acknowledges a message with this code."""

    def serve(connection: socket.socket) -> None:
        control_id_to_name = control_id or read_message(connection).split(b"|")[9].decode()
        reply = f"MSH|^~\\&|EHR||||||ACK|1|P|2.5.1\rMSA|{code}|{control_id_to_name}\r"
        connection.sendall(frame_message(reply.encode()))

    return serve


@pytest.mark.parametrize(
    "server", [running_hl7_server, running_hl7apy_server], ids=["hl7", "hl7apy"]
)
@pytest.mark.parametrize("message", ["ORU", "MDM"])
def test_an_independent_server_accepts_the_message_with_its_report(
    server, message, send, sender, find_delivery
):
    with server() as (host_port, messages):
        delivery, _, _ = send(host_port, options={"v2": {"message": message}})
        assert send_due_deliveries(sender, 4) == 1
    delivered = find_delivery(delivery)
    assert [message for message in messages if message.startswith("failed")] == []
    attempts = [(attempt.outcome, attempt.code) for attempt in delivered.attempts]
    assert (delivered.state, attempts) == ("delivered", [("accepted", "AA")])
    received = hl7.parse(messages[0])
    assert str(received["MSH"][0][10]) == delivered.control_id
    report = received.segments("OBX")[-1][5][0]
    assert base64.b64decode(str(report[4])).startswith(b"%PDF-1.7")


def test_tls_is_used_with_the_scheme_mllps(tmp_path, send, sender, find_delivery):
    context, ca_certificate = issue_server_certificate(tmp_path)
    with running_server(acknowledge("AA"), context) as host_port:
        delivery, _, _ = send(host_port, scheme="mllps", authorities=ca_certificate)
        send_due_deliveries(sender, 4)
        untrusted_id, _, _ = send(host_port, scheme="mllps")
        send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "delivered"
    untrusted = find_delivery(untrusted_id)
    assert (untrusted.state, untrusted.reason) == ("waiting", "tls_failed")


def stay_silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def send_half(connection: socket.socket) -> None:
    read_message(connection)
    connection.sendall(b"\x0bMSH|^~\\&|EHR\rMSA|AA|")
    connection.shutdown(socket.SHUT_WR)


def close_early(connection: socket.socket) -> None:
    connection.recv(1)


def close_after_message(connection: socket.socket) -> None:
    read_message(connection)


def send_no_frame(connection: socket.socket) -> None:
    read_message(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [
        (acknowledge("AE"), "error"),
        (acknowledge("CE"), "error"),
        (acknowledge("AA", "another"), "wrong_control_id"),
        (acknowledge("??"), "unreadable"),
        (send_half, "incomplete_frame"),
        (close_early, "connection_lost"),
        (close_after_message, "connection_lost"),
        (send_no_frame, "unreadable"),
        (stay_silent, "timeout"),
    ],
)
def test_a_message_that_was_not_accepted_is_sent_again_unchanged(
    serve, outcome, send, store, store_settings, compose_context, find_delivery, make_due
):
    messages: list[bytes] = []

    def accept_the_second(connection: socket.socket) -> None:
        if messages:
            messages.append(read_message(connection))
            control_id = messages[-1].split(b"|")[9].decode()
            connection.sendall(frame_message(f"MSH|^~\\&|\rMSA|AA|{control_id}\r".encode()))
        else:
            messages.append(b"")
            serve(connection)

    settings = store_settings.model_copy(update={"delivery_seconds": 1.0})
    sender = DeliverySender(store, settings, compose_context)
    with running_server(accept_the_second) as host_port:
        delivery, _, _ = send(host_port)
        send_due_deliveries(sender, 4)
        waiting = find_delivery(delivery)
        assert (waiting.state, waiting.reason) == ("waiting", outcome)
        assert waiting.attempts[-1].outcome == outcome
        assert waiting.due_at > waiting.attempts[-1].begun_at
        assert send_due_deliveries(sender, 4) == 0
        make_due()
        assert send_due_deliveries(sender, 4) == 1
    delivered = find_delivery(delivery)
    assert (delivered.state, delivered.tries) == ("delivered", 2)
    assert messages[1].split(b"|")[9].decode() == delivered.control_id


@pytest.mark.parametrize("code", ["AR", "CR"])
def test_a_refused_delivery_is_parked_and_not_retried(code, send, sender, find_delivery, make_due):
    with running_server(acknowledge(code)) as host_port:
        delivery, _, _ = send(host_port)
        send_due_deliveries(sender, 4)
        make_due()
        assert send_due_deliveries(sender, 4) == 0
    assert (find_delivery(delivery).state, find_delivery(delivery).reason) == ("parked", "refused")


def test_a_delivery_is_parked_after_the_configured_number_of_attempts(
    send, sender, find_delivery, make_due
):
    with running_server(close_early) as host_port:
        delivery, _, _ = send(host_port)
        for _ in range(3):
            make_due()
            assert send_due_deliveries(sender, 4) == 1
        make_due()
        assert send_due_deliveries(sender, 4) == 0
    parked = find_delivery(delivery)
    assert (parked.state, parked.tries, len(parked.attempts)) == ("parked", 3, 3)


def test_order_is_kept_while_the_first_delivery_waits(send, sender, find_delivery, make_due):
    codes = iter(["AE", "AA", "AA"])
    with running_hl7_server(lambda _: next(codes)) as (host_port, messages):
        first, _, destination_id = send(host_port)
        second, _, _ = send(host_port, destination_id=destination_id)
        send_due_deliveries(sender, 4)
        assert [find_delivery(delivery).state for delivery in (first, second)] == [
            "waiting",
            "waiting",
        ]
        make_due()
        send_due_deliveries(sender, 4)
    assert [str(hl7.parse(message)["MSH"][0][10]) for message in messages] == [
        find_delivery(delivery).control_id for delivery in (first, first, second)
    ]
    assert messages[0] == messages[1]


def test_plain_mllp_is_not_sent_to_a_public_host(send, sender, find_delivery, store, clinic):
    from api.store.deliveries import allowed_hosts

    with running_server(lambda _: pytest.fail("the server was reached")) as host_port:
        delivery, _, _ = send(host_port)
        do(
            store,
            clinic,
            lambda work: allowed_hosts.add_allowed_host(work, host_port, private=False),
        )
        send_due_deliveries(sender, 4)
    assert find_delivery(delivery).reason == "not_allowed"


class TestALaterEvent:
    def test_a_correction_is_sent_to_where_the_first_result_was_sent(
        self, send, sender, store, clinic, find_screening
    ):
        with running_hl7_server() as (host_port, messages):
            _, screening, _ = send(host_port, options={"v2": {"message": "MDM"}})
            send_due_deliveries(sender, 4)
            corrected = intake(name="Test, Pat", system="urn:oid:1.2.3")
            do(store, clinic, screenings.amend_screening, find_screening(screening), corrected)
            send_due_deliveries(sender, 4)
        first, second = map(hl7.parse, messages)
        assert str(second["MSH"][0][9]) == "MDM^T10^MDM_T02"
        assert str(second["TXA"][0][13]) == str(first["TXA"][0][12])

    def test_a_screening_entered_in_error_is_withdrawn_where_it_was_sent(
        self, send, sender, store, clinic, find_screening
    ):
        with running_hl7_server() as (host_port, messages):
            _, screening, _ = send(host_port, options={"v2": {"message": "MDM"}})
            send_due_deliveries(sender, 4)
            do(
                store,
                clinic,
                screenings.mark_entered_in_error,
                find_screening(screening),
                "wrong patient",
            )
            send_due_deliveries(sender, 4)
        first, second = map(hl7.parse, messages)
        assert str(second["MSH"][0][9]) == "MDM^T11^MDM_T01"
        assert str(second["TXA"][0][12]) == str(first["TXA"][0][12])

    def test_a_withdrawn_screening_that_was_not_sent_is_never_sent(
        self, send, sender, store, clinic, find_screening, find_delivery
    ):
        with running_hl7_server() as (host_port, messages):
            delivery, screening, _ = send(host_port)
            do(
                store,
                clinic,
                screenings.mark_entered_in_error,
                find_screening(screening),
                "wrong patient",
            )
            send_due_deliveries(sender, 4)
        assert (find_delivery(delivery).state, messages) == ("cancelled", [])

    @pytest.mark.parametrize(
        "actions", [("resend_delivery",), ("resend_delivery", "cancel_delivery")]
    )
    def test_a_delivered_screening_is_withdrawn_though_it_was_to_be_resent(
        self, send, sender, store, clinic, find_screening, actions
    ):
        with running_hl7_server() as (host_port, messages):
            delivery, screening, _ = send(host_port, options={"v2": {"message": "MDM"}})
            send_due_deliveries(sender, 4)
            for action in actions:
                do(store, clinic, getattr(outbox, action), delivery)
            do(
                store,
                clinic,
                screenings.mark_entered_in_error,
                find_screening(screening),
                "wrong patient",
            )
            send_due_deliveries(sender, 4)
        assert str(hl7.parse(messages[-1])["MSH"][0][9]) == "MDM^T11^MDM_T01"

    def test_a_cancelled_delivery_with_an_unknown_outcome_is_withdrawn(
        self, send, sender, store, clinic, find_screening, find_delivery
    ):
        with running_server(close_early) as host_port:
            delivery, screening, _ = send(host_port)
            send_due_deliveries(sender, 4)
            do(store, clinic, outbox.cancel_delivery, delivery)
            do(
                store,
                clinic,
                screenings.mark_entered_in_error,
                find_screening(screening),
                "wrong patient",
            )
        assert find_delivery(delivery).state == "cancelled"
        with store.transaction(clinic.actor) as work:
            events = [
                delivery.event for delivery in search.list_deliveries(work, DeliveryFilters(), 10)
            ]
            work.audit("list")
        assert sorted(events) == ["result", "withdrawal"]

    def test_cancelling_a_resent_delivery_leaves_it_delivered(
        self, send, sender, store, clinic, find_delivery
    ):
        with running_hl7_server() as (host_port, _):
            delivery, _, _ = send(host_port)
            send_due_deliveries(sender, 4)
        do(store, clinic, outbox.resend_delivery, delivery)
        do(store, clinic, outbox.cancel_delivery, delivery)
        assert find_delivery(delivery).state == "delivered"

    def test_a_correction_before_the_first_was_sent_is_sent_as_a_first_result(
        self, send, sender, store, clinic, find_screening
    ):
        with running_hl7_server() as (host_port, messages):
            _, screening, _ = send(host_port, options={"v2": {"message": "MDM"}})
            corrected = intake(name="Test, Pat", system="urn:oid:1.2.3")
            do(store, clinic, screenings.amend_screening, find_screening(screening), corrected)
            send_due_deliveries(sender, 4)
        assert [str(hl7.parse(message)["MSH"][0][9]) for message in messages] == ["MDM^T02^MDM_T02"]


def test_a_delivery_of_an_erased_patient_is_not_sent_and_leaves_no_payload(
    send, sender, store, clinic, find_delivery
):
    from sqlalchemy import func, select

    from api.store.database.tables import AttemptRow, DeliveryRow
    from api.store.errors import NotFoundError
    from api.store.patients import data_subject_rights
    from api.store.patients.patient_lookup import PatientSelector

    with running_server(close_early) as host_port:
        delivery, _, _ = send(host_port)
        send_due_deliveries(sender, 4)
        do(store, clinic, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))
    with store.read_all_organisations() as session:
        for table in (DeliveryRow, AttemptRow):
            is_own = table.organisation_id == clinic.organisation
            assert session.execute(select(func.count()).where(is_own)).scalar_one() == 0
    with pytest.raises(NotFoundError):
        find_delivery(delivery)
    add(store, clinic)
    assert send_due_deliveries(sender, 4) == 0
