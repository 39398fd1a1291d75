"""The edition to pass on: without flags about the person, adversity, trauma, or traces of them."""

import json

import pytest
from support.report_examples import build_example_view, build_heading, list_texts
from support.second_report_examples import WORKED_CASES, build_case_view

from reports import formats
from reports.formats import build_document
from reports.phrases import list_languages, load_phrases

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
    text = read_report(view).replace("depression or trauma in their own right", "")
    text = text.replace("and for a suicidal plan", "")
    assert not [trace for trace in TRACES if trace in text]
    assert not view.is_confidential
    assert load_phrases().words["restricted"] not in text


def test_what_is_attached_to_it_has_no_trace_either():
    view = build_case_view(SUICIDAL, answers=PRIVATE, edition="shareable")
    attached = json.loads(view.assessment_json)
    assert attached["safety"]["tier"] == "none"
    assert attached["safety"]["flags"] == []
    assert attached["confidential"] is False
    assert attached["sheet"] == {"kind": "talk", "crisis_lines": False}
    assert not {"G1", "G2"} & {criterion["id"] for criterion in attached["criteria"]}
    assert 10 not in {pattern["number"] for pattern in attached["patterns"]["list"]}
    assert "settle_the_flags" not in {step["id"] for step in attached["next_steps"]}
    assert not [trace for trace in ("suicide", "overuse") if trace in view.assessment_json]


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
    assert shared.sheet.kind == "talk"


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
