"""The listener: merges come in over MLLP from a client not written here, and through the route."""

import re
import subprocess
import threading
from contextlib import contextmanager

import pytest
from hl7.mllp import open_hl7_connection
from support import builders
from support.async_thread import run_aside
from support.builders import add, do
from support.processes import PROGRAM, environment

from api.deliveries.adt_listener import AdtContext, AdtListener, apply_message
from api.hl7v2.acknowledgement import parse_acknowledgement
from api.problems import Problem
from api.store.deliveries import outbox
from api.store.forms import drafts, links
from api.store.patients import data_subject_rights, legal_holds, merges
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings
from schemas.links import Draft
from schemas.patient import KnownPatient

SYSTEM = "urn:oid:1.2.3"
HERE = {"HOSP1": SYSTEM}
A40 = (
    "MSH|^~\\&|ADT1|HOSP1|NOCISCREEN||20261120100000||ADT^A40^ADT_A39|77|P|2.5.1\r"
    "EVN||20261120100000\r"
    "PID|1||NEW-1^^^HOSP1^MR||Test^Pat\r"
    "MRG|OLD-1^^^HOSP1^MR\r"
)


def sent(port: int, text: str) -> tuple[str, str]:
    """Verdict and control id, as the client of the package `hl7` reads them."""

    async def exchange():
        reader, writer = await open_hl7_connection("127.0.0.1", port)
        writer.writemessage(text)
        await writer.drain()
        said = await reader.readmessage()
        writer.close()
        await writer.wait_closed()
        return str(said["MSA"][0][1]), str(said["MSA"][0][2])

    return run_aside(exchange())


@pytest.fixture
def taking(store, clinic):
    return AdtContext(store, clinic.actor, HERE)


@contextmanager
def listening(taking):
    with AdtListener(("127.0.0.1", 0), taking, None) as listener:
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield listener.port
        finally:
            listener.shutdown()
            thread.join(10)


def test_a_merge_moves_everything_and_sent_again_moves_nothing(taking, store, clinic):
    kept = add(store, clinic, "OLD-1", system=SYSTEM)
    other = add(store, clinic, "OLD-2", system=SYSTEM)
    with listening(taking) as port:
        assert sent(port, A40) == ("AA", "77")
        assert sent(port, A40) == ("AA", "77")
    moved = do(store, clinic, screenings.find_screening, kept.id)
    assert (moved.patient.reference, moved.patient.system) == ("NEW-1", SYSTEM)
    assert [(each.from_reference, each.to_reference, each.means) for each in moved.moves] == [
        ("OLD-1", "NEW-1", "hl7v2")
    ]
    assert moved.assessment == kept.assessment
    assert do(store, clinic, screenings.find_screening, other.id).moves == ()
    exported = do(
        store, clinic, data_subject_rights.export_patient, PatientSelector("NEW-1", SYSTEM)
    )
    assert [each.id for each in exported.screenings] == [kept.id]
    with pytest.raises(Problem, match="not_found"):
        do(store, clinic, data_subject_rights.export_patient, PatientSelector("OLD-1", SYSTEM))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no message at all", "AR"),
        (A40.replace("A40", "A08"), "AR"),
        (A40.replace("OLD-1^^^HOSP1", "OLD-1^^^ELSEWHERE"), "AR"),
        (A40.replace("NEW-1", "OLD-1"), "AR"),
        (A40.replace("OLD-1", "O" * 201), "AR"),
        (A40.replace("|77|", "||"), "AR"),
        (A40.replace("|P|2.5.1", "|P|2.5.1||||||KLINGON"), "AR"),
        (A40.replace("OLD-1", "OLD-1\\Q\\"), "AR"),
    ],
)
def test_what_cannot_be_done_for_certain_is_refused_and_repeats_nothing(taking, text, code):
    said = apply_message(taking, text.encode())
    assert parse_acknowledgement(said).code == code
    control_id = "77" if "|77|" in text else ""
    assert parse_acknowledgement(said).control_id == control_id
    assert not re.search(rb"OLD-1|NEW-1|OOO|Pat", said)


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
def test_what_else_a_message_holds_is_in_nobodys_way(taking, store, clinic, text, codec):
    kept = add(store, clinic, "OLD-1", system=SYSTEM)
    assert parse_acknowledgement(apply_message(taking, text.encode(codec)))[1:] == ("AA", "77")
    assert do(store, clinic, screenings.find_screening, kept.id).patient.reference == "NEW-1"


