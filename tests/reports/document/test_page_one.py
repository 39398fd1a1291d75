"""Page one for a consultant: its parts in their order, each said once, nothing left as raw ids."""

import re

import pytest
from support.reports.report_examples import build_example_document, iterate_blocks, list_texts
from support.reports.second_report_examples import (
    WORKED_CASES,
    assess_case,
    build_case_document,
    build_case_view,
    load_cases,
)

from reports.blocks import Section, Table
from reports.document.note import write_note
from reports.phrases import list_languages, load_phrases

FIBROMYALGIA, SUICIDAL, ARTHRITIS, REMISSION, CERTAIN, SCLEROSIS, WITHHELD, DEFICIT = WORKED_CASES
ORDER = (
    *("safety_first", "contradictions", "result", "gradings_caption", "mechanisms", "speaks_for"),
    *("ask_three", "alternatives", "next", "reckoning", "open", "limits", "sources"),
)


def list_headings(name: str, language: str = "en", **fields) -> list[str]:
    document = build_case_document(name, language=language, **fields)
    return [
        block.heading if isinstance(block, Section) else block.caption
        for block in iterate_blocks(document.blocks)
        if isinstance(block, Section | Table)
    ]


@pytest.mark.parametrize("language", list_languages())
def test_the_parts_stand_in_the_order_a_consultant_reads(language):
    headings = list_headings(CERTAIN, language, answers={"pain_extent": "spot"})
    words = load_phrases(language).words
    places = [
        next(place for place, text in enumerate(headings) if text.startswith(words[phrase]))
        for phrase in ORDER
    ]
    assert places == sorted(places)


class TestFlags:
    @pytest.mark.parametrize("name", [WITHHELD, CERTAIN, DEFICIT])
    def test_stand_by_tier_and_then_those_about_the_person_first(self, name):
        flags = build_case_view(name).flags
        keys = [(flag.tier_id, not flag.about_person) for flag in flags]
        assert len(keys) > 1
        assert keys == sorted(keys)

    def test_of_the_first_rulebook_stand_by_tier_too(self):
        answers = {
            "rf_personal_safety": ["unsafe_at_home"],
            "rf_chest_and_abdomen": ["chest_pain_with_breathlessness_or_sweating"],
        }
        texts = list_texts(build_example_document("widespread_pain", answers=answers).blocks)
        flags = [text[:2] for text in texts if re.match(r"T\d \N{MIDDLE DOT}", text)]
        assert flags == ["T0", "T1", "T2"]

    def test_say_where_they_are_marked_as_assessed(self):
        texts = list_texts(build_case_document(ARTHRITIS).blocks)
        flags = [text for text in texts if text.startswith("T3")]
        assert len(flags) == 2
        assert flags[0].endswith("from the age of 50 (marked as assessed). ")
        assert "assessed" not in flags[1]


class TestTheResult:
    def test_says_what_an_answered_range_may_still_become(self):
        texts = list_texts(build_case_document(ARTHRITIS).blocks)
        wording = assess_case(ARTHRITIS).loaded.rulebook.wording
        sentence = wording.as_answered_so_far.format(
            band="Points away", least="Points away", most="Some features"
        )
        assert sentence in texts

    def test_says_that_a_band_stays_whatever_is_answered(self):
        view = build_case_view(FIBROMYALGIA)
        assert view.result_title == "Strong pattern"
        assert view.possible_bands == load_phrases().words["band_stays"]

    def test_of_a_wide_range_is_between_two_bands(self):
        view = build_case_view(CERTAIN)
        assert view.result_title == "Between Points away and Strong pattern"
        assert "across too many bands" in view.headline

    def test_that_waits_for_safety_says_which_band_it_would_be_and_what_it_waits_for(self):
        view = build_case_view(FIBROMYALGIA, answers={"rf_general": None})
        assert view.result_title == (
            "Band would be Strong pattern; needed first: General warning signs"
        )
        assert view.headline.startswith("So far, and not safe to rely on.")

    @pytest.mark.parametrize("name", WORKED_CASES)
    def test_never_says_that_there_is_no_band(self, name):
        text = " ".join(list_texts(build_case_document(name).blocks)).lower()
        assert "no band" not in text
        assert "too little is known" not in text

    def test_of_the_first_rulebook_gives_possible_bands_too(self):
        texts = list_texts(build_example_document("too_little_known").blocks)
        assert "Between Points away and Strong pattern" in texts


def test_contradictions_stand_above_the_band():
    headings = list_headings(FIBROMYALGIA, answers={"pain_extent": "spot"})
    words = load_phrases().words
    assert headings.index(words["contradictions"]) < headings.index(words["result"])
    assert words["contradictions"] not in list_headings(FIBROMYALGIA)


def test_a_grading_stands_in_one_line_with_the_criteria_that_decide():
    document = build_case_document(FIBROMYALGIA)
    (table,) = [block for block in iterate_blocks(document.blocks) if block.role == "gradings"][1:]
    rows = [row.cells for row in table.rows]
    assert rows[0][1] == "Probable nociplastic pain by the IASP 2021 criteria"
    assert rows[1] == ("All 7 criteria", "yes")
    assert ("Relevant lesion or disease, with the pain in its territory", "no") in rows
    assert len(rows) == 6


def test_age_and_duration_stand_in_the_heading():
    facts = {row.name: row.text for row in build_case_view(FIBROMYALGIA).facts}
    assert facts["Age"] == "44 years"
    assert facts["Duration of the pain"] == "60 months"
    unknown = build_case_view(FIBROMYALGIA, answers={"age_years": None})
    assert {row.name: row.text for row in unknown.facts}["Age"] == "not answered"


