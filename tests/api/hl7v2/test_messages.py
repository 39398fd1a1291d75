"""Messages: accepted by two independent validators, which refuse a message with a missing part."""

import base64

import pytest
from hl7apy.exceptions import HL7apyException
from hypothesis import given
from hypothesis import strategies as st
from support.interop.hl7_validators import validate_message
from support.interop.screening_events import PDF, build_event, build_screening

from api.hl7v2.character_sets import CODECS
from api.hl7v2.encoder import _ASCII_SUBSTITUTES, encode_message
from api.hl7v2.fields import build_segment
from api.hl7v2.messages import build_mdm, build_message, build_oru
from api.hl7v2.parser import parse_hl7_message
from schemas.organisations.profile import V2Options

EXAMPLES = ("widespread_pain", "red_flag", "too_little_known", "phq4")
EVENTS = ("result", "replacement", "withdrawal")
FIRST_ID = "6f6f6f6f-0000-4000-8000-000000000000"
READABLE = st.characters(
    exclude_categories=["Cc", "Cs", "Cn"],
    exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
) | st.sampled_from("\t\n\r|^~\\&\u2013\u2019\u00a0é")
TEXTS = st.text(READABLE, min_size=1, max_size=40)


def list_observations(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return type, value and status of each OBX by code and sub-id."""
    message = parse_hl7_message(text.encode())
    return {
        (message.read_component(segment, 3), message.read_component(segment, 4)): (
            message.read_field(segment, 2),
            message.read_field(segment, 5),
            message.read_field(segment, 11),
        )
        for segment in message.list_segments("OBX")
    }


def build_example_event(kind: str, message: str, example: str = "widespread_pain"):
    replaces = FIRST_ID if kind == "replacement" else None
    report = None if kind == "withdrawal" else PDF
    return build_event(kind, report, build_screening(example, replaces), message=message)


def list_misfits(event) -> list[tuple[str, str]]:
    misfits = encode_message(build_oru(event), event.options).misfits
    return [(misfit.code, misfit.place) for misfit in misfits]


def simplify(text: str, codec: str) -> str:
    """Return the text as the encoder simplifies it, with line ends as the parser returns them."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        character if is_encodable(character, codec) else character.translate(_ASCII_SUBSTITUTES)
        for character in text
    )


def is_encodable(text: str, codec: str) -> bool:
    return text.encode(codec, "ignore").decode(codec) == text


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("message", ["ORU", "MDM"])
def test_two_validators_accept_every_message(message, kind, example):
    validate_message(build_message(build_example_event(kind, message, example)))


@pytest.mark.parametrize("missing", ["PID", "OBR"])
def test_a_validator_refuses_a_result_without_a_required_segment(missing):
    lines = build_oru(build_example_event("result", "ORU")).split("\r")
    remaining = "\r".join(line for line in lines if not line.startswith(missing))
    with pytest.raises((HL7apyException, ValueError)):
        validate_message(remaining)


class TestRoundTrip:
    @given(TEXTS)
    def test_any_text_is_parsed_as_it_was_built(self, text):
        event = build_event(screening=build_screening(name=text, encounter=text))
        message = parse_hl7_message(build_oru(event).encode())
        assert message.read_component(message.find_segment("PV1"), 19) == simplify(text, "utf-8")
        assert len(list(message.list_segments("PID"))) == 1
        assert len(message.find_segment("PID")) == 8

    @given(TEXTS, st.sampled_from(sorted(CODECS.keys() - {""})))
    def test_a_text_arrives_unchanged_or_is_a_misfit(self, text, character_set):
        codec = CODECS[character_set]
        screening = build_screening(encounter=text)
        event = build_event(screening=screening, character_set=character_set)
        encoded = encode_message(build_oru(event), event.options)
        message = parse_hl7_message(encoded.content)
        received = message.read_component(message.find_segment("PV1"), 19)
        simplified = simplify(text, codec)
        assert (received == simplified) is is_encodable(simplified, codec)
        places = [misfit.place for misfit in encoded.misfits]
        assert places == ([] if is_encodable(simplified, codec) else ["PV1-19"])

    @given(st.integers(1, 400), st.integers(200, 400))
    def test_a_field_is_a_misfit_exactly_above_its_limit(self, size, most_field_characters):
        message = build_segment("PID", {3: "9" * size}) + "\r"
        options = V2Options(most_field_characters=most_field_characters)
        misfits = encode_message(message, options).misfits
        is_too_long = size > min(250, most_field_characters)
        assert [misfit.place for misfit in misfits] == (["PID-3"] if is_too_long else [])


