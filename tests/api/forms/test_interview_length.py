"""How long the core of the interview is for a typical person, and how it reads."""

import re

import pytest
from support.reports.reading_ease import measure_english_grade

from api.forms.form_model import FormOptions, build_form
from api.forms.intake_progress import IntakeProgress, build_progress
from api.forms.reading_time import SECONDS_PER_QUESTION, WORDS_PER_MINUTE, estimate_minutes
from schemas.patients.links import Draft
from scoring.catalogue import load_catalogue

BOOK = load_catalogue().find_version("nociplastic@2.0.0")
TYPICAL = {
    "age_years": 44,
    "pain_duration_months": 60,
    "fatigue": True,
    "load_provokes": True,
    "medicines": [],
    "overlapping_conditions": [],
    "pain_sites": ["neck", "lower_back", "shoulder_left"],
}
"""A person of 44 with back pain for five years, who is tired and whose pain comes with load."""
MOST_PROMPTS, MOST_MINUTES, MOST_TAPS = 27, 8, 45
BEGIN_AND_END_TAPS = 4
"""Agree and begin; stop at the offer; send."""


def begin_interview(language: str = "en") -> IntakeProgress:
    return build_progress(BOOK, Draft(answers=TYPICAL), language, adversity=True)


def test_the_core_stays_within_what_was_measured():
    progress = begin_interview()
    pages = progress.list_pages(1)
    questions = [
        question
        for number in pages
        for question in progress.form.steps[number - 1].questions
        if question.id not in progress.not_asked
    ]
    sites = len(TYPICAL["pain_sites"]) - 1
    taps = len(questions) + 1 + sites + len(pages) + BEGIN_AND_END_TAPS
    assert len(questions) <= MOST_PROMPTS
    assert progress.estimate_minutes(pages) <= MOST_MINUTES
    assert taps <= MOST_TAPS


@pytest.mark.parametrize("language", ["de", "es"])
def test_the_core_takes_no_longer_in_other_languages(language):
    progress = begin_interview(language)
    assert progress.estimate_minutes(progress.list_pages(1)) <= MOST_MINUTES + 2


def test_the_questions_of_the_core_read_at_grade_6_or_less():
    progress = begin_interview()
    texts = [
        text
        for number in progress.list_pages(1)
        for question in progress.form.steps[number - 1].questions
        for text in (question.text, question.help)
        if text
    ]
    assert len(texts) > 30
    assert measure_english_grade(texts) <= 6


WORDS_FOR_SCORERS = re.compile(
    r"\b(lesion|endocrine|shivering|manipulate|discolouration|reliably|"
    r"in someone who|root|territory|back passage|completed years|strong in you)\b",
    re.IGNORECASE,
)


def test_no_patient_reads_words_for_scorers():
    form = build_form(BOOK, FormOptions("patient", "en", adversity_consent=True))
    texts = [
        text
        for question in form.questions
        for text in (question.text, question.help or "", *(it.label for it in question.choices))
    ]
    assert WORDS_FOR_SCORERS.search("a LESION of a nerve")
    assert [text for text in texts if WORDS_FOR_SCORERS.search(text)] == []


def test_minutes_are_the_words_and_the_questions_of_the_pages_that_are_left():
    progress = begin_interview()
    step = progress.form.steps[8]
    question = step.questions[0]
    step = step._replace(questions=(question,))
    labels = [choice.label for choice in question.choices]
    texts = [step.heading, step.intro or "", question.text, question.help or "", *labels]
    words = sum(len(text.split()) for text in texts)
    seconds = words * 60 / WORDS_PER_MINUTE + SECONDS_PER_QUESTION
    assert 0 < seconds < 60
    assert estimate_minutes([step]) == 1
    assert estimate_minutes([step] * 10) == -(-seconds * 10 // 60)
    assert estimate_minutes([step], {question.id}) == 1
    pages = progress.list_pages(1)
    left = [progress.estimate_minutes(pages[n:]) for n in range(len(pages))]
    assert left == sorted(left, reverse=True)
