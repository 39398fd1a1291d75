"""Every kind of patient's sheet holds what its case needs, and nothing others must not read."""

import re

import pytest
from support.report_examples import build_example_document, list_texts
from support.second_report_examples import (
    SHEET_CASES,
    WORKED_CASES,
    assess_case,
    build_case_document,
    build_case_view,
    load_cases,
)

from reports.document.patient_sheet import ACTION_KINDS
from reports.formats import build_document
from reports.phrases import list_languages, load_phrases
from schemas.form_settings import EmergencyNumber

CASES = (*WORKED_CASES, *SHEET_CASES)
NUMBERS = (
    EmergencyNumber(label="Ambulance", number="112"),
    EmergencyNumber(label="Crisis line", number="142", crisis=True),
)
KINDS = {"emergency", "crisis", "soon", "out_of_scope", "plain", "unfinished", "evidence"}
SELF_HARM = "head and jaw at 68, a bladder change, a suicidal plan"
POLYMYALGIA = "what is certain counts; GAD-7 alone and PHQ-2 alone settle"
THERAPY = ("sheet_resources", "sheet_cycle", "sheet_evidence", "sheet_real_2")
COMFORT = ("sheet_real_1", "sheet_real", "sheet_talk", "sheet_means")


def read_sheet(name: str, language: str = "en", **fields) -> list[str]:
    fields = {"help_numbers": NUMBERS, "answered_by": "patient"} | fields
    return list_texts(build_case_document(name, kind="patient", language=language, **fields).blocks)


def find_phrases(texts: list[str], language: str = "en") -> set[str]:
    words = load_phrases(language).words
    return {name for name, text in words.items() if text in texts}


def test_the_cases_have_every_kind():
    assert {build_case_view(name).sheet.kind for name in CASES} == KINDS


@pytest.mark.parametrize("name", CASES)
def test_its_kind_is_that_of_the_assessment(name):
    assert build_case_view(name).sheet.kind == assess_case(name).assessment.sheet.kind


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", CASES)
def test_it_tells_no_suspect_tier_score_or_private_answer(name, language):
    view = build_case_view(name, language)
    text = " / ".join(read_sheet(name, language))
    assert text
    hidden_texts = [
        *(flag.suspect for flag in view.flags),
        *(flag.label for flag in view.flags if flag.about_person),
        *(alternative.label for alternative in view.alternatives),
    ]
    assert [label for label in hidden_texts if label in text] == []
    assert not re.search(r"\bT[0-3]\b", text)
    assert not re.search(r"[+\N{MINUS SIGN}]\d", text)


@pytest.mark.parametrize("language", list_languages())
def test_childhood_and_trauma_are_on_no_sheet(language):
    private = {"ace_count": 7, "ptsd": True, "phq9_item9": None}
    view = build_case_view("evidence", language, private)
    document = build_document(view, "patient")
    hidden_labels = [pattern.label for pattern in view.patterns if pattern.number == 10]
    text = " / ".join(list_texts(document.blocks))
    assert view.is_confidential
    assert len(hidden_labels) == 1
    assert hidden_labels[0] not in text
    questions = assess_case("evidence").loaded.rulebook.questions_by_id
    assert questions["ptsd"].text not in text
    assert questions["ptsd"].label not in text


class TestAnEmergency:
    @pytest.mark.parametrize("language", list_languages())
    def test_holds_what_to_do_and_nothing_else(self, language):
        phrases = find_phrases(read_sheet(SELF_HARM, language), language)
        said_phrases = {phrase for phrase in phrases if phrase.startswith("sheet_")}
        assert said_phrases == {
            *("sheet_what", "sheet_say", "sheet_do_now", "sheet_do_T1", "sheet_take"),
            *("sheet_take_medicines", "sheet_take_sheet", "sheet_crisis_lines"),
            "sheet_crisis_call",
        }

    def test_says_what_was_marked_and_what_to_say_with_it(self):
        texts = read_sheet(SELF_HARM)
        label = "Pain in the head, jaw or face, from the age of 50"
        assert [text for text in texts if label in text and "questionnaire" in text]
        assert [text for text in texts if text.startswith(label)]
        assert not [text for text in texts if "pee" in text]

    def test_has_the_crisis_line_where_the_assessment_asks_for_it(self):
        assert read_sheet(SELF_HARM)[-3:] == [
            *("Crisis line: 142", "\N{BULLET}", "Ambulance: 112"),
        ]
        without = read_sheet("a T1 about the person is no emergency of the body")
        assert "sheet_what" not in find_phrases(without)

    def test_of_the_first_rulebook_has_no_comfort_either(self):
        texts = list_texts(build_example_document("red_flag", "patient").blocks)
        phrases = find_phrases(texts)
        assert {"sheet_do_T0", "sheet_take_sheet"} <= phrases
        assert not phrases & {*THERAPY, *COMFORT, "sheet_help", "sheet_crisis_call"}


