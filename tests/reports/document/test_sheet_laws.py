"""No patient's sheet reveals what other readers must not learn, whatever the answers."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from support.reports.report_examples import AssessedExample, build_translated_view, list_texts
from support.scoring.answer_strategies import partial_answers, unflagged_answers
from support.scoring.vignettes import SECOND

from reports.formats import build_document
from reports.phrases import list_languages
from reports.view.model import ReportView
from schemas.rulebooks.rulebook import Rulebook
from scoring.engine import assess
from scoring.translations import translate_rulebook

QUESTIONS = SECOND.rulebook.questions_by_id
PRIVATE_QUESTIONS = ("rf_personal_safety", "phq9_item9", "ace_count", "ptsd")


def some_options(question: str) -> st.SearchStrategy[tuple[str, ...]]:
    options = [option.id for option in QUESTIONS[question].options]
    return st.lists(st.sampled_from(options), unique=True, min_size=1, max_size=4).map(tuple)


PRIVATE_ANSWERS = st.fixed_dictionaries(
    {
        "rf_personal_safety": some_options("rf_personal_safety"),
        "phq9_item9": st.integers(0, 3),
        "ace_count": st.integers(1, 10),
        "ptsd": st.booleans(),
        "already_assessed": some_options("already_assessed"),
    }
)


def list_private_texts(rulebook: Rulebook, view: ReportView) -> list[str]:
    """Return what stands on no sheet, but for what the person may have answered by that name."""
    questions = [rulebook.questions_by_id[name] for name in PRIVATE_QUESTIONS]
    return [
        *(flag.suspect for flag in view.flags),
        *(flag.label for flag in rulebook.flag if flag.about_person),
        *(option.label for option in rulebook.questions_by_id["rf_personal_safety"].options),
        *(text for question in questions for text in (question.label, question.text)),
        *(pattern.label for pattern in rulebook.pattern if pattern.never_on_sheet),
    ]


def list_marked_labels(rulebook: Rulebook, answers: dict) -> set[str]:
    return {
        option.label
        for question in rulebook.question
        for option in question.options
        if option.id in (answers.get(question.id) or ())
    }


@settings(max_examples=30)
@given(
    answers=st.one_of(unflagged_answers(SECOND), partial_answers(SECOND)),
    private=PRIVATE_ANSWERS,
    language=st.sampled_from(list_languages()),
)
def test_a_sheet_tells_no_suspect_tier_points_or_private_answer(answers, private, language):
    answers = answers | private
    assessment = assess(SECOND, answers, attested=True)
    example = AssessedExample(SECOND, answers, assessment)
    rulebook = translate_rulebook(SECOND, language)
    view = build_translated_view(example, language, answered_by="patient")
    text = " / ".join(list_texts(build_document(view, "patient").blocks))
    assert view.is_confidential
    assert [private for private in list_private_texts(rulebook, view) if private in text] == []
    alternatives = {alternative.label for alternative in view.alternatives}
    named_alternatives = {label for label in alternatives if label in text}
    assert named_alternatives - list_marked_labels(rulebook, answers) == set()
    assert not re.search(r"\bT[0-3]\b", text)
    assert not re.search(r"[+\N{MINUS SIGN}]\d", text)
