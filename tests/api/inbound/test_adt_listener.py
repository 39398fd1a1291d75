"""The listener: merges received over MLLP from an independent client."""

import re
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress
from itertools import count

import pytest
from hl7.mllp import open_hl7_connection
from support import builders
from support.builders import add, do
from support.callers import calling
from support.commands import run_command, run_failing_command
from support.interop.loopback_servers import issue_server_certificate
from support.servers.async_thread import run_aside
from support.servers.forked_program import ForkedProgram
from support.servers.processes import environment

from api.hl7v2.acknowledgement import parse_acknowledgement
from api.hl7v2.mllp_framing import frame_message
from api.inbound.adt_listener import AdtListener, serve_connection
from api.inbound.messages import AdtContext, apply_content, apply_message
from api.main import create_app
from api.outbound.bulkhead import BulkheadFullError
from api.problems import Problem
from api.store import approvals
from api.store.accounts import clients, organisations
from api.store.audit import chain
from api.store.errors import ConflictError, LegalHoldError, NotFoundError
from api.store.forms import drafts, links, open_links
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.patients import data_subject_rights, legal_holds, merges
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings
from schemas.patients.links import Draft
from schemas.patients.patient import KnownPatient

SYSTEM = "urn:oid:1.2.3"
AUTHORITIES = {"HOSP1": SYSTEM}
A40 = (
    "MSH|^~\\&|ADT1|HOSP1|NOCISCREEN||20261120100000||ADT^A40^ADT_A39|77|P|2.5.1\r"
    "EVN||20261120100000\r"
    "PID|1||NEW-1^^^HOSP1^MR||Test^Pat\r"
    "MRG|OLD-1^^^HOSP1^MR\r"
)


def send_message(port: int, text: str) -> tuple[str, str]:
    """Send a message by the client of the package `hl7`; return code and control id."""

    async def exchange():
        reader, writer = await open_hl7_connection("127.0.0.1", port)
        writer.writemessage(text)
        await writer.drain()
        reply = await reader.readmessage()
        writer.close()
        await writer.wait_closed()
        return str(reply["MSA"][0][1]), str(reply["MSA"][0][2])

    return run_aside(exchange())


@pytest.fixture
def adt_context(store, clinic):
    return AdtContext(store, clinic.actor, AUTHORITIES, DeniedRequestLog(store))


@pytest.fixture
def client(store_settings, clinic):
    """A client of the clinic, at a service with the same store."""
    app = create_app(store_settings)
    yield calling(app, clinic)
    app.services.denied_requests.flush()
    app.services.renderer.close()
    app.services.store.close()


@contextmanager
def running_listener(adt_context, tls_context=None):
    with AdtListener(("127.0.0.1", 0), adt_context, tls_context) as listener:
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield listener.port
        finally:
            listener.shutdown()
            thread.join(10)


def test_a_repeated_merge_moves_the_screenings_once(adt_context, store, clinic):
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    unrelated = add(store, clinic, "OLD-2", system=SYSTEM)
    with running_listener(adt_context) as port:
        assert send_message(port, A40) == ("AA", "77")
        assert send_message(port, A40) == ("AA", "77")
    assert {row.actor for row in list_audited(store, clinic, "merge")} == {"mllp:127.0.0.1"}
    after = do(store, clinic, screenings.find_screening, screening.id)
    assert (after.patient.reference, after.patient.system) == ("NEW-1", SYSTEM)
    assert [(move.from_reference, move.to_reference, move.means) for move in after.moves] == [
        ("OLD-1", "NEW-1", "hl7v2")
    ]
    assert after.assessment == screening.assessment
    assert do(store, clinic, screenings.find_screening, unrelated.id).moves == ()
    exported = do(
        store, clinic, data_subject_rights.export_patient, PatientSelector("NEW-1", SYSTEM)
    )
    assert [row.id for row in exported.screenings] == [screening.id]
    with pytest.raises(NotFoundError):
        do(store, clinic, data_subject_rights.export_patient, PatientSelector("OLD-1", SYSTEM))


