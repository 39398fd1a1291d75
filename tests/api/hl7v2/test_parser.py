"""Reading: frames however they were cut, separators as they are named, merges as they are meant."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interop.hl7_validators import checked

from api.hl7v2.acknowledgement import Hl7ErrorDetail, encode_acknowledgement, parse_acknowledgement
from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.hl7v2.parser import UnreadableMessageError, parse_hl7_message
from api.hl7v2.patient_merge import Hl7PatientIdentifier, NotAMergeError, PatientMerge, parse_merges

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
A40 = (
    "MSH|^~\\&|ADT1|HOSP1|NOCISCREEN||20261120100000||ADT^A40^ADT_A39|77|P|2.5.1\r"
    "EVN||20261120100000\r"
    "PID|1||NEW-1^^^HOSP1^MR||Test^Pat\r"
    "MRG|OLD-1^^^HOSP1^MR\r"
)
HERE = {"HOSP1": "urn:oid:1.2.3"}


def merged(text: str, authorities=HERE):
    return parse_merges(parse_hl7_message(text.encode()), authorities)


class TestFrames:
    @given(
        st.lists(st.binary(max_size=20).filter(lambda b: b"\x1c" not in b), max_size=4), st.data()
    )
    def test_come_out_as_they_went_in_however_they_are_cut(self, messages, data):
        stream = b"".join(map(frame_message, messages))
        frames, found, rest = FrameDecoder(1000), [], stream
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            found += frames.feed(rest[:size])
            rest = rest[size:]
        assert found == messages
        assert not frames.has_partial_frame

    @pytest.mark.parametrize("some", [b"HTTP/1.1 200", b"\x0b" + b"a" * 30])
    def test_refuse_what_is_none_and_what_is_too_long(self, some):
        with pytest.raises(FrameError):
            FrameDecoder(20).feed(some)


class TestAMessage:
    @pytest.mark.parametrize(
        "text",
        ["", "MSH", "PID|1", "MSH||||||", "MSH|^^\\&|a", "MSH|^~\\&|a\rpid|1", "MSHA^~\\&A"],
    )
    def test_that_reads_in_no_one_way_is_refused(self, text):
        with pytest.raises(UnreadableMessageError):
            parse_hl7_message(text.encode())

    def test_is_read_by_its_own_separators(self):
        found = parse_hl7_message(b"MSH$%*!@$a%b*c$\rPID$1$$x!S!y%!T!")
        assert found.read_component(found.find_segment("PID"), 3) == "x%y"
        assert found.read_component(found.find_segment("PID"), 3, 2) == "@"

    def test_in_another_character_set_is_read_as_it_says(self):
        text = "MSH|^~\\&|||||||||||||||| 8859/1\rPID|||é".replace("| 8859", "|8859")
        assert parse_hl7_message(text.encode("latin-1")).segments[1][3] == "é"
        with pytest.raises(UnreadableMessageError, match="MSH-18"):
            parse_hl7_message(text.replace("8859/1", "KLINGON").encode("latin-1"))

    @given(st.binary(max_size=200))
    def test_of_any_bytes_is_read_or_refused(self, some):
        for each in (some, b"MSH|^~\\&|" + some):
            try:
                parse_hl7_message(each)
            except UnreadableMessageError:
                continue


class TestAnAcknowledgement:
    @pytest.mark.parametrize("code", ["AA", "AE", "AR"])
    def test_is_read_as_it_is_written(self, code):
        told = parse_hl7_message(A40.encode())
        fault = Hl7ErrorDetail("207", "Application internal error", "x") if code != "AA" else None
        written = encode_acknowledgement(told, AT, code, fault)
        assert parse_acknowledgement(written)[1:] == (code, "77")
        assert (
            parse_hl7_message(written).read_component(
                parse_hl7_message(written).find_segment("MSH"), 5
            )
            == "ADT1"
        )

    def test_of_what_could_not_be_read_names_no_message(self):
        assert parse_acknowledgement(encode_acknowledgement(None, AT, "AR")).control_id == ""

    @pytest.mark.parametrize("code", ["", "OK", "aa"])
    def test_of_no_known_code_is_unreadable(self, code):
        with pytest.raises(UnreadableMessageError, match="MSA-1"):
            parse_acknowledgement(f"MSH|^~\\&|\rMSA|{code}|1\r".encode())


class TestAMerge:
    def test_is_a_message_that_checkers_take(self):
        checked(A40)

    def test_says_who_becomes_whom(self):
        system = "urn:oid:1.2.3"
        assert merged(A40) == [
            PatientMerge(
                Hl7PatientIdentifier("OLD-1", system), Hl7PatientIdentifier("NEW-1", system)
            )
        ]

    def test_of_two_patients_is_two(self):
        more = "PID|1||NEW-2^^^HOSP1||A^B\rMRG|OLD-2^^^HOSP1~OLD-3^^^HOSP1\r"
        pairs = [(a.reference, b.reference) for a, b in merged(A40 + more)]
        assert pairs == [("OLD-1", "NEW-1"), ("OLD-2", "NEW-2"), ("OLD-3", "NEW-2")]

    def test_reads_an_oid_without_being_told_of_it(self):
        text = A40.replace("^^^HOSP1", "^^^X&1.2.9&ISO")
        assert {each.retired.system for each in merged(text)} == {"urn:oid:1.2.9"}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("ADT^A40", "ADT^A08"),
            ("MRG|OLD-1^^^HOSP1^MR", "ZZZ|1"),
            ("MRG|OLD-1^^^HOSP1^MR", "MRG|"),
            ("MRG|OLD-1^^^HOSP1", "MRG|OLD-1^^^ELSEWHERE"),
            ("MRG|OLD-1^^^HOSP1", "MRG|OLD-1"),
            ("NEW-1^^^HOSP1^MR", "NEW-1^^^HOSP1~NEW-2^^^HOSP1"),
        ],
    )
    def test_that_does_not_say_for_certain_who_is_none(self, old, new):
        with pytest.raises(NotAMergeError):
            merged(A40.replace(old, new))