class TestAResult:
    def test_has_red_flags_before_everything_else(self):
        first = list(list_observations(build_oru(build_example_event("result", "ORU", "red_flag"))))
        assert [code for code, _ in first[:2]] == ["tier", "red_flag"]

    def test_has_the_points_of_each_criterion_and_no_value_for_an_unknown_one(self):
        screening = build_screening()
        observations = list_observations(build_oru(build_event(screening=screening)))
        criteria = screening.assessment.criteria
        assert {criterion.points is None for criterion in criteria} == {True, False}
        for criterion in criteria:
            value_type, value, status = observations[criterion.id, "1"]
            assert value_type == "NM"
            if criterion.points is None:
                assert (value, status) == ("", "X")
            else:
                assert (float(value), status) == (float(criterion.points), "F")

    def test_has_totals_and_band_as_computed(self):
        screening = build_screening()
        observations = list_observations(build_oru(build_event(screening=screening)))
        totals = screening.assessment.totals
        assert {name: float(observations[name, "1"][1]) for name in totals} == {
            name: float(total.points) for name, total in totals.items()
        }
        assert "predominance" in totals
        assert observations["predominance.band", "1"][1].startswith("strong^")

    def test_withholds_withheld_totals(self):
        event = build_example_event("result", "ORU", "red_flag")
        observations = list_observations(build_oru(event))
        assert observations["predominance", "1"] == ("NM", "", "X")
        assert observations["predominance.band", "1"][1:] == ("", "X")

    def test_contains_visit_clinician_and_report(self):
        message = parse_hl7_message(build_oru(build_example_event("result", "ORU")).encode())
        assert message.read_component(message.find_segment("PV1"), 19) == "V-77"
        assert message.read_component(message.find_segment("OBR"), 16) == "1234567893"
        report = list(message.list_segments("OBX"))[-1]
        assert base64.b64decode(message.read_component(report, 5, 5)) == PDF.content

    def test_contains_no_diagnosis(self):
        assert "\rDG1|" not in build_oru(build_example_event("result", "ORU"))


class TestALaterEvent:
    def test_a_correction_has_the_order_number_of_the_first_result(self):
        first = build_event(screening=build_screening())
        screening = build_screening(replaces=first.screening.id)
        later = build_event("replacement", screening=screening)
        later = later._replace(first_id=first.screening.id)
        numbers = {
            parse_hl7_message(build_oru(event).encode()).find_segment("OBR")[3]
            for event in (first, later)
        }
        assert len(numbers) == 1
        statuses = {status for _, _, status in list_observations(build_oru(later)).values()}
        assert statuses == {"C", "X"}

    def test_a_replacing_document_names_the_one_it_replaces(self):
        first = build_event(message="MDM")
        replaced_number = parse_hl7_message(build_mdm(first).encode()).find_segment("TXA")[12]
        screening = build_screening(replaces=first.screening.id).model_copy(
            update={"id": "6f6f6f6f-0000-4000-8000-000000000002"}
        )
        later = build_mdm(build_event("replacement", screening=screening))
        segment = parse_hl7_message(later.encode()).find_segment("TXA")
        assert segment[13] == replaced_number
        assert segment[12] != replaced_number

    def test_a_withdrawal_repeats_no_value(self):
        result, withdrawal = (
            list_observations(build_oru(build_example_event(kind, "ORU"))) for kind in EVENTS[::2]
        )
        assert withdrawal.pop(("status", "1")) == ("ST", "entered in error", "C")
        assert {values[1:] for values in withdrawal.values()} == {("", "W")}
        assert set(withdrawal) == {key for key in result if key[0] not in ("status", "75492-9")}


class TestMisfits:
    def test_a_name_outside_the_receivers_character_set_is_a_misfit(self):
        screening = build_screening(name="Žižek, Slavoj")
        event = build_event(screening=screening, character_set="8859/1")
        assert list_misfits(event) == [("unencodable_character", "PID-5")]

    @pytest.mark.parametrize("character_set", ["8859/1", "ASCII"])
    @pytest.mark.parametrize("example", EXAMPLES)
    def test_our_own_texts_fit_every_character_set(self, example, character_set):
        event = build_event(screening=build_screening(example), character_set=character_set)
        encoded = encode_message(build_oru(event), event.options)
        assert encoded.misfits == ()
        assert len(parse_hl7_message(encoded.content).segments) > 5

    @pytest.mark.parametrize(("size", "fits"), [(65_536, True), (65_537, False)])
    def test_a_report_fits_up_to_the_field_limit(self, size, fits):
        prefix = len("NOCISCREEN^AP^PDF^Base64^")
        report = PDF._replace(content=bytes((size - prefix) // 4 * 3))
        limit = size - (size - prefix) % 4 - (not fits)
        event = build_event(report=report, most_field_characters=limit)
        assert list_misfits(event) == ([] if fits else [("too_long", "OBX-5")])

    def test_a_field_of_escaped_characters_is_a_misfit_by_its_place(self):
        screening = build_screening(reference="9" * 200, encounter="8" * 200, name="n" * 200)
        assert list_misfits(build_event(screening=screening)) == []
        screening = build_screening(reference="^" * 200)
        assert list_misfits(build_event(screening=screening)) == [("too_long", "PID-3")]