def test_a_database_that_is_away_is_told_as_an_error_to_be_tried_again(taking, store, monkeypatch):
    def away(_):
        raise Problem("unavailable")

    monkeypatch.setattr(type(store), "transaction", lambda _store, _actor: away(None))
    assert parse_acknowledgement(apply_message(taking, A40.encode())).code == "AE"


class TestAMerge:
    def test_takes_the_holds_with_it_so_that_nothing_is_erased(self, store, clinic):
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
        with pytest.raises(Problem, match="held"):
            do(store, clinic, data_subject_rights.erase_patient, PatientSelector("NEW-1", SYSTEM))

    def test_takes_links_with_it_and_what_was_answered_under_them(self, store, clinic):
        known = KnownPatient(reference="OLD-1", system=SYSTEM, name="Test Pat")
        link, _ = do(store, clinic, links.add_link, links.LinkRequest(known, "phq4@1.0.0", 90))
        do(store, clinic, drafts.save_draft, link.id, Draft(answers={"word": "a"}, tier="T0"))
        merged = do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", SYSTEM),
            PatientSelector("NEW-1", SYSTEM),
        )
        assert (merged.screenings, merged.links) == (0, 1)
        with pytest.raises(Problem, match="not_found"):
            do(store, clinic, data_subject_rights.export_patient, PatientSelector("OLD-1", SYSTEM))
        (moved,) = do(
            store, clinic, data_subject_rights.export_patient, PatientSelector("NEW-1", SYSTEM)
        ).links
        assert (moved.id, moved.draft.answers) == (link.id, {"word": "a"})
        after = do(store, clinic, links.mark_submitted, link.id)
        assert after == known.model_copy(update={"reference": "NEW-1"})

    def test_of_a_number_that_several_systems_use_is_refused_without_the_system(
        self, store, clinic
    ):
        for system in ("a:1", "b:2"):
            add(store, clinic, "OLD-1", system=system)
        with pytest.raises(Problem, match="conflict"):
            do(
                store,
                clinic,
                merges.merge_patients,
                PatientSelector("OLD-1", None),
                PatientSelector("NEW-1", None),
            )

    def test_of_another_organisations_patient_moves_nothing(self, store, clinic):
        other = builders.clinic(store, "Other")
        kept = add(store, other, "OLD-1")
        merged = do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", None),
            PatientSelector("NEW-1", None),
        )
        assert merged.screenings == 0
        assert do(store, other, screenings.find_screening, kept.id).patient.reference == "OLD-1"

    def test_leaves_a_row_of_audit_for_each_screening(self, store, clinic):
        from api.store.audit import chain

        kept = {add(store, clinic, "OLD-1").id for _ in range(2)}
        do(
            store,
            clinic,
            merges.merge_patients,
            PatientSelector("OLD-1", None),
            PatientSelector("NEW-1", None),
        )
        with store.read_all_organisations() as session:
            rows = list(chain.read_entries(session, clinic.organisation))
        assert {each.target for each in rows if each.action == "merge"} == kept

    def test_sends_what_waits_under_the_number_that_stays(self, store, clinic, send, sender, found):
        import hl7
        from support.interop.mllp_receivers import python_hl7

        kept = add(store, clinic, "OLD-1", system=SYSTEM)
        with python_hl7() as (place, taken):
            delivery, _, _ = send(place, screening=kept)
            do(
                store,
                clinic,
                merges.merge_patients,
                PatientSelector("OLD-1", SYSTEM),
                PatientSelector("NEW-1", SYSTEM),
            )
            sender.send_all()
        assert found(delivery).state == "delivered"
        assert str(hl7.parse(taken[0])["PID"][0][3]).startswith("NEW-1^")
        assert outbox.build_control_id(delivery) in taken[0]


def test_the_command_listens_until_it_is_stopped(kept, store, clinic):
    add(store, clinic, "OLD-1", system=SYSTEM)
    words = ["mllp", "--organisation", clinic.organisation, "--port", "0",
             "--authority", f"HOSP1={SYSTEM}"]  # fmt: skip
    with subprocess.Popen(
        [PROGRAM, *words], env=environment(kept), stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            line = process.stdout.readline()
            port = int(re.search(r":(\d+)\s*$", line)[1])
            assert sent(port, A40) == ("AA", "77")
        finally:
            process.terminate()
    exported = do(
        store, clinic, data_subject_rights.export_patient, PatientSelector("NEW-1", SYSTEM)
    )
    assert len(exported.screenings) == 1


def test_the_command_does_not_listen_outside_in_clear(kept, clinic):
    from support.processes import run

    told = run(kept, "mllp", "--organisation", clinic.organisation, "--host", "192.0.2.1")
    assert told.returncode == 2
    assert "--certificate" in told.stderr
