"""Track the progress of one intake: its draft, the steps still incomplete and the visible flags."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.forms.answer_parser import Reading, in_words
from api.forms.form_model import Asked, Form, Step, Wish, form_of
from api.forms.red_flag_advice import alarm, unspoken
from schemas.links import Draft
from scoring.compiled_rulebook import LoadedRulebook


class Course(NamedTuple):
    """A draft together with the form that it answers."""

    rulebook: LoadedRulebook
    form: Form
    draft: Draft

    @property
    def flags(self) -> tuple[str, ...]:
        """The ids of the red flags in the answers for which patients get advice."""
        return alarm(self.rulebook, self.draft.answers).flags

    @property
    def unread(self) -> tuple[str, ...]:
        """The flags whose advice the patient has not acknowledged yet."""
        return tuple(flag for flag in self.flags if flag not in self.draft.seen)

    @property
    def told(self) -> tuple[str, ...]:
        """The flags whose advice may be shown now; confidential ones only until acknowledged.

        A person who opens the link later must not learn of a confidential answer.
        """
        confidential = unspoken(self.rulebook, self.draft.answers)
        unread = self.unread
        return tuple(flag for flag in self.flags if flag in unread or flag not in confidential)

    @property
    def missing(self) -> list[int]:
        """The numbers of the steps that still need an answer."""
        return [
            number
            for number, step in enumerate(self.form.steps, 1)
            if any(self.lacks(question) for question in step.asked)
        ]

    @property
    def place(self) -> int:
        """The number of the step to go on with; after the last step comes the review."""
        return self.draft.place or 1

    def lacks(self, asked: Asked) -> bool:
        """Return whether a required answer is missing; "not sure" counts where it is allowed."""
        unsure = asked.unsure and asked.id in self.draft.left
        return asked.needed and asked.id not in self.draft.answers and not unsure


class Told(NamedTuple):
    """One question for review: its answer in words (None if open), `held` if not to be shown."""

    text: str
    words: list[str] | None
    held: bool


class Part(NamedTuple):
    """One step on the review page."""

    number: int
    heading: str
    answers: list[Told]


def course_of(rulebook: LoadedRulebook, draft: Draft, language: str, *, adversity: bool) -> Course:
    """Return the progress of a patient's intake in a language."""
    options = Wish("patient", language, adversity, draft.adversity)
    return Course(rulebook, form_of(rulebook, options), draft)


def kept(course: Course, step: Step, reading: Reading) -> Draft:
    """Return the draft with the answers of a step replaced; faulty fields keep the old answer."""
    draft = course.draft
    answered = reading.answers.keys() | reading.left.keys()
    replaced = {
        question.id
        for question in step.asked
        if question.name not in reading.faults
        and not (question.unspoken and question.id not in answered)
    }
    answers = _without(draft.answers, replaced) | reading.answers
    left = _without(draft.left, replaced) | reading.left
    return _with_flags(course, draft.model_copy(update={"answers": answers, "left": left}))


def consented(course: Course, *, adversity: bool) -> Draft:
    """Return the draft with the reply to the adversity consent; a refusal drops those answers."""
    draft = course.draft.model_copy(update={"adversity": adversity})
    if adversity:
        return draft
    all_questions = form_of(course.rulebook, Wish("patient", "en", adversity=True)).asked
    other_questions = form_of(course.rulebook, Wish("patient", "en", adversity=False)).asked
    dropped = {q.id for q in all_questions} - {q.id for q in other_questions}
    answers, left = _without(draft.answers, dropped), _without(draft.left, dropped)
    return _with_flags(course, draft.model_copy(update={"answers": answers, "left": left}))


def parts(course: Course) -> list[Part]:
    """Return all questions asked so far with their answers, step by step."""
    return [
        Part(number, step.heading, [_review_answer(course, question) for question in step.asked])
        for number, step in enumerate(course.form.steps, 1)
        if step.asked
    ]


def _review_answer(course: Course, question: Asked) -> Told:
    answer = course.draft.answers.get(question.id)
    return Told(
        question.text,
        None if answer is None else in_words(question, answer),
        held=question.unspoken and answer is not None,
    )


def _with_flags(course: Course, draft: Draft) -> Draft:
    """Update the tier; the advice of a flag that vanishes and returns must be read again."""
    raised = alarm(course.rulebook, draft.answers)
    seen = tuple(flag for flag in draft.seen if flag in raised.flags)
    return draft.model_copy(update={"tier": raised.tier, "seen": seen})


def _without(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