def test_a_merge_waits_once_where_a_second_person_must_approve(adt_context, store, clinic):
    def read_number():
        return do(store, clinic, screenings.find_screening, screening.id).patient.reference

    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    do(store, clinic, organisations.update_organisation, {"second_approval": True})
    for message in (A40, A40, A40.replace("OLD-1", "UNKNOWN")):
        assert parse_acknowledgement(apply_message(adt_context, message.encode())).code == "AA"
    (approval,) = do(store, clinic, approvals.list_approvals, ["merge"])
    assert approval.requested_by == adt_context.actor.id
    assert read_number() == "OLD-1"
    colleague = do(store, clinic, clients.add_client, "Colleague", ())
    here = clinic._replace(client=colleague.id)
    do(store, here, approvals.decide_request, approval.id, ["merge"], is_approved=True)
    assert read_number() == "NEW-1"
    apply_message(adt_context, A40.encode())
    assert do(store, clinic, approvals.list_approvals, ["merge"]) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no message at all", "AR"),
        (A40.replace("OLD-1^^^HOSP1", "OLD-1^^^ELSEWHERE"), "AR"),
        (A40.replace("NEW-1", "OLD-1"), "AR"),
        (A40.replace("OLD-1", "O" * 201), "AR"),
        (A40.replace("|77|", "||"), "AR"),
        (A40.replace("|P|2.5.1", "|P|2.5.1||||||KLINGON"), "AR"),
        (A40.replace("OLD-1", "OLD-1\\Q\\"), "AR"),
        *((A40.replace("NEW-1", f"NEW-1\\X{code}\\"), "AR") for code in ("0B", "00", "7F")),
        (A40.replace("NEW-1", "NEW-1\u202e"), "AR"),
        (A40.replace("NEW-1", "NEW-1\ufdd0"), "AR"),
        (A40.replace("NEW-1", '""'), "AR"),
        (A40.replace("OLD-1", '""'), "AR"),
        (A40 + "ZZZ|x\r" * 500, "AR"),
    ],
)
def test_an_uncertain_merge_is_refused_without_patient_data(adt_context, text, code):
    reply = apply_message(adt_context, text.encode())
    assert parse_acknowledgement(reply).code == code
    control_id = "77" if "|77|" in text else ""
    assert parse_acknowledgement(reply).control_id == control_id
    assert not re.search(rb"OLD-1|NEW-1|OOO|Pat", reply)


