"""The edition to pass on: without flags about the person, adversity, trauma, or traces of them."""

import json

import pytest
from support.reports.report_examples import build_example_view, build_heading, list_texts
from support.reports.second_report_examples import WORKED_CASES, assess_case, build_case_view

from reports import formats
from reports.formats import build_document
from reports.phrases import list_languages, load_phrases
from reports.view.editions import leave_out_person
from reports.view.intake import AssessedIntake

EDITIONS = ("full", "shareable")
SUICIDAL, WITHHELD = WORKED_CASES[1], WORKED_CASES[6]
PRIVATE = {
    "ace_count": 5,
    "ptsd": True,
    "phq9_item9": 2,
    "rf_personal_safety": ["unsafe_at_home", "medicine_overuse_or_withdrawal"],
    "medicines": ["opioid"],
}
TRACES = (
    "safe with",
    "overuse",
    "suicide",
    "Childhood",
    "trauma",
    "item 9",
    "self-harm",
)


def read_report(view) -> str:
    mark = load_phrases(view.language).words["shareable"]
    return " / ".join(list_texts(build_document(view, "clinician").blocks)).replace(mark, "")


def test_the_full_edition_holds_them_and_is_marked():
    view = build_case_view(SUICIDAL, answers=PRIVATE)
    text = read_report(view)
    assert view.is_confidential
    assert load_phrases().words["restricted"] in text
    assert all(trace in text for trace in TRACES)


def test_the_shareable_edition_has_no_trace_of_them():
    view = build_case_view(SUICIDAL, answers=PRIVATE, edition="shareable")
    text = read_report(view)
    assert not [trace for trace in TRACES if trace in text]
    assert not view.is_confidential
    assert load_phrases().words["restricted"] not in text


def test_what_is_attached_to_it_has_no_trace_either():
    view = build_case_view(SUICIDAL, answers=PRIVATE, edition="shareable")
    attached = json.loads(view.assessment_json)
    assert attached["safety"]["tier"] == "none"
    assert attached["safety"]["flags"] == []
    assert attached["confidential"] is False
    assert attached["sheet"] == {"kind": "plain", "crisis_lines": False}
    assert not {"G1", "G2"} & {criterion["id"] for criterion in attached["criteria"]}
    assert 10 not in {pattern["number"] for pattern in attached["patterns"]["list"]}
    assert "settle_the_flags" not in {step["id"] for step in attached["next_steps"]}
    assert not [trace for trace in ("suicide", "overuse") if trace in view.assessment_json]


def list_step_ids(name: str, **answers) -> tuple[list[str], list[str]]:
    """Return the steps of the full edition, and those of the edition to share."""
    views = (build_case_view(name, answers=answers, edition=edition) for edition in EDITIONS)
    full, shared = (json.loads(view.assessment_json)["next_steps"] for view in views)
    return [step["id"] for step in full], [step["id"] for step in shared]


class TestAStep:
    def test_that_only_trauma_asks_for_is_left_out(self):
        calm = dict.fromkeys(("phq4_nervous", "phq4_worrying", "phq4_interest", "phq4_down"), 0)
        full, shared = list_step_ids("evidence", **calm, ptsd=True)
        assert "care_for_distress" in full
        assert "care_for_distress" not in shared

    def test_that_other_distress_asks_for_as_well_stays(self):
        full, shared = list_step_ids("evidence", gad7_total=12, ptsd=True)
        assert "care_for_distress" in full
        assert "care_for_distress" in shared

    def test_about_contradictions_goes_with_the_last_of_them(self):
        full, shared = list_step_ids("evidence", phq9_item9=2)
        assert "resolve_contradictions" in full
        assert "resolve_contradictions" not in shared

    def test_about_contradictions_stays_while_one_is_shown(self):
        full, shared = list_step_ids("evidence", phq9_item9=2, pain_extent="spot")
        assert "resolve_contradictions" in full
        assert "resolve_contradictions" in shared

    @pytest.mark.parametrize("language", list_languages())
    def test_for_the_tier_that_is_left_takes_the_place_of_the_one_that_is_not_shown(self, language):
        answers = {"rf_personal_safety": ["suicidal_thoughts"]}
        name = "evidence beside a review"
        full, shared = list_step_ids(name, **answers)
        assert (full[0], shared[0]) == ("settle_the_flags", "review_flags_before_a_label")
        assert "settle_the_flags" not in shared
        view = build_case_view(name, language, answers, edition="shareable")
        unchanged = build_case_view(name, language, {"rf_personal_safety": []})
        first, expected = view.next_steps[0], unchanged.next_steps[0]
        assert (first.name, first.text, first.rung) == (expected.name, expected.text, expected.rung)

    @pytest.mark.parametrize("concern", [[], ["suicidal_thoughts"]])
    def test_that_a_private_answer_closes_is_always_left_out(self, concern):
        full, shared = list_step_ids("evidence", rf_personal_safety=concern)
        assert ("medicines" in full) == (not concern)
        assert "medicines" not in shared

    def test_that_the_full_edition_closed_is_not_opened(self):
        full, shared = list_step_ids("evidence", rf_personal_safety=["suicidal_plan_or_intent"])
        without, _ = list_step_ids("evidence", rf_personal_safety=[])
        assert "cbt_or_act" in without
        assert "cbt_or_act" not in full
        assert "cbt_or_act" not in shared

    def test_of_an_edition_without_private_answers_stays(self):
        full, shared = list_step_ids("evidence")
        assert "cbt_or_act" in full
        assert [step for step in full if step != "medicines"] == shared