def test_a_withheld_report_has_its_body_map_and_keeps_two_limitations():
    view = build_case_view(WITHHELD)
    assert view.body is not None
    assert view.body.site_labels == ("left jaw", "head")
    assert len(view.limitations) == 2
    assert view.criteria == ()


def test_a_withheld_report_of_the_first_rulebook_keeps_two_limitations():
    texts = " ".join(list_texts(build_example_document("red_flag").blocks))
    assert "Red flags were asked, not examined." in texts
    assert "There is no reference standard" not in texts


def test_a_report_out_of_scope_has_no_points_and_nothing_that_rests_on_them():
    view = build_case_view("out of scope")
    assert view.status == "out_of_scope"
    withheld_parts = (
        *(view.scale, view.ledgers, view.totals, view.domains, view.criteria, view.band),
        *(view.picture, view.supporting, view.opposing, view.ask_first, view.open_questions),
        *(view.patterns, view.findings, view.what_if, view.trend),
    )
    assert [part for part in withheld_parts if part] == []
    headings = list_headings("out of scope")
    words = load_phrases().words
    omitted = ("mechanisms", "speaks_for", "speaks_against", "ask_three", "ask_first", "reckoning")
    assert not {words[phrase] for phrase in (*omitted, "findings", "decisive")} & set(headings)
    assert not [heading for heading in headings if heading.startswith("Evidence sheet")]
    assert words["graded_out_of_scope"] in headings


@pytest.mark.parametrize("language", list_languages())
def test_a_withheld_report_says_under_its_result_that_it_is_out_of_scope_too(language):
    name = "headache in pregnancy, nothing diagnosed"
    view = build_case_view(name, language)
    assert view.status == "withheld_red_flag"
    sentence = load_phrases(language).say("also_out_of_scope", reasons=view.scope_reasons[0])
    (result,) = [
        block
        for block in iterate_blocks(build_case_document(name, language=language).blocks)
        if block.role == "result"
    ]
    assert sentence in list_texts((result,))
    assert build_case_view(WITHHELD, language).further_scope_text is None


class TestOpenQuestions:
    def test_three_are_asked_first_with_what_they_can_move(self):
        view = build_case_view(CERTAIN)
        assert [question.name for question in view.ask_first] == [
            *("Physical explanation", "Diagnoses", "Swollen or warm joint"),
        ]
        assert view.ask_first[0].text == "up to 12 points"
        assert view.other_open_count == 27

    def test_what_safety_needs_has_no_number(self):
        groups = ("rf_general", "rf_head_and_face", "rf_limbs_and_joints")
        answers = {"cancer_ever": None, **dict.fromkeys(groups)}
        view = build_case_view(CERTAIN, answers=answers)
        assert {question.text for question in view.ask_first} == {"needed for safety"}
        assert view.needed_for_safety == ("General warning signs",)

    def test_each_open_question_is_said_once(self):
        view = build_case_view(CERTAIN)
        labels = [question.label for question in view.open_questions]
        first = {question.name for question in view.ask_first}
        other_labels = [name for row in view.other_open_questions for name in row.text.split("; ")]
        assert sorted([*first, *view.needed_for_safety, *other_labels]) == sorted(labels)


def test_what_does_not_apply_is_named_and_not_called_no():
    texts = list_texts(build_case_document(FIBROMYALGIA).blocks)
    place = texts.index("Not asked, does not apply: ")
    assert texts[place + 1].startswith("Kind of")
    assert "Settled by rest" in texts[place + 1]


def test_other_explanations_have_signs_and_what_would_settle_them():
    texts = list_texts(build_case_document(SUICIDAL).blocks)
    place = texts.index("ME/CFS or a post-viral illness. ")
    assert texts[place + 1].startswith("Signs: ill for a day or longer after effort. To settle it:")


def test_next_steps_have_their_rung_certainty_and_cautions():
    texts = list_texts(build_case_document(SUICIDAL).blocks)
    rungs = [load_phrases().words[f"rung_nociplastic_{rung}"] for rung in (1, 4, 5, 6, 7)]
    places = [len(texts) - 1 - texts[::-1].index(rung) for rung in rungs]
    assert places == sorted(places)
    assert texts.count("Caution: ") == 2
    assert any(text.startswith("an option, best joined") for text in texts)
    assert any("Low certainty for pain by itself" in text for text in texts)


@pytest.mark.parametrize("name", WORKED_CASES)
def test_points_are_said_once(name):
    document = build_case_document(name)
    reasons = [block for block in iterate_blocks(document.blocks) if block.role == "reason"]
    for reason in reasons:
        text = "".join(run.text for run in reason.runs)
        assert not re.search(r"\d points?", text)


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", WORKED_CASES)
def test_no_raw_id_is_printed(name, language):
    view = build_case_view(name, language)
    texts = list_texts(build_case_document(name, language=language).blocks)
    texts.append(write_note(view, load_phrases(language)))
    for text in texts:
        assert not re.search(r"\b[a-z]+[0-9]*_[a-z0-9_]+\b", text)


def test_a_report_of_the_first_rulebook_names_no_ids_of_sources():
    texts = " ".join(list_texts(build_example_document("widespread_pain").blocks))
    assert "kosek_2021" not in texts


@pytest.mark.parametrize("name", WORKED_CASES)
@pytest.mark.parametrize("language", list_languages())
def test_the_note_has_at_most_twelve_lines(name, language):
    answers = {"pain_extent": "spot", "rf_general": None} if name != WITHHELD else {}
    view = build_case_view(name, language, answers)
    assert len(write_note(view, load_phrases(language)).splitlines()) <= 12


def test_every_worked_case_is_read():
    assert len(WORKED_CASES) == 8
    assert len(load_cases()) > 380
