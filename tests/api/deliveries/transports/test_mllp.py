"""MLLP: to servers not written here, and to one that answers in every wrong way there is."""

import base64
import socket

import hl7
import pytest
from support.builders import add, do, intake
from support.interop.loopback_servers import certified, listening
from support.interop.mllp_receivers import hl7apy_server, python_hl7

from api.hl7v2.mllp_framing import frame_message
from api.store.deliveries import outbox, search
from api.store.deliveries.search import DeliveryFilters
from api.store.screenings import screenings


def acked(code: str, control_id: str | None = None):
    """A server that reads a message and says this of it."""

    def serve(line: socket.socket) -> None:
        read = b""
        while b"\x1c\r" not in read:
            read += line.recv(65536)
        name = control_id or read.split(b"|")[9].decode()
        line.sendall(
            frame_message(f"MSH|^~\\&|EHR||||||ACK|1|P|2.5.1\rMSA|{code}|{name}\r".encode())
        )

    return serve


@pytest.mark.parametrize("server", [python_hl7, hl7apy_server], ids=["hl7", "hl7apy"])
@pytest.mark.parametrize("message", ["ORU", "MDM"])
def test_a_server_not_written_here_takes_the_message_and_the_report_in_it(
    server, message, send, sender, found
):
    with server() as (place, taken):
        delivery, _, _ = send(place, options={"v2": {"message": message}})
        assert sender.send_all() == 1
    done = found(delivery)
    assert (done.state, [each.code for each in done.attempts]) == ("delivered", ["AA"])
    parsed = hl7.parse(taken[0])
    assert str(parsed["MSH"][0][10]) == done.control_id
    report = parsed.segments("OBX")[-1][5][0]
    assert base64.b64decode(str(report[4])).startswith(b"%PDF-1.7")


def test_tls_is_spoken_where_the_address_says_so(tmp_path, send, sender, found):
    context, authority = certified(tmp_path)
    with listening(acked("AA"), context) as place:
        delivery, _, _ = send(place, scheme="mllps", authorities=authority)
        sender.send_all()
        refused, _, _ = send(place, scheme="mllps")
        sender.send_all()
    assert found(delivery).state == "delivered"
    assert (found(refused).state, found(refused).reason) == ("waiting", "no_tls")


def silence(line: socket.socket) -> None:
    while line.recv(65536):
        pass


def half(line: socket.socket) -> None:
    line.recv(65536)
    line.sendall(b"\x0bMSH|^~\\&|EHR\rMSA|AA|")
    line.shutdown(socket.SHUT_WR)


def closes(line: socket.socket) -> None:
    line.recv(1)


def no_frame(line: socket.socket) -> None:
    line.recv(65536)
    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    ("serve", "outcomes"),
    [
        (acked("AE"), {"error"}),
        (acked("CE"), {"error"}),
        (acked("AA", "another"), {"wrong_control_id"}),
        (acked("??"), {"unreadable"}),
        (half, {"half", "cut_off"}),
        (closes, {"cut_off"}),
        (no_frame, {"unreadable", "cut_off"}),
        (silence, {"silence"}),
    ],
)
def test_what_is_no_yes_is_sent_again_later_byte_for_byte_under_the_same_number(
    serve, outcomes, send, store, kept, house, found, at_once
):
    from api.deliveries.sender import DeliverySender

    read: list[bytes] = []

    def reading(line: socket.socket) -> None:
        if read:
            content = b""
            while b"\x1c\r" not in content:
                content += line.recv(65536)
            read.append(content)
            name = content.split(b"|")[9].decode()
            line.sendall(frame_message(f"MSH|^~\\&|\rMSA|AA|{name}\r".encode()))
        else:
            read.append(b"")
            serve(line)

    quick = DeliverySender(store, kept.model_copy(update={"delivery_seconds": 1.0}), house)
    with listening(reading) as place:
        delivery, _, _ = send(place)
        quick.send_all()
        waits = found(delivery)
        assert waits.state == "waiting"
        assert waits.due_at > waits.attempts[-1].begun_at
        assert waits.reason in outcomes
        assert quick.send_all() == 0
        at_once()
        assert quick.send_all() == 1
    done = found(delivery)
    assert (done.state, done.tries) == ("delivered", 2)
    assert read[1].split(b"|")[9].decode() == done.control_id


@pytest.mark.parametrize("code", ["AR", "CR"])
def test_a_refusal_is_parked_and_never_sent_again_by_itself(code, send, sender, found, at_once):
    with listening(acked(code)) as place:
        delivery, _, _ = send(place)
        sender.send_all()
        at_once()
        assert sender.send_all() == 0
    assert (found(delivery).state, found(delivery).reason) == ("parked", "refused")


def test_after_the_stated_number_of_tries_it_is_parked_and_shown(send, sender, found, at_once):
    with listening(closes) as place:
        delivery, _, _ = send(place)
        for _ in range(3):
            at_once()
            assert sender.send_all() == 1
        at_once()
        assert sender.send_all() == 0
    done = found(delivery)
    assert (done.state, done.tries, len(done.attempts)) == ("parked", 3, 3)


