"""Messages of nociplastic 2.0.0: valid, what is new said, confidential ones restricted."""

import json

import pytest
from support.interop.hl7_validators import validate_message
from support.interop.screening_events import PDF, build_event, build_screening
from support.second_release import (
    CONFIDENTIAL,
    EXPLAINED,
    SCORED,
    SECOND,
    UNSETTLED,
    WITHHELD,
    WORKED_CASES,
    Vignette,
    assess_case,
)

from api.hl7v2.encoder import encode_message
from api.hl7v2.messages import build_message
from api.hl7v2.parser import parse_hl7_message

EVENTS = ("result", "replacement", "withdrawal")


def build_case_event(case: Vignette, kind: str = "result", **options):
    """Build an event of a case, without a report if it is a withdrawal."""
    changes = {"assessment": assess_case(case), "answers": json.loads(case.intake)}
    screening = build_screening().model_copy(update=changes)
    event = build_event(kind, None if kind == "withdrawal" else PDF, **options)
    return event._replace(screening=screening, rulebook=SECOND.rulebook)


def list_values(case: Vignette, code: str, kind: str = "result") -> list[str]:
    """Return the values of each OBX of this code."""
    message = parse_hl7_message(build_message(build_case_event(case, kind)).encode())
    return [
        message.read_component(segment, 5)
        for segment in message.list_segments("OBX")
        if message.read_component(segment, 3) == code
    ]


def find_field(case: Vignette, segment: str, number: int, **options) -> str:
    text = build_message(build_case_event(case, **options))
    fields = parse_hl7_message(text.encode()).find_segment(segment)
    return fields[number] if len(fields) > number else ""


@pytest.mark.parametrize("case", WORKED_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("message", ["ORU", "MDM"])
def test_two_validators_accept_every_message(message, kind, case):
    validate_message(build_message(build_case_event(case, kind, message=message)))


@pytest.mark.parametrize("character_set", ["8859/1", "ASCII"])
@pytest.mark.parametrize("case", WORKED_CASES, ids=lambda case: case.name)
def test_our_own_texts_fit_every_character_set(case, character_set):
    event = build_case_event(case, character_set=character_set)
    assert encode_message(build_message(event), event.options).misfits == ()


class TestAResult:
    def test_has_the_bands_at_both_ends(self):
        assert list_values(EXPLAINED, "band_least") == ["points_away"]
        assert list_values(EXPLAINED, "band_most") == ["some"]
        assert list_values(WITHHELD, "band_least") == [""]

    def test_has_each_reason_for_no_band(self):
        assert list_values(UNSETTLED, "no_band") == [
            reason.text for reason in assess_case(UNSETTLED).why_no_band
        ]
        assert list_values(SCORED, "no_band") == []

    def test_has_the_questions_to_ask_first(self):
        assert list_values(UNSETTLED, "ask_first") == [
            "Physical explanation",
            "Diagnoses",
            "Swollen or warm joint",
        ]

    def test_has_other_explanations_with_signs_and_what_would_settle_them(self):
        explanations = assess_case(EXPLAINED).alternatives
        assert list_values(EXPLAINED, "alternative") == [row.label for row in explanations]
        text = build_message(build_case_event(EXPLAINED))
        assert len(explanations) == 4
        for explanation in explanations:
            assert explanation.id in text
            assert explanation.settle in text

    def test_has_each_contradiction(self):
        answers = SCORED.answers | {"pain_extent": "spot"}
        assert list_values(SCORED._replace(answers=answers), "contradiction") == [
            "Three or more areas were marked, yet the pain was called one small spot."
        ]

    def test_names_an_assessed_flag_as_assessed(self):
        assert "|T3, assessed possible_polymyalgia\r" in build_message(
            build_case_event(WORKED_CASES[2])
        )

    def test_that_is_withdrawn_repeats_none_of_it(self):
        assert list_values(EXPLAINED, "band_most", "withdrawal") == [""]
        assert set(list_values(EXPLAINED, "alternative", "withdrawal")) == {""}
        text = build_message(build_case_event(EXPLAINED, "withdrawal"))
        assert [row.label for row in assess_case(EXPLAINED).alternatives if row.label in text] == []


class TestAConfidentialResult:
    @pytest.mark.parametrize("case", [CONFIDENTIAL, WITHHELD], ids=["scored", "withheld"])
    def test_is_restricted(self, case):
        assert find_field(case, "ORC", 28) == "R^Restricted^HL70177"
        assert find_field(case, "TXA", 18, message="MDM") == "R"

    @pytest.mark.parametrize(
        ("status", "expected"), [("U", "R"), ("R", "R"), ("V", "V"), ("UWM", "R")]
    )
    def test_keeps_only_a_stricter_status_of_its_profile(self, status, expected):
        options = {"message": "MDM", "confidentiality": status}
        assert find_field(CONFIDENTIAL, "TXA", 18, **options) == expected

    def test_is_the_only_one_that_is_restricted(self):
        assert find_field(SCORED, "ORC", 28) == ""
        assert find_field(SCORED, "TXA", 18, message="MDM") == "U"
