"""Messages of nociplastic 1.0.0: flags by tier, and restricted if one is about the person."""

import pytest
from support.first_release import (
    FLAGGED_ANSWERS,
    OTHER_ANSWERS,
    STORED_ORDER,
    assess_first,
    list_labels_by_tier,
)
from support.interop.hl7_validators import validate_message
from support.interop.screening_events import PDF, build_event, build_screening

from api.hl7v2.messages import build_message
from api.hl7v2.parser import parse_hl7_message


def build_text(answers: dict, **options) -> str:
    changes = {"assessment": assess_first(answers), "answers": answers}
    screening = build_screening().model_copy(update=changes)
    return build_message(build_event("result", PDF, screening, **options))


def find_field(text: str, segment: str, number: int) -> str:
    fields = parse_hl7_message(text.encode()).find_segment(segment)
    return fields[number] if len(fields) > number else ""


@pytest.mark.parametrize("message", ["ORU", "MDM"])
def test_two_validators_accept_a_message_with_a_flag_about_the_person(message):
    validate_message(build_text(FLAGGED_ANSWERS, message=message))


class TestAFlagAboutThePerson:
    def test_restricts_the_order_and_the_document(self):
        assert find_field(build_text(FLAGGED_ANSWERS), "ORC", 28) == "R^Restricted^HL70177"
        assert find_field(build_text(FLAGGED_ANSWERS, message="MDM"), "TXA", 18) == "R"

    def test_is_what_restricts_them(self):
        assert find_field(build_text(OTHER_ANSWERS), "ORC", 28) == ""
        document = build_text(OTHER_ANSWERS, message="MDM", confidentiality="U")
        assert find_field(document, "TXA", 18) == "U"


def test_flags_stand_by_tier_and_not_as_they_are_stored():
    stored_flags = assess_first(FLAGGED_ANSWERS).safety.flags
    assert [flag.id for flag in stored_flags] == STORED_ORDER
    message = parse_hl7_message(build_text(FLAGGED_ANSWERS).encode())
    rows = [
        (message.read_field(segment, 4), message.read_component(segment, 5))
        for segment in message.list_segments("OBX")
        if message.read_component(segment, 3) == "red_flag"
    ]
    assert rows == list(zip("123", list_labels_by_tier(), strict=True))
