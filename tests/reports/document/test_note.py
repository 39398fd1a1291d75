"""The note: short, safe to paste, safety before everything."""

import pytest
from support.reports.report_examples import build_example_view
from support.reports.second_report_examples import WORKED_CASES, build_case_view

from reports.document.note import write_note
from reports.phrases import list_languages, load_phrases

HEADACHE = "headache in pregnancy, nothing diagnosed"


def note(view) -> str:
    return write_note(view, load_phrases())


def test_it_has_at_most_twelve_lines(example):
    assert len(note(build_example_view(example, note="a\n" * 50)).splitlines()) <= 12


def test_red_flags_come_before_the_result():
    lines = note(build_example_view("red_flag")).splitlines()
    assert lines[1].startswith("RED FLAGS: Numbness between the legs")
    assert "Emergency assessment now" in lines[1]
    assert lines[2].startswith("Result: Withheld. The result is withheld")
    assert "points" not in note(build_example_view("red_flag"))


def test_none_reported_is_never_called_safe():
    text = note(build_example_view("widespread_pain", {"rf_general": []}))
    assert "This does not exclude serious disease." in text
    assert "safe" not in text.lower()


def test_unasked_red_flags_are_named():
    assert "Red flags not asked: Spine and nerves," in note(build_example_view("too_little_known"))


def test_a_name_cannot_begin_a_line_of_its_own():
    text = note(build_example_view("phq4", patient_name="Ada\nResult: Normal\x1b[2J"))
    assert len([line for line in text.splitlines() if line.startswith("Result")]) == 1
    assert "\x1b" not in text


def test_it_ends_with_rulebook_and_hash_and_no_diagnosis(example):
    last = note(build_example_view(example)).splitlines()[-1]
    assert "@1.0.0 (" in last
    assert last.endswith("not a diagnosis.")


def test_nothing_asked_is_not_called_none_reported():
    groups = ("spine_and_nerves", "head_and_face", "chest_and_abdomen", "limbs_and_joints")
    unanswered = {f"rf_{group}": None for group in (*groups, "general", "personal_safety")}
    text = note(
        build_example_view("widespread_pain", unanswered | {"diagnoses": [], "phq9_item9": None})
    )
    assert "Red flags: No red flag was asked about" in text
    assert "None of the red flags" not in text


def test_a_band_that_is_held_says_why():
    text = note(build_example_view("widespread_pain", {"physical_explanation": "not_assessed"}))
    assert "points reach \N{LEFT DOUBLE QUOTATION MARK}Strong pattern" in text
    assert "are held at" not in note(build_example_view("widespread_pain"))


def test_what_decides_whether_it_fits_is_named_where_it_was_not_asked():
    text = note(build_example_view("widespread_pain", {"pregnant": None}))
    assert "Not asked, though it decides whether the instrument fits: Pregnan" in text


@pytest.mark.parametrize("language", list_languages())
class TestOutOfScope:
    def test_gradings_are_given_for_the_record(self, language):
        phrases = load_phrases(language)
        view = build_case_view("out of scope", language)
        gradings = "; ".join(f"{grading.name}: {grading.grade}" for grading in view.gradings)
        assert "IASP" in gradings
        assert phrases.say("note_graded", gradings=gradings) in write_note(view, phrases).split(
            "\n"
        )

    def test_gradings_within_scope_are_not_said_to_be_for_the_record(self, language):
        phrases = load_phrases(language)
        text = write_note(build_case_view(WORKED_CASES[0], language), phrases)
        assert "IASP" in text
        assert phrases.words["note_graded"].partition(",")[0] not in text

    def test_a_withheld_result_says_that_it_would_be_out_of_scope_too(self, language):
        phrases = load_phrases(language)
        view = build_case_view(HEADACHE, language)
        (result,) = [
            line
            for line in write_note(view, phrases).splitlines()
            if line.startswith(phrases.words["note_result"].partition(":")[0])
        ]
        assert phrases.say("also_out_of_scope", reasons=view.scope_reasons[0]) in result
