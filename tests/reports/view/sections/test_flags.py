"""Safety as documents tell it: what was raised, what was left, what a correction no longer says."""

from datetime import UTC, date, datetime

import pytest
from support.reports.report_examples import (
    assess_example,
    build_example_document,
    build_example_view,
    list_texts,
)

from reports.document.note import write_note
from reports.document.summary_page import MAX_OTHER_REASONS, MAX_REASONS
from reports.phrases import list_languages, load_phrases
from reports.view.heading import FlagAcknowledgement, LinkedScreening, ReportedFlag
from schemas.organisations.form_settings import EmergencyNumber

BEFORE = LinkedScreening(
    id="s-1",
    on=date(2026, 11, 20),
    flags=(
        ReportedFlag(id="saddle_numbness", tier="T0", label="Numbness between the legs"),
        ReportedFlag(id="unsafe_at_home", tier="T1", label="Does not feel safe at home"),
    ),
)
ACKNOWLEDGEMENT = FlagAcknowledgement(
    practitioner="Dr G",
    acknowledged_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    action_taken="sent to emergency",
)
WITHOUT_FLAGS = {"rf_general": [], "rf_personal_safety": []}
UNSAFE = {"rf_general": [], "rf_personal_safety": ["unsafe_at_home", "suicidal_thoughts"]}
AWAY = {
    "physical_explanation": "fully",
    "mechanical_provocation": True,
    "focal_tenderness": True,
    "morning_stiffness_over_30_min": True,
    "active_inflammation": True,
    "pain_sites": ["lower_back"],
    "pain_extent": "spot",
    "hypersensitive_to": [],
    "evoked_on_examination": [],
    "pain_inconsistent": False,
    "pain_out_of_proportion": False,
}
PERSONAL = ("safe at home", "ending")


def join_texts(*arguments, **fields) -> str:
    return " ".join(list_texts(build_example_document(*arguments, **fields).blocks))


@pytest.mark.parametrize("language", list_languages())
class TestACorrection:
    def test_tells_what_the_screening_before_reported_and_who_saw_it(self, language):
        fields = {"replaces": BEFORE, "acknowledgements": (ACKNOWLEDGEMENT,), "language": language}
        for text in (
            join_texts("widespread_pain", **fields),
            write_note(build_example_view("widespread_pain", **fields), load_phrases(language)),
        ):
            assert "T0" in text
            assert "Dr G" in text
            assert "sent to emergency" in text

    def test_never_says_to_the_patient_that_nothing_was_marked(self, language):
        fields = {"answers": WITHOUT_FLAGS, "replaces": BEFORE, "language": language}
        text = join_texts("widespread_pain", "patient", **fields)
        assert load_phrases(language).words["sheet_no_longer"] in text
        assert load_phrases(language).words["sheet_no_flag"] not in text

    def test_is_not_the_patients_alone(self, language):
        fields = {"replaces": BEFORE, "answered_by": "patient", "language": language}
        facts = {row.text for row in build_example_view("widespread_pain", **fields).facts}
        patient = load_phrases(language).words["by_patient"]
        assert patient not in facts
        assert load_phrases(language).say("by_corrected", by=patient) in facts


def test_a_flag_that_is_still_raised_is_not_told_as_gone():
    flags = build_example_view("red_flag").flags
    assert flags
    same = tuple(
        ReportedFlag(id=flag.id, tier=flag.tier, label=flag.label)
        for flag in assess_example("red_flag").assessment.safety.flags
    )
    again = LinkedScreening(id="s-1", on=date(2026, 11, 20), flags=same)
    assert build_example_view("red_flag", replaces=again).withdrawn_flags_text is None


class TestTheSheet:
    def test_says_nothing_of_what_others_must_not_read(self):
        text = join_texts("widespread_pain", "patient", UNSAFE, answered_by="patient")
        assert not any(phrase in text for phrase in PERSONAL)
        assert load_phrases().words["sheet_no_flag"] not in text

    def test_tells_everybody_where_help_is(self):
        for answers in (UNSAFE, WITHOUT_FLAGS):
            text = join_texts("widespread_pain", "patient", answers)
            assert text.count(load_phrases().words["sheet_help"]) == 1

    def test_says_in_an_emergency_what_to_do_without_an_if(self):
        text = join_texts("red_flag", "patient", answered_by="patient")
        assert load_phrases().words["sheet_do_T0"] in text
        assert text.count("Numbness between the legs") == 2

    @pytest.mark.parametrize("by", [None, "proxy", "clinician"])
    def test_says_you_marked_to_whom_marked_it_alone(self, by):
        assert "You marked" in join_texts("widespread_pain", "patient", answered_by="patient")
        assert "You marked" not in join_texts("widespread_pain", "patient", answered_by=by)

    def test_says_it_was_noted_of_what_a_clinician_found(self):
        answers = {**WITHOUT_FLAGS, "sensory_or_motor_loss": True}
        text = join_texts("widespread_pain", "patient", answers, answered_by="patient")
        assert "It was noted: Less feeling or strength" in text

    def test_tells_that_warning_signs_were_left(self):
        text = join_texts("too_little_known", "patient")
        assert ("sheet_some_not_asked" in list_phrases_in(text)) != (
            "sheet_none_asked" in list_phrases_in(text)
        )

    def test_calls_no_pain_nociplastic_that_does_not_point_there(self):
        assert "nociplastic" not in sheet_words("too_little_known")
        assert "nociplastic pain" in sheet_words("widespread_pain", WITHOUT_FLAGS)


def list_phrases_in(text: str) -> set[str]:
    return {name for name, words in load_phrases().words.items() if words in text}


def sheet_words(name: str, answers: dict | None = None) -> str:
    """The sheet without the name of the rulebook."""
    return join_texts(name, "patient", answers).replace("nociplastic@", "")


def test_the_side_that_weighs_more_stands_first_and_at_more_length():
    strong = build_example_view("widespread_pain")
    assert not strong.shows_opposing_first
    against = build_example_view("widespread_pain", AWAY)
    assert against.shows_opposing_first
    first = join_texts("widespread_pain", answers=AWAY)
    assert first.index(load_phrases().words["speaks_against"]) < first.index(
        load_phrases().words["speaks_for"]
    )
    assert MAX_REASONS > MAX_OTHER_REASONS


def test_the_sheet_bears_the_organisations_own_numbers_for_help():
    crisis = EmergencyNumber(label="Crisis line", number="116 123", crisis=True)
    text = join_texts("phq4", "patient", help_numbers=(crisis,))
    assert "Crisis line: 116 123" in text
