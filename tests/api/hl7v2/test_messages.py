"""Messages: taken by two checkers not written here, and refused by them where something is cut."""

import base64

import pytest
from hl7apy.exceptions import HL7apyException
from hypothesis import given
from hypothesis import strategies as st
from support.interop.hl7_validators import checked
from support.interop.screening_events import PDF, screening, told

from api.hl7v2.encoder import encode_message
from api.hl7v2.messages import build_mdm, build_message, build_oru
from api.hl7v2.parser import parse_hl7_message

EXAMPLES = ("widespread_pain", "red_flag", "too_little_known", "phq4")
EVENTS = ("result", "replacement", "withdrawal")
EARLIER = "6f6f6f6f-0000-4000-8000-000000000000"


def observed(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """OBX by code and sub-id: kind, value and status."""
    found = parse_hl7_message(text.encode())
    return {
        (found.read_component(each, 3), found.read_component(each, 4)): (
            found.read_field(each, 2),
            found.read_field(each, 5),
            found.read_field(each, 11),
        )
        for each in found.list_segments("OBX")
    }


def telling(event: str, kind: str, example: str = "widespread_pain"):
    replaced = EARLIER if event == "replacement" else None
    report = None if event == "withdrawal" else PDF
    return told(event, report, screening(example, replaced), message=kind)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", ["ORU", "MDM"])
def test_two_checkers_take_every_message(kind, event, example):
    checked(build_message(telling(event, kind, example)))


@pytest.mark.parametrize("missing", ["PID", "OBR"])
def test_a_checker_refuses_a_result_with_a_segment_cut_out(missing):
    lines = build_oru(telling("result", "ORU")).split("\r")
    cut = "\r".join(each for each in lines if not each.startswith(missing))
    with pytest.raises((HL7apyException, ValueError)):
        checked(cut)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=60))
def test_any_word_comes_out_of_the_message_as_it_went_in(word):
    person = screening(name=word, encounter=word)
    found = parse_hl7_message(build_oru(told(given=person)).encode())
    assert found.read_component(found.find_segment("PV1"), 19) == word
    assert len(list(found.list_segments("PID"))) == 1
    assert len(found.find_segment("PID")) == 8


class TestAResult:
    def test_tells_red_flags_before_everything(self):
        first = list(observed(build_oru(telling("result", "ORU", "red_flag"))))
        assert [code for code, _ in first[:2]] == ["tier", "red_flag"]

    def test_tells_each_criterion_with_its_points_and_what_is_unknown_without_any(self):
        given_ = screening()
        found = observed(build_oru(told(given=given_)))
        for each in given_.assessment.criteria:
            kind, value, status = found[each.id, "1"]
            assert kind == "NM"
            if each.points is None:
                assert (value, status) == ("", "X")
            else:
                assert (float(value), status) == (float(each.points), "F")

    def test_tells_totals_and_band_as_they_were_computed(self):
        given_ = screening()
        found = observed(build_oru(told(given=given_)))
        for name, total in given_.assessment.totals.items():
            assert float(found[name, "1"][1]) == float(total.points)
        assert found["predominance.band", "1"][1].startswith("strong^")

    def test_withholds_what_was_withheld(self):
        found = observed(build_oru(telling("result", "ORU", "red_flag")))
        assert found["predominance", "1"] == ("NM", "", "X")
        assert found["predominance.band", "1"][1:] == ("", "X")

    def test_carries_visit_clinician_and_report(self):
        found = parse_hl7_message(build_oru(telling("result", "ORU")).encode())
        assert found.read_component(found.find_segment("PV1"), 19) == "V-77"
        assert found.read_component(found.find_segment("OBR"), 16) == "1234567893"
        report = list(found.list_segments("OBX"))[-1]
        assert base64.b64decode(found.read_component(report, 5, 5)) == PDF.content

    def test_never_claims_a_diagnosis(self):
        assert "\rDG1|" not in build_oru(telling("result", "ORU"))


class TestWhatComesLater:
    def test_a_correction_comes_under_the_number_of_the_first(self):
        first = told(given=screening())
        later = told("replacement", given=screening(replaces=first.screening.id))._replace(
            first=first.screening.id
        )
        numbers = {
            parse_hl7_message(build_oru(each).encode()).find_segment("OBR")[3]
            for each in (first, later)
        }
        assert len(numbers) == 1
        assert {status for _, _, status in observed(build_oru(later)).values()} <= {"C", "X"}

    def test_a_replacing_document_names_the_one_it_replaces(self):
        old = parse_hl7_message(build_mdm(told(message="MDM")).encode()).find_segment("TXA")[12]
        new = parse_hl7_message(
            build_mdm(
                told(
                    "replacement",
                    given=screening(replaces="6f6f6f6f-0000-4000-8000-000000000001").model_copy(
                        update={"id": "6f6f6f6f-0000-4000-8000-000000000002"}
                    ),
                )
            ).encode()
        ).find_segment("TXA")
        assert new[13] == old
        assert new[12] != old

    def test_a_withdrawal_repeats_no_value(self):
        result, withdrawn = (observed(build_oru(telling(each, "ORU"))) for each in EVENTS[::2])
        assert withdrawn.pop(("status", "1")) == ("ST", "entered in error", "C")
        assert {each[1:] for each in withdrawn.values()} == {("", "W")}
        assert set(withdrawn) == {each for each in result if each[0] not in ("status", "75492-9")}


class TestFitting:
    def test_a_name_that_the_receiver_has_no_letters_for_is_a_misfit_and_no_question_mark(self):
        given_ = told(given=screening(name="Žižek, Slavoj"), character_set="8859/1")
        misfits = encode_message(build_oru(given_), given_.options).issues
        assert [(each.code, each.place) for each in misfits] == [("foreign_character", "PID-5")]

    @pytest.mark.parametrize("options", [{"character_set": "8859/1"}, {"character_set": "ASCII"}])
    def test_our_own_words_go_into_every_character_set(self, options):
        for example in EXAMPLES:
            given_ = told(given=screening(example), **options)
            made = encode_message(build_oru(given_), given_.options)
            assert made.issues == ()
            assert parse_hl7_message(made.content)

    @pytest.mark.parametrize(("size", "fits"), [(65_536, True), (65_537, False)])
    def test_a_field_holds_what_it_holds_and_not_one_character_more(self, size, fits):
        prefix = len("NOCISCREEN^AP^PDF^Base64^")
        report = PDF._replace(content=bytes((size - prefix) // 4 * 3))
        given_ = told(report=report, most_field_characters=size - (size - prefix) % 4 - (not fits))
        misfits = encode_message(build_oru(given_), given_.options).issues
        assert ([(each.place) for each in misfits] == []) is fits

    def test_a_long_number_is_a_misfit_by_its_place(self):
        given_ = told(given=screening(reference="9" * 200, encounter="8" * 200, name="n" * 200))
        places = [each.place for each in encode_message(build_oru(given_), given_.options).issues]
        assert places == []
        given_ = told(given=screening(reference="^" * 200))
        assert [e.place for e in encode_message(build_oru(given_), given_.options).issues] == [
            "PID-3"
        ]