def test_order_is_kept_while_the_first_one_waits(send, sender, found, at_once):
    verdicts = iter(["AE", "AA", "AA"])
    with python_hl7(lambda _: next(verdicts)) as (place, taken):
        first, _, where = send(place)
        second, _, _ = send(place, where=where)
        sender.send_all()
        assert [found(each).state for each in (first, second)] == ["waiting", "waiting"]
        at_once()
        sender.send_all()
    assert [str(hl7.parse(each)["MSH"][0][10]) for each in taken] == [
        found(each).control_id for each in (first, first, second)
    ]
    assert len({each for each in taken if found(first).control_id in each}) == 1


def test_plain_mllp_goes_no_further_than_the_house(send, sender, found, store, clinic):
    from api.store.deliveries import allowed_hosts

    with listening(lambda _: pytest.fail("it was reached")) as place:
        delivery, _, _ = send(place)
        do(store, clinic, lambda work: allowed_hosts.add_allowed_host(work, place, private=False))
        sender.send_all()
    assert found(delivery).reason == "not_allowed"


class TestWhatComesLater:
    def test_a_correction_follows_to_where_the_first_had_gone(
        self, send, sender, store, clinic, of
    ):
        with python_hl7() as (place, taken):
            _, screening, _ = send(place, options={"v2": {"message": "MDM"}})
            sender.send_all()
            corrected = intake(name="Test, Pat", system="urn:oid:1.2.3")
            do(store, clinic, screenings.amend_screening, of(screening), corrected)
            sender.send_all()
        first, second = map(hl7.parse, taken)
        assert str(second["MSH"][0][9]) == "MDM^T10^MDM_T02"
        assert str(second["TXA"][0][13]) == str(first["TXA"][0][12])

    def test_an_error_takes_it_back_where_it_had_gone(self, send, sender, store, clinic, of):
        with python_hl7() as (place, taken):
            _, screening, _ = send(place, options={"v2": {"message": "MDM"}})
            sender.send_all()
            do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
            sender.send_all()
        first, second = map(hl7.parse, taken)
        assert str(second["MSH"][0][9]) == "MDM^T11^MDM_T01"
        assert str(second["TXA"][0][12]) == str(first["TXA"][0][12])

    def test_what_never_left_is_not_sent_at_all(self, send, sender, store, clinic, of, found):
        with python_hl7() as (place, taken):
            delivery, screening, _ = send(place)
            do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
            sender.send_all()
        assert (found(delivery).state, taken) == ("cancelled", [])

    @pytest.mark.parametrize("acts", [("resend",), ("resend", "cancel")])
    def test_an_error_takes_back_what_had_arrived_and_was_to_be_sent_again(
        self, send, sender, store, clinic, of, acts
    ):
        with python_hl7() as (place, taken):
            delivery, screening, _ = send(place, options={"v2": {"message": "MDM"}})
            sender.send_all()
            for each in acts:
                do(store, clinic, getattr(outbox, each), delivery)
            do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
            sender.send_all()
        assert str(hl7.parse(taken[-1])["MSH"][0][9]) == "MDM^T11^MDM_T01"

    def test_an_error_takes_back_what_was_given_up_while_nobody_knew(
        self, send, sender, store, clinic, of, found
    ):
        with listening(closes) as place:
            delivery, screening, _ = send(place)
            sender.send_all()
            do(store, clinic, outbox.cancel_delivery, delivery)
            do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
        assert found(delivery).state == "cancelled"
        with store.transaction(clinic.actor) as work:
            events = [each.event for each in search.list_deliveries(work, DeliveryFilters(), 10)]
            work.audit("list")
        assert sorted(events) == ["result", "withdrawal"]

    def test_what_arrived_cannot_be_made_undone_by_giving_up_a_repetition(
        self, send, sender, store, clinic, found
    ):
        with python_hl7() as (place, _):
            delivery, _, _ = send(place)
            sender.send_all()
        do(store, clinic, outbox.resend_delivery, delivery)
        do(store, clinic, outbox.cancel_delivery, delivery)
        assert found(delivery).state == "delivered"

    def test_a_correction_before_the_first_has_left_goes_alone_as_a_first(
        self, send, sender, store, clinic, of
    ):
        with python_hl7() as (place, taken):
            _, screening, _ = send(place, options={"v2": {"message": "MDM"}})
            corrected = intake(name="Test, Pat", system="urn:oid:1.2.3")
            do(store, clinic, screenings.amend_screening, of(screening), corrected)
            sender.send_all()
        assert [str(hl7.parse(each)["MSH"][0][9]) for each in taken] == ["MDM^T02^MDM_T02"]


def test_an_erased_patient_is_sent_nowhere_and_leaves_no_payload(
    send, sender, store, clinic, found
):
    from sqlalchemy import func, select

    from api.problems import Problem
    from api.store.database.tables import AttemptRow, DeliveryRow
    from api.store.patients import data_subject_rights
    from api.store.patients.patient_lookup import PatientSelector

    with listening(closes) as place:
        delivery, _, _ = send(place)
        sender.send_all()
        do(store, clinic, data_subject_rights.erase_patient, PatientSelector("MRN-0042", None))
    with store.read_all_organisations() as session:
        for table in (DeliveryRow, AttemptRow):
            which = table.organisation_id == clinic.organisation
            assert session.execute(select(func.count()).where(which)).scalar_one() == 0
    with pytest.raises(Problem):
        found(delivery)
    add(store, clinic)
    assert sender.send_all() == 0
