"""Safety as documents tell it: what was raised, what was left, what a correction no longer says."""

from datetime import UTC, date, datetime

import pytest
from support.report_examples import assessed, made, told, viewed

from reports.document.note import note
from reports.document.summary_page import STRONGEST, STRONGEST_OF_OTHER
from reports.phrases import languages, wording
from reports.view.heading import OtherScreening, Reported, Seen
from schemas.form_settings import EmergencyNumber

BEFORE = OtherScreening(
    id="s-1",
    on=date(2026, 11, 20),
    flags=(
        Reported(id="saddle_numbness", tier="T0", label="Numbness between the legs"),
        Reported(id="unsafe_at_home", tier="T1", label="Does not feel safe at home"),
    ),
)
SEEN = Seen(by="Dr G", at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC), done="sent to emergency")
CLEAN = {"rf_personal_safety": []}
UNSAFE = {"rf_personal_safety": ["unsafe_at_home", "suicidal_thoughts"]}
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


def texts(*given, **more) -> str:
    return " ".join(told(made(*given, **more).blocks))


@pytest.mark.parametrize("language", languages())
class TestACorrection:
    def test_tells_what_the_screening_before_reported_and_who_saw_it(self, language):
        given = {"replaces": BEFORE, "acknowledged": (SEEN,), "language": language}
        for text in (
            texts("widespread_pain", **given),
            note(viewed("widespread_pain", **given), wording(language)),
        ):
            assert "T0" in text
            assert "Dr G" in text
            assert "sent to emergency" in text

    def test_never_says_to_the_patient_that_nothing_was_marked(self, language):
        text = texts("widespread_pain", "patient", replaces=BEFORE, language=language)
        assert wording(language).words["sheet_no_longer"] in text
        assert wording(language).words["sheet_no_flag"] not in text

    def test_is_not_the_patients_alone(self, language):
        given = {"replaces": BEFORE, "answered_by": "patient", "language": language}
        facts = {row.text for row in viewed("widespread_pain", **given).facts}
        patient = wording(language).words["by_patient"]
        assert patient not in facts
        assert wording(language).say("by_corrected", by=patient) in facts


def test_a_flag_that_is_still_raised_is_not_told_as_gone():
    raised = viewed("red_flag").flags
    assert raised
    same = tuple(
        Reported(id=each.id, tier=each.tier, label=each.label)
        for each in assessed("red_flag")[1].safety.flags
    )
    again = OtherScreening(id="s-1", on=date(2026, 11, 20), flags=same)
    assert viewed("red_flag", replaces=again).no_longer is None


class TestTheSheet:
    def test_says_nothing_of_what_others_must_not_read(self):
        text = texts("widespread_pain", "patient", UNSAFE, answered_by="patient")
        assert not any(each in text for each in PERSONAL)
        assert wording().words["sheet_no_flag"] not in text

    def test_tells_everybody_where_help_is(self):
        for answers in (UNSAFE, CLEAN):
            text = texts("widespread_pain", "patient", answers)
            assert text.count(wording().words["sheet_help"]) == 1

    def test_says_in_an_emergency_what_to_do_without_an_if(self):
        text = texts("red_flag", "patient", answered_by="patient")
        assert wording().words["sheet_do_T0"] in text
        assert "You marked: Numbness between the legs" in text

    @pytest.mark.parametrize("by", [None, "proxy", "clinician"])
    def test_says_you_marked_to_whom_marked_it_alone(self, by):
        assert "You marked" not in texts("red_flag", "patient", answered_by=by)

    def test_says_it_was_noted_of_what_a_clinician_found(self):
        answers = {"sensory_or_motor_loss": True}
        text = texts("widespread_pain", "patient", answers, answered_by="patient")
        assert "It was noted: Sensory loss" in text

    def test_tells_that_warning_signs_were_left(self):
        asked = texts("too_little_known", "patient")
        assert ("sheet_some_not_asked" in spoken(asked)) != ("sheet_none_asked" in spoken(asked))

    def test_calls_no_pain_nociplastic_that_does_not_point_there(self):
        assert "nociplastic" not in sheet_words("too_little_known")
        assert "nociplastic pain" in sheet_words("widespread_pain")


def spoken(text: str) -> set[str]:
    return {name for name, words in wording().words.items() if words in text}


def sheet_words(name: str) -> str:
    """The sheet without the name of the rulebook."""
    return texts(name, "patient").replace("nociplastic@", "")


def test_the_side_that_weighs_more_stands_first_and_at_more_length():
    strong = viewed("widespread_pain")
    assert not strong.against_first
    against = viewed("widespread_pain", AWAY)
    assert against.against_first
    first = texts("widespread_pain", answers=AWAY)
    assert first.index(wording().words["speaks_against"]) < first.index(
        wording().words["speaks_for"]
    )
    assert STRONGEST > STRONGEST_OF_OTHER


def test_the_sheet_bears_the_organisations_own_numbers_for_help():
    crisis = EmergencyNumber(label="Crisis line", number="116 123", crisis=True)
    text = texts("phq4", "patient", help_numbers=(crisis,))
    assert "Crisis line: 116 123" in text