NUMBERS = {  # the message: its acknowledgement, and the screening's number afterwards
    "named": (A40, "AA", "NEW-1"),
    "no authority": (A40.replace("^^^HOSP1^MR", ""), "AR", "OLD-1"),
    "no authority of the retired": (A40.replace("OLD-1^^^HOSP1^MR", "OLD-1"), "AR", "OLD-1"),
    "the same OID": (A40.replace("HOSP1^MR", "HOSP1&1.2.3&ISO"), "AA", "NEW-1"),
    "an OID alone": (A40.replace("HOSP1^MR", "&1.2.3&ISO"), "AA", "NEW-1"),
    "another OID": (A40.replace("HOSP1^MR", "HOSP1&9.9.9&ISO"), "AR", "OLD-1"),
    "another OID without a type": (A40.replace("HOSP1^MR", "HOSP1&9.9.9"), "AR", "OLD-1"),
    "another OID once": (A40.replace("OLD-1^^^HOSP1", "OLD-1^^^HOSP1&9.9.9&ISO"), "AR", "OLD-1"),
    "a host name beside": (A40.replace("HOSP1^MR", "HOSP1&adt.example&DNS"), "AA", "NEW-1"),
    "bytes escaped": (A40.replace("NEW-1", "\\X4E45\\W\\X2D31\\"), "AA", "NEW-1"),
    "bytes of no character": (A40.replace("OLD-1", "OLD-1\\XC3\\"), "AR", "OLD-1"),
    "two numbers": (A40.replace("NEW-1^", "NEW-2^^^HOSP1~NEW-1^"), "AR", "OLD-1"),
    **{event: (A40.replace("A40", event), "AA", "NEW-1") for event in ("A18", "A34", "A36", "A47")},
    **{event: (A40.replace("A40", event), "AR", "OLD-1")
       for event in ("A24", "A30", "A39", "A43", "A46", "A50", "A08", "Z99")},
    "an account": (A40.replace("A40", "A35"), "AA", "OLD-1"),
    "no type": (A40.replace("ADT^A40^ADT_A39", ""), "AR", "OLD-1"),
    "MSH-2 of three": (A40.replace("^~\\&", "^~\\"), "AA", "NEW-1"),
    "MSH-2 of five": (A40.replace("^~\\&", "^~\\&#"), "AA", "NEW-1"),
    "blank lines": ("\r\n" + A40.replace("\r", "\r\n \r\n"), "AA", "NEW-1"),
    **{name: (A40.replace("|2.5.1", f"|2.5.1||||||{name}"), "AA", "NEW-1")
       for name in ("UTF-8", "unicode utf-8", "UNICODE", "8859/15", "ISO-8859-1", "windows-1252")},
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_moves_where_it_is_certain_and_else_stays(adt_context, store, clinic, name):
    text, code, expected = NUMBERS[name]
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    assert parse_acknowledgement(apply_content(adt_context, text.encode())).code == code
    patient = do(store, clinic, screenings.find_screening, screening.id).patient
    assert (patient.reference, patient.system) == (expected, SYSTEM)


@pytest.mark.parametrize(("system", "expected"), [(SYSTEM, "NEW-1"), ("urn:oid:9", "OLD-1")])
def test_a_number_without_authority_is_of_the_one_that_was_named(
    adt_context, store, clinic, system, expected
):
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    context = adt_context._replace(authorities={"": system})
    text = A40.replace("^^^HOSP1^MR", "")
    assert parse_acknowledgement(apply_content(context, text.encode())).code == "AA"
    assert do(store, clinic, screenings.find_screening, screening.id).patient.reference == expected


PASSED_OVER = ["ADT^A01", "ADT^A03", "ADT^A08", "ADT^A11", "ADT^A31", "ADT^A60", "ORM^O01",
               "OML^O21", "ORU^R01", "SIU^S12", "MDM^T02", "DFT^P03"]  # fmt: skip


@pytest.mark.parametrize("message_type", PASSED_OVER)
def test_a_message_that_concerns_no_number_is_accepted_and_logged(
    adt_context, capsys, message_type
):
    text = A40.replace("ADT^A40^ADT_A39", message_type).partition("MRG")[0]
    assert parse_acknowledgement(apply_content(adt_context, text.encode())).code == "AA"
    log_text = capsys.readouterr().out
    assert "passed_over" in log_text
    assert message_type in log_text
    assert "NEW-1" not in log_text


def test_a_batch_is_answered_by_a_batch(adt_context, store, clinic):
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    wrong = A40.replace("|77|", "|78|").replace("HOSP1", "X")
    batch = f"FHS|^~\\&|ADT1\rBHS|^~\\&|ADT1\r{A40}{wrong}BTS|2\rFTS|1\r"
    reply = apply_content(adt_context, batch.encode()).decode()
    lines = [line.split("|") for line in reply.splitlines()]
    assert [line[:3] for line in lines if line[0] == "MSA"] == [
        ["MSA", "AA", "77"], ["MSA", "AR", "78"],
    ]  # fmt: skip
    assert [line[0] for line in lines if line[0] not in ("MSA", "ERR")] == [
        "FHS", "BHS", "MSH", "MSH", "BTS", "FTS",
    ]  # fmt: skip
    assert do(store, clinic, screenings.find_screening, screening.id).patient.reference == "NEW-1"


@pytest.mark.parametrize(
    "text",
    [
        A40.replace("HOSP1^MR|", "HOSP1^MR~987^^^SSA&2.16.840.1.113883.4.1^SS|")
        .replace("OLD-1^^^HOSP1^MR", "123^^^ELSEWHERE~OLD-1^^^HOSP1^MR")
        .replace("NEW-1^^^HOSP1^MR", "456^^^ELSEWHERE~NEW-1^^^HOSP1^MR"),
        A40.replace("Test^Pat", "M\xfcller^J\xf6rg"),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "latin-1"])
def test_other_content_of_a_message_is_ignored(adt_context, store, clinic, text, codec):
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    assert parse_acknowledgement(apply_message(adt_context, text.encode(codec)))[1:] == ("AA", "77")
    assert do(store, clinic, screenings.find_screening, screening.id).patient.reference == "NEW-1"


def test_blanks_at_the_ends_are_no_part_of_a_number(adt_context, store, clinic):
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    text = A40.replace("OLD-1", " OLD-1  ").replace("NEW-1", "NEW-1 ")
    assert parse_acknowledgement(apply_message(adt_context, text.encode())).code == "AA"
    after = do(store, clinic, screenings.find_screening, screening.id)
    assert after.patient.reference == "NEW-1"


def build_merges(count: int) -> bytes:
    """Return a message with this many merges."""
    pairs = "".join(
        f"PID|1||NEW-{n}^^^HOSP1^MR\rMRG|OLD-{n}^^^HOSP1^MR\r" for n in range(1, count + 1)
    )
    return "".join([*A40.splitlines(keepends=True)[:2], pairs]).encode()


def test_all_merges_of_a_message_are_one_transaction(adt_context, store, clinic):
    ids = [add(store, clinic, f"OLD-{n}", system=SYSTEM).id for n in (1, 2)]
    stopping = build_merges(2).replace(b"NEW-2", b"OLD-2")
    assert parse_acknowledgement(apply_message(adt_context, stopping)).code == "AR"
    references = [
        do(store, clinic, screenings.find_screening, name).patient.reference for name in ids
    ]
    assert references == ["OLD-1", "OLD-2"]
    assert parse_acknowledgement(apply_message(adt_context, build_merges(2))).code == "AA"
    references = [
        do(store, clinic, screenings.find_screening, name).patient.reference for name in ids
    ]
    assert references == ["NEW-1", "NEW-2"]


def list_audited(store, clinic, action: str) -> list:
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, clinic.organisation))
    return [row for row in rows if row.action == action]