class TestACrisis:
    @pytest.mark.parametrize("language", list_languages())
    @pytest.mark.parametrize(
        ("name", "has_more"), [(WORKED_CASES[1], False), ("crisis before soon", True)]
    )
    def test_holds_whom_to_call_and_nothing_else(self, name, has_more, language):
        phrases = find_phrases(read_sheet(name, language), language)
        said_phrases = {phrase for phrase in phrases if phrase.startswith("sheet_")}
        assert said_phrases == {
            *("sheet_crisis_seen", "sheet_crisis_matters", "sheet_crisis_lines"),
            *("sheet_crisis_call", "sheet_crisis_person", "sheet_crisis_tell"),
            *("sheet_crisis_medicines", "sheet_crisis_reach"),
            *(("sheet_crisis_soon",) if has_more else ()),
        }

    def test_has_the_crisis_line_before_the_emergency_number(self):
        texts = read_sheet(WORKED_CASES[1])
        assert texts.index("Crisis line: 142") < texts.index("Ambulance: 112")

    def test_is_not_told_in_the_edition_to_share(self):
        view = build_case_view(WORKED_CASES[1], edition="shareable", help_numbers=NUMBERS)
        assert view.sheet.kind == "talk"
        phrases = find_phrases(list_texts(build_document(view, "patient").blocks))
        assert not [phrase for phrase in phrases if phrase.startswith("sheet_crisis")]
        assert {"sheet_talk_first", "sheet_help"} <= phrases


class TestSoon:
    @pytest.mark.parametrize("language", list_languages())
    def test_says_when_by_whom_and_what_makes_it_the_same_day(self, language):
        phrases = find_phrases(read_sheet(POLYMYALGIA, language), language)
        assert {
            *("sheet_soon", "sheet_do_T2", "sheet_today", "sheet_today_worse"),
            "sheet_today_nociplastic_possible_polymyalgia",
        } == {phrase for phrase in phrases if phrase.startswith("sheet_")}

    def test_has_signs_of_its_own_only_for_flags_that_exist(self):
        flags = {flag.id for flag in assess_case(POLYMYALGIA).loaded.rulebook.flag}
        prefix = "sheet_today_nociplastic_"
        own = {key.removeprefix(prefix) for key in load_phrases().words if key.startswith(prefix)}
        assert len(own) > 8
        assert own <= flags


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("active rheumatoid arthritis, polymyalgia assessed", "sheet_plain_cause"),
        ("plain by active inflammation", "sheet_plain_inflammation"),
        ("plain by a band that points away", "sheet_plain_elsewhere"),
    ],
)
@pytest.mark.parametrize("language", list_languages())
def test_a_plain_sheet_says_what_comes_first_and_sells_no_programme(name, phrase, language):
    phrases = find_phrases(read_sheet(name, language), language)
    assert phrase in phrases
    assert {"sheet_answers", "sheet_talk", "sheet_keep", "sheet_real_1"} <= phrases
    assert not phrases & set(THERAPY)


def test_a_sheet_out_of_scope_says_why_and_what_was_answered():
    texts = read_sheet("out of scope")
    assert {"sheet_status_out_of_scope", "sheet_answers"} <= find_phrases(texts)
    assert "Surgery on the painful part within 3 months." in texts


def test_an_unfinished_sheet_lists_open_questions_that_a_patient_can_answer():
    view = build_case_view(POLYMYALGIA)
    questions = {question.text for question in assess_case(POLYMYALGIA).loaded.rulebook.question}
    clinicians = {
        question.text
        for question in assess_case(POLYMYALGIA).loaded.rulebook.question
        if question.who == "clinician"
    }
    assert view.sheet.open_questions
    assert set(view.sheet.open_questions) <= questions - clinicians
    texts = read_sheet("unfinished")
    assert {"sheet_status_insufficient_information", "sheet_some_not_asked"} <= find_phrases(texts)
    assert not find_phrases(texts) & set(THERAPY)


def test_an_evidence_sheet_names_an_open_review_first():
    texts = read_sheet("evidence beside a review")
    assert "sheet_do_T3" in find_phrases(texts)
    assert set(THERAPY) <= find_phrases(texts)
    assert texts.index(load_phrases().words["sheet_do_T3"]) < texts.index("Your pain is real")


def test_only_sheets_of_action_have_no_facts_but_identifiers_and_the_date():
    for name in CASES:
        document = build_case_document(name, kind="patient", answered_by="patient")
        facts = "".join(run.text for run in document.blocks[0].runs)
        is_action = build_case_view(name).sheet.kind in ACTION_KINDS
        assert ("Age" in facts) != is_action
        assert "24 November 2026" in facts


def test_every_sheet_vignette_is_read():
    assert len(SHEET_CASES) == sum(case.file == "sheets" for case in load_cases().values())
    assert len(SHEET_CASES) > 12
