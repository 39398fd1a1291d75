"""Parsing: frames, separators and character sets, acknowledgements and merges."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interop.hl7_validators import validate_message

from api.hl7v2.acknowledgement import Hl7ErrorDetail, encode_acknowledgement, parse_acknowledgement
from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.hl7v2.parser import MAX_MESSAGE_BYTES, UnreadableMessageError, parse_hl7_message
from api.hl7v2.patient_merge import NotAMergeError, PatientMerge, parse_merges
from schemas.patients.patient import PatientNumber

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HEADER = b"MSH|^~\\&|"
A40 = (
    "MSH|^~\\&|ADT1|HOSP1|NOCISCREEN||20261120100000||ADT^A40^ADT_A39|77|P|2.5.1\r"
    "EVN||20261120100000\r"
    "PID|1||NEW-1^^^HOSP1^MR||Test^Pat\r"
    "MRG|OLD-1^^^HOSP1^MR\r"
)
AUTHORITIES = {"HOSP1": "urn:oid:1.2.3"}


def parse_merge_message(text: str) -> list[PatientMerge]:
    return parse_merges(parse_hl7_message(text.encode()), AUTHORITIES)


class TestFrames:
    @given(
        st.lists(st.binary(max_size=20).filter(lambda b: b"\x1c" not in b), max_size=4), st.data()
    )
    def test_in_any_chunks_give_the_messages(self, messages, data):
        stream = b"".join(map(frame_message, messages))
        frames, decoded = FrameDecoder(1000), []
        while stream:
            size = data.draw(st.integers(1, len(stream)))
            decoded += frames.feed(stream[:size])
            stream = stream[size:]
        assert decoded == messages
        assert not frames.has_partial_frame

    @pytest.mark.parametrize("chunk", [b"HTTP/1.1 200", b"\x0b" + b"a" * 30])
    def test_that_are_no_frames_or_too_long_are_refused(self, chunk):
        with pytest.raises(FrameError):
            FrameDecoder(20).feed(chunk)

    def test_may_be_as_long_as_the_limit_and_no_longer(self):
        assert FrameDecoder(20).feed(b"\x0b" + b"a" * 19) == []
        with pytest.raises(FrameError):
            FrameDecoder(20).feed(b"\x0b" + b"a" * 20)


class TestAMessage:
    @pytest.mark.parametrize(
        "text",
        ["", "MSH", "PID|1", "MSH||||||", "MSH|^^\\&|a", "MSH|^~\\&|a\rpid|1", "MSHA^~\\&A"],
    )
    def test_that_is_malformed_or_ambiguous_is_refused(self, text):
        with pytest.raises(UnreadableMessageError):
            parse_hl7_message(text.encode())

    def test_is_parsed_by_its_own_separators(self):
        message = parse_hl7_message(b"MSH$%*!@$a%b*c$\rPID$1$$x!S!y%!T!")
        assert message.read_component(message.find_segment("PID"), 3) == "x%y"
        assert message.read_component(message.find_segment("PID"), 3, 2) == "@"

    @pytest.mark.parametrize(
        ("separators", "field", "text"),
        [
            ("|^~\\&", "x\\H\\y\\N\\z\\.sp\\\\.ti+4\\!", "xyz\n!"),
            ("|^~\\&", "\\E\\X41\\E\\", "\\X41\\"),
            ("|^~\\&", "\\XC3\\\\XA4\\", "ä"),
            ("|^~\\&#", "a#b", "a#b"),
            ("|^~\\", "a\\T\\b", "a&b"),
        ],
    )
    def test_is_unescaped_from_left_to_right(self, separators, field, text):
        message = parse_hl7_message(f"MSH{separators}|a\rPID|||{field}".encode())
        assert message.read_component(message.find_segment("PID"), 3) == text

    @pytest.mark.parametrize(
        ("name", "codec"),
        [("UTF-8", "utf-8"), ("8859/15", "iso8859-15"), ("ISO 8859-2", "iso8859-2"),
         ("windows-1252", "cp1252"), ("UNICODE", "utf-8")],
    )  # fmt: skip
    def test_is_parsed_in_a_character_set_by_any_of_its_names(self, name, codec):
        content = f"MSH|^~\\&{'|' * 16}{name}\rPID|||\u017d".encode(codec)
        assert parse_hl7_message(content).segments[1][3] == "\u017d"

    def test_is_parsed_in_the_character_set_it_declares(self):
        text = "MSH|^~\\&|||||||||||||||| 8859/1\rPID|||é".replace("| 8859", "|8859")
        assert parse_hl7_message(text.encode("latin-1")).segments[1][3] == "é"
        with pytest.raises(UnreadableMessageError, match="MSH-18"):
            parse_hl7_message(text.replace("8859/1", "KLINGON").encode("latin-1"))

    @given(st.binary(max_size=200))
    def test_of_any_bytes_gives_its_segments_or_is_refused(self, content):
        try:
            message = parse_hl7_message(HEADER + content)
        except UnreadableMessageError:
            return
        lines = (HEADER + content).replace(b"\r\n", b"\r").replace(b"\n", b"\r").rstrip(b"\r")
        names = [line[:3].decode() for line in lines.split(b"\r")]
        assert [segment[0] for segment in message.segments] == names

    def test_may_be_as_large_as_the_limit_and_no_larger(self):
        content = HEADER.ljust(MAX_MESSAGE_BYTES, b"a")
        assert len(parse_hl7_message(content).segments) == 1
        with pytest.raises(UnreadableMessageError, match=str(MAX_MESSAGE_BYTES)):
            parse_hl7_message(content + b"a")


class TestAnAcknowledgement:
    @pytest.mark.parametrize("code", ["AA", "AE", "AR"])
    def test_is_parsed_as_it_was_encoded(self, code):
        message = parse_hl7_message(A40.encode())
        fault = Hl7ErrorDetail("207", "Application internal error", "x") if code != "AA" else None
        encoded = encode_acknowledgement(message, AT, code, fault)
        assert parse_acknowledgement(encoded)[1:] == (code, "77")
        reply = parse_hl7_message(encoded)
        assert reply.read_component(reply.find_segment("MSH"), 5) == "ADT1"
        errors = [reply.read_component(segment, 8) for segment in reply.list_segments("ERR")]
        assert errors == ([] if code == "AA" else ["x"])

    def test_of_an_unreadable_message_has_no_control_id(self):
        assert parse_acknowledgement(encode_acknowledgement(None, AT, "AR")).control_id == ""

    @pytest.mark.parametrize("code", ["", "OK", "aa"])
    def test_with_an_unknown_code_is_unreadable(self, code):
        with pytest.raises(UnreadableMessageError, match="MSA-1"):
            parse_acknowledgement(f"MSH|^~\\&|\rMSA|{code}|1\r".encode())


class TestAMerge:
    def test_is_accepted_by_two_validators(self):
        validate_message(A40)

    def test_names_the_retired_and_the_surviving_number(self):
        system = "urn:oid:1.2.3"
        assert parse_merge_message(A40) == [
            PatientMerge(PatientNumber("OLD-1", system), PatientNumber("NEW-1", system))
        ]

    def test_of_two_patients_gives_each_of_their_numbers(self):
        second = "PID|1||NEW-2^^^HOSP1||A^B\rMRG|OLD-2^^^HOSP1~OLD-3^^^HOSP1\r"
        merges = parse_merge_message(A40 + second)
        pairs = [(merge.retired.reference, merge.survivor.reference) for merge in merges]
        assert pairs == [("OLD-1", "NEW-1"), ("OLD-2", "NEW-2"), ("OLD-3", "NEW-2")]

    def test_accepts_an_oid_that_is_not_configured(self):
        text = A40.replace("^^^HOSP1", "^^^X&1.2.9&ISO")
        assert {merge.retired.system for merge in parse_merge_message(text)} == {"urn:oid:1.2.9"}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("ADT^A40", "ADT^A24"),
            ("MRG|OLD-1^^^HOSP1^MR", "ZZZ|1"),
            ("MRG|OLD-1^^^HOSP1^MR", "MRG|"),
            ("MRG|OLD-1^^^HOSP1", "MRG|OLD-1^^^ELSEWHERE"),
            ("MRG|OLD-1^^^HOSP1", "MRG|OLD-1"),
            ("NEW-1^^^HOSP1^MR", "NEW-1^^^HOSP1~NEW-2^^^HOSP1"),
        ],
    )
    def test_that_does_not_identify_both_patients_is_refused(self, old, new):
        with pytest.raises(NotAMergeError):
            parse_merge_message(A40.replace(old, new))