def test_too_many_merges_are_refused_whole_and_twenty_of_nobody_leave_one_row(
    adt_context, store, clinic
):
    assert parse_acknowledgement(apply_message(adt_context, build_merges(20))).code == "AA"
    (row,) = list_audited(store, clinic, "merge")
    assert (row.kind, row.target, row.count) == ("patient", "", 0)
    assert parse_acknowledgement(apply_message(adt_context, build_merges(21))).code == "AR"
    assert list_audited(store, clinic, "merge") == [row]


def test_refused_messages_leave_a_few_rows_with_their_count(store, clinic):
    hours = count()
    log = DeniedRequestLog(store, now=lambda: next(hours) // 200)
    context = AdtContext(store, clinic.actor, AUTHORITIES, log)
    for _ in range(500):
        assert parse_acknowledgement(apply_message(context, b"no message")).code == "AR"
    log.flush()
    rows = list_audited(store, clinic, "refuse")
    assert len(rows) < 6
    assert sum(row.count for row in rows) == 500
    assert {row.outcome for row in rows} == {"unreadable"}


class DrippingSender:
    """A socket on which a byte arrives each time that it is read, ten seconds later."""

    def __init__(self, content: bytes) -> None:
        self.content = iter(content)
        self.seconds = 0.0
        self.sent: list[bytes] = []

    def settimeout(self, seconds: float) -> None:
        assert 0 < seconds <= 60

    def recv(self, _: int) -> bytes:
        self.seconds += 10
        return bytes([next(self.content)])

    def sendall(self, content: bytes) -> None:
        self.sent.append(content)


def test_a_message_that_drips_is_cut_off_after_its_deadline(adt_context):
    sender = DrippingSender(frame_message(A40.encode()))
    serve_connection(adt_context, sender, now=lambda: sender.seconds)
    assert sender.seconds == 70
    assert sender.sent == []


def test_the_audit_names_the_senders_certificate(store, clinic, tmp_path):
    tls_context, ca_certificate = issue_server_certificate(tmp_path, common_name="adt1.hospital")
    (tmp_path / "ca.pem").write_text(ca_certificate)
    tls_context.load_verify_locations(tmp_path / "ca.pem")
    tls_context.verify_mode = ssl.CERT_REQUIRED
    sender_context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    sender_context.load_cert_chain(tmp_path / "server.pem")
    context = AdtContext(store, clinic.actor, AUTHORITIES, DeniedRequestLog(store))
    with running_listener(context, tls_context) as port:
        plain = socket.create_connection(("127.0.0.1", port))
        with sender_context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            secured.sendall(frame_message(A40.encode()))
            assert b"MSA|AA|77" in secured.recv(65536)
    (row,) = list_audited(store, clinic, "merge")
    assert row.actor == "mllp:adt1.hospital"


def test_one_address_holds_its_own_connections_alone(adt_context):
    with AdtListener(("127.0.0.1", 0), adt_context, None) as listener, ExitStack() as open_slots:

        def reserve(address: str) -> bool:
            with suppress(BulkheadFullError):
                open_slots.enter_context(listener.reserve_slot(address))
                return True
            return False

        same_network = [f"2001:db8::{n:x}" for n in range(9)]
        assert [reserve(address) for address in same_network] == [True] * 8 + [False]
        assert reserve("2001:db8:0:1::1")
        other_slots = [reserve(f"192.0.2.{n}") for n in range(60)]
        assert other_slots == [True] * 55 + [False] * 5
        open_slots.close()
        assert reserve(same_network[0])


def test_an_unavailable_database_gives_an_error_to_retry(adt_context, store, monkeypatch):
    def away(_):
        raise Problem("unavailable")

    monkeypatch.setattr(type(store), "transaction", lambda _store, _actor: away(None))
    assert parse_acknowledgement(apply_message(adt_context, A40.encode())).code == "AE"


def test_a_number_stored_before_there_were_rules_is_read_merged_back_and_erased(
    adt_context, store, clinic, client
):
    screening = add(store, clinic, "OLD-1", system=SYSTEM)
    unrelated = add(store, clinic, "OLD-2", system=SYSTEM)
    retired, damaged = PatientSelector("OLD-1", SYSTEM), PatientSelector("NEW\x0b1", SYSTEM)
    do(store, clinic, merges.merge_patients, retired, damaged, "hl7v2")
    for path in ("", "/note", "/report.txt"):
        assert client.get(f"/v1/screenings/{screening.id}{path}").status_code == 200
    listed_rows = client.get("/v1/screenings").json()["screenings"]
    assert {row["id"] for row in listed_rows} == {screening.id, unrelated.id}
    text = A40.replace("OLD-1", "NEW\\X0B\\1").replace("NEW-1", "OLD-1")
    assert parse_acknowledgement(apply_message(adt_context, text.encode())).code == "AA"
    erasure = {"reference": "OLD-1", "system": SYSTEM}
    assert client.request("DELETE", "/v1/patients", json=erasure).status_code == 200
    assert client.get(f"/v1/screenings/{screening.id}").status_code == 404


class TestAMerge:
    def test_copies_legal_holds_so_that_nothing_is_erased(self, store, clinic):
        add(store, clinic, "OLD-1", system=SYSTEM)
        do(store, clinic, legal_holds.place_hold, PatientSelector("OLD-1", None), "a court")
        merged = do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", SYSTEM),
            PatientSelector("NEW-1", SYSTEM),
        )
        assert (merged.screenings, merged.holds) == (1, 1)
        with pytest.raises(LegalHoldError):
            do(store, clinic, data_subject_rights.erase_patient, PatientSelector("NEW-1", SYSTEM))

    def test_moves_links_with_their_drafts(self, store, clinic):
        patient = KnownPatient(reference="OLD-1", system=SYSTEM, name="Test Pat")
        link, _ = do(store, clinic, links.add_link, links.LinkRequest(patient, "phq4@1.0.0", 90))
        do(store, clinic, drafts.save_draft, link.id, Draft(answers={"word": "a"}, tier="T0"))
        merged = do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", SYSTEM),
            PatientSelector("NEW-1", SYSTEM),
        )
        assert (merged.screenings, merged.links) == (0, 1)
        with pytest.raises(NotFoundError):
            do(store, clinic, data_subject_rights.export_patient, PatientSelector("OLD-1", SYSTEM))
        (link_export,) = do(
            store, clinic, data_subject_rights.export_patient, PatientSelector("NEW-1", SYSTEM)
        ).links
        assert (link_export.id, link_export.draft.answers) == (link.id, {"word": "a"})
        after = do(store, clinic, open_links.mark_submitted, link.id)
        assert after == patient.model_copy(update={"reference": "NEW-1"})

    def test_of_a_number_of_several_systems_is_refused_without_the_system(self, store, clinic):
        for system in ("a:1", "b:2"):
            add(store, clinic, "OLD-1", system=system)
        with pytest.raises(ConflictError):
            do(
                store,
                clinic,
                merges.merge_patients,
                PatientSelector("OLD-1", None),
                PatientSelector("NEW-1", None),
            )

    def test_of_another_organisations_patient_moves_nothing(self, store, clinic):
        second_clinic = builders.clinic(store, "Other")
        screening = add(store, second_clinic, "OLD-1")
        merged = do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", None),
            PatientSelector("NEW-1", None),
        )
        assert merged.screenings == 0
        unchanged = do(store, second_clinic, screenings.find_screening, screening.id)
        assert unchanged.patient.reference == "OLD-1"

    def test_leaves_an_audit_row_for_each_screening(self, store, clinic):
        screening_ids = {add(store, clinic, "OLD-1").id for _ in range(2)}
        do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", None),
            PatientSelector("NEW-1", None),
        )
        with store.read_all_organisations() as session:
            rows = list(chain.read_entries(session, clinic.organisation))
        assert {row.target for row in rows if row.action == "merge"} == screening_ids