def test_other_explanations_stand_by_the_strength_that_is_left():
    view = build_case_view(
        "evidence",
        answers={
            "medicines": ["opioid"],
            "pain_worse_as_opioid_rose": True,
            "rf_personal_safety": ["medicine_overuse_or_withdrawal"],
            "diagnoses": ["gout", "crps"],
            "onset_injury": "healed",
        },
        edition="shareable",
    )
    alternatives = json.loads(view.assessment_json)["alternatives"]
    strengths = [alternative["strength"] for alternative in alternatives]
    assert len(set(strengths)) > 1
    assert strengths == sorted(strengths, reverse=True)
    assert not [sign for row in alternatives for sign in row["signs"] if "overuse" in sign]


@pytest.mark.parametrize("form", ["txt", "html", "rtf", "note"])
def test_the_clinicians_note_is_not_in_it(form):
    for edition in EDITIONS:
        view = build_case_view(SUICIDAL, edition=edition, note="Zaphod-4711 told me of a plan.")
        report = formats.render_format(view, build_heading(), "clinician", form, lambda _: b"%")
        has_note = "Zaphod-4711" in report.content.decode()
        assert has_note == (edition == "full" and form != "note")


SHEETS_TO_SHARE = [
    ("evidence", {}, "plain"),
    ("evidence", {"rf_personal_safety": ["suicidal_thoughts"]}, "plain"),
    ("plain by a band that points away", {"phq9_item9": 2}, "plain"),
    ("unfinished", {"rf_personal_safety": ["suicidal_plan_or_intent"]}, "unfinished"),
    ("out of scope", {"rf_personal_safety": ["suicidal_thoughts"]}, "out_of_scope"),
    ("crisis before soon", {}, "soon"),
    ("emergency before crisis", {}, "emergency"),
]


class TestTheSheet:
    @pytest.mark.parametrize(("name", "answers", "kind"), SHEETS_TO_SHARE)
    def test_is_as_if_no_private_answer_had_been_given(self, name, answers, kind):
        view = build_case_view(name, answers=answers, edition="shareable")
        assert view.sheet.kind == kind
        assert not view.sheet.has_crisis_lines
        assert json.loads(view.assessment_json)["sheet"]["kind"] == kind

    @pytest.mark.parametrize("language", list_languages())
    @pytest.mark.parametrize("name", ["evidence", "plain by a band that points away", "unfinished"])
    def test_has_the_same_words_with_a_crisis_and_without(self, name, language):
        sheets = [
            list_texts(
                build_document(
                    build_case_view(name, language, answers, edition="shareable"), "patient"
                ).blocks
            )
            for answers in (
                {"rf_personal_safety": []},
                {"rf_personal_safety": ["suicidal_plan_or_intent"], "phq9_item9": 3},
            )
        ]
        assert sheets[0]
        assert sheets[0] == sheets[1]

    def test_of_a_band_that_names_the_condition_says_nothing_of_another_cause(self):
        view = build_case_view("evidence", edition="shareable")
        texts = list_texts(build_document(view, "patient").blocks)
        words = load_phrases().words
        assert words["sheet_status_scored"] in texts
        assert words["sheet_plain_elsewhere"] not in texts


def test_an_edition_that_leaves_out_answers_needs_guidance():
    example = assess_case(SUICIDAL)
    with pytest.raises(ValueError, match="choose_guidance"):
        leave_out_person(
            example.loaded.rulebook, AssessedIntake(example.assessment, example.answers)
        )


def test_flags_of_the_body_stay_in_it():
    view = build_case_view(WITHHELD, edition="shareable")
    assert [flag.tier_id for flag in view.flags] == ["T1", "T2"]
    assert view.sheet.kind == "emergency"
    assert not view.sheet.has_crisis_lines


def test_points_are_those_of_the_full_edition():
    full, shared = (
        build_case_view(SUICIDAL, answers=PRIVATE, edition=edition)
        for edition in ("full", "shareable")
    )
    assert shared.totals == full.totals
    assert shared.scale == full.scale


def test_of_the_first_rulebook_it_leaves_out_the_same():
    answers = {"rf_personal_safety": ["unsafe_at_home"], "ace_count": 5, "ptsd": True}
    full = build_example_view("widespread_pain", answers)
    shared = build_example_view("widespread_pain", answers, edition="shareable")
    assert full.is_confidential
    assert {"G1", "G2"} <= {line.id for line in full.criteria}
    assert not {"G1", "G2"} & {line.id for line in shared.criteria}
    assert 10 not in {pattern.number for pattern in shared.patterns}
    assert [flag.about_person for flag in full.flags] == [True, False]
    assert [flag.about_person for flag in shared.flags] == [False]
    assert [full.sheet.kind, shared.sheet.kind] == ["soon", "soon"]


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize(
    ("edition", "answers", "code"),
    [
        ("full", PRIVATE, "R"),
        ("shareable", PRIVATE, "N"),
        ("full", {"rf_personal_safety": []}, "N"),
    ],
)
def test_a_clinical_document_says_how_confidential_it_is(edition, answers, code, language):
    view = build_case_view(SUICIDAL, language, answers, edition=edition)
    report = formats.render_format(view, build_heading(), "clinician", "xml", lambda _: b"%")
    assert f'<confidentialityCode code="{code}"' in report.content.decode()
