"""Estimate how long a person needs for the pages of a form: to read its words and to answer."""

from collections.abc import Collection, Iterable
from math import ceil

from api.forms.form_model import FormQuestion, FormStep

WORDS_PER_MINUTE = 180
SECONDS_PER_QUESTION = 4


def estimate_minutes(steps: Iterable[FormStep], not_asked: Collection[str] = ()) -> int:
    """Return the minutes for the questions of these steps that apply, at least one."""
    step_list = list(steps)
    questions = [it for step in step_list for it in step.questions if it.id not in not_asked]
    words = sum(_count_words(question) for question in questions) + sum(
        len(f"{step.heading} {step.intro or ''}".split())
        for step in step_list
        if any(question.id not in not_asked for question in step.questions)
    )
    return max(1, ceil(words / WORDS_PER_MINUTE + len(questions) * SECONDS_PER_QUESTION / 60))


def _count_words(question: FormQuestion) -> int:
    texts = [question.text, question.help or "", *(question.end_labels or ())]
    if question.control != "scale":
        texts += [choice.label for choice in question.choices]
    return sum(len(text.split()) for text in texts)
