"""Put open questions into words: which to ask first, which safety needs, and the others."""

from decimal import Decimal
from typing import NamedTuple

from pydantic import MISSING

from reports.phrases import Phrases
from reports.view.model import LabelledText, OpenQuestion
from schemas.assessments.assessment import Assessment, MissingAnswer
from schemas.rulebooks.rulebook import Rulebook

FIRST_QUESTIONS = 3


class OpenQuestions(NamedTuple):
    """The open questions; each is in one of the three parts."""

    ask_first: tuple[LabelledText, ...]
    needed_for_safety: tuple[str, ...]
    other_groups: tuple[LabelledText, ...]
    other_count: int


def group_open_questions(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> OpenQuestions:
    """Return the open questions in three parts; the others by how much they can move."""
    labels = {question.id: question.label for question in rulebook.question}
    required = set(rulebook.rulebook.must_answer)
    missing = assessment.missing or ()
    first = _choose_first_questions(assessment, required)
    remaining = [
        answer
        for answer in missing
        if answer.question not in first and answer.question not in required
    ]
    return OpenQuestions(
        tuple(
            LabelledText(
                name=labels[answer.question],
                text=_describe_swing(rulebook, answer, phrases),
            )
            for name in first
            for answer in missing
            if answer.question == name
        ),
        tuple(
            labels[answer.question]
            for answer in missing
            if answer.question in required and answer.question not in first
        ),
        _group_by_swing(rulebook, remaining, phrases),
        len(remaining),
    )


def build_open_questions(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> tuple[OpenQuestion, ...]:
    """Return the unanswered questions; those that safety needs have no number."""
    required = set(rulebook.rulebook.must_answer)
    labels = {question.id: question.label for question in rulebook.question}
    return tuple(
        OpenQuestion(
            label=labels[missing.question],
            swing=rulebook.wording.needed_for_safety or ""
            if missing.swing is None
            else phrases.format_number(missing.swing),
            is_required=missing.question in required,
        )
        for missing in assessment.missing or ()
    )


def _choose_first_questions(assessment: Assessment, required: set[str]) -> tuple[str, ...]:
    """Return the questions to ask first; for the first rules, the three that could move most."""
    if assessment.ask_first is not MISSING:
        return assessment.ask_first or ()
    free = (item.question for item in assessment.missing or () if item.question not in required)
    return tuple(free)[:FIRST_QUESTIONS]


def _describe_swing(rulebook: Rulebook, missing: MissingAnswer, phrases: Phrases) -> str:
    if missing.swing is None or missing.question in rulebook.rulebook.must_answer:
        return phrases.say("needed_for_safety")
    return _describe_points(rulebook, missing.swing, phrases)


def _describe_points(rulebook: Rulebook, swing: Decimal, phrases: Phrases) -> str:
    wording = rulebook.wording
    text = wording.point if swing == 1 else wording.points
    return phrases.say("can_move", points=text.format(number=phrases.format_number(swing)))


def _group_by_swing(
    rulebook: Rulebook, missing: list[MissingAnswer], phrases: Phrases
) -> tuple[LabelledText, ...]:
    questions = rulebook.questions_by_id
    groups: dict[Decimal, list[str]] = {}
    for answer in missing:
        groups.setdefault(answer.swing or Decimal(0), []).append(questions[answer.question].label)
    return tuple(
        LabelledText(
            name=_describe_points(rulebook, swing, phrases),
            text="; ".join(names),
        )
        for swing, names in groups.items()
    )
