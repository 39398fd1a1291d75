"""Put answers into words: those of the heading, and what the patient answered."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from reports.phrases import Phrases
from reports.view.editions import find_private_questions
from reports.view.model import LabelledText
from reports.view.paper_settings import load_paper_settings
from schemas.rulebooks.rulebook import Question, Rulebook


class AnswerSummary(NamedTuple):
    """What was answered with more than no, and to how many questions the answer was no or none."""

    lines: tuple[LabelledText, ...]
    denied_count: int


def build_answer_facts(
    rulebook: Rulebook, answers: Mapping[str, Any], phrases: Phrases
) -> tuple[LabelledText, ...]:
    """Return the answers of the heading, such as age and duration; unanswered ones say so."""
    questions = rulebook.questions_by_id
    return tuple(
        LabelledText(
            name=questions[fact.question].label,
            text=phrases.say(
                fact.unit, number=phrases.format_number(Decimal(str(answers[fact.question])))
            )
            if fact.question in answers
            else rulebook.wording.not_answered,
        )
        for fact in load_paper_settings().fact
        if fact.question in questions
    )


def summarise_answers(
    rulebook: Rulebook, answers: Mapping[str, Any], phrases: Phrases
) -> AnswerSummary:
    """Return what patients can answer, but for red flags, private answers and numbers.

    Numbers are in the heading or are scores.
    """
    lines, denied_count = [], 0
    for question in _list_summarised_questions(rulebook):
        answer = answers.get(question.id)
        if answer:
            words = _describe_answer(rulebook, question, answer, phrases)
            lines.append(LabelledText(name=words, text=question.text))
        elif answer is not None:
            denied_count += 1
    return AnswerSummary(tuple(lines), denied_count)


def list_open_questions(rulebook: Rulebook, open_questions: set[str]) -> tuple[str, ...]:
    """Return the texts of the open questions that a patient can answer."""
    return tuple(
        question.text
        for question in _list_summarised_questions(rulebook)
        if question.id in open_questions
    )


def list_option_flags(rulebook: Rulebook) -> set[str]:
    """Return the questions whose options are red flags."""
    flags = {flag.id for flag in rulebook.flag}
    return {
        question.id
        for question in rulebook.question
        if any(option.id in flags for option in question.options)
    }


def _list_summarised_questions(rulebook: Rulebook) -> Iterator[Question]:
    left_out = find_private_questions(rulebook) | list_option_flags(rulebook)
    for question in rulebook.question:
        if (
            question.who != "clinician"
            and question.kind in ("boolean", "choice", "multi")
            and question.id not in left_out
            and not question.optional
        ):
            yield question


def _describe_answer(rulebook: Rulebook, question: Question, answer: Any, phrases: Phrases) -> str:
    if answer is True:
        return rulebook.wording.truth_true
    marked_options = {answer} if isinstance(answer, str) else set(answer)
    return phrases.say("list_mark").join(
        option.label for option in question.options if option.id in marked_options
    )