def test_the_command_listens_until_it_is_stopped(store_settings, store, clinic):
    add(store, clinic, "OLD-1", system=SYSTEM)
    words = ["mllp", "--organisation", clinic.organisation, "--port", "0",
             "--authority", f"HOSP1={SYSTEM}"]  # fmt: skip
    folder = store_settings.database_file.parent
    with ForkedProgram(words, environment(store_settings), folder) as process:
        try:
            line = process.stdout.readline()
            port = int(re.search(r":(\d+)\s*$", line)[1])
            assert send_message(port, A40) == ("AA", "77")
        finally:
            process.terminate()
    exported = do(
        store, clinic, data_subject_rights.export_patient, PatientSelector("NEW-1", SYSTEM)
    )
    assert len(exported.screenings) == 1


@pytest.mark.parametrize(
    ("options", "expected"), [((), "--certificate"), (("--certificate",), "--client-ca")]
)
def test_the_command_requires_certificates_beyond_loopback(
    store_settings, clinic, tmp_path, options, expected
):
    words = ["mllp", "--organisation", clinic.organisation, "--host", "192.0.2.1"]
    for option in options:
        file = tmp_path / "server.pem"
        file.write_text("")
        words += [option, str(file)]
    assert f"{expected} is required" in run_failing_command(store_settings, *words)


def test_the_command_names_a_port_in_use(store_settings, clinic):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        words = ["mllp", "--organisation", clinic.organisation, "--port", port]
        process = run_command(store_settings, *words)
    assert (process.returncode, process.stdout) == (69, "")
    assert process.stderr == f"port {port} of 127.0.0.1 is in use; choose another by --port\n"
