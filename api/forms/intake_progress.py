"""The course of one intake: what is asked next, what is kept of each step, when it can be sent."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.forms.answer_parser import Reading, in_words
from api.forms.form_model import Asked, Form, Step, Wish, form_of
from api.forms.red_flag_advice import alarm, unspoken
from schemas.links import Draft
from scoring.compiled_rulebook import LoadedRulebook


class Course(NamedTuple):
    """A draft beside the form that it answers."""

    rulebook: LoadedRulebook
    form: Form
    draft: Draft

    @property
    def flags(self) -> tuple[str, ...]:
        """The red flags in the answers that patients are told of."""
        return alarm(self.rulebook, self.draft.answers).flags

    @property
    def unread(self) -> tuple[str, ...]:
        """Those whose advice was not read yet."""
        return tuple(each for each in self.flags if each not in self.draft.seen)

    @property
    def told(self) -> tuple[str, ...]:
        """Those whose advice may be shown now: whoever opens the link later learns no more."""
        held = unspoken(self.rulebook, self.draft.answers)
        unread = self.unread
        return tuple(each for each in self.flags if each in unread or each not in held)

    @property
    def missing(self) -> list[int]:
        """The numbers of the steps that still need an answer."""
        return [
            number
            for number, step in enumerate(self.form.steps, 1)
            if any(self.lacks(each) for each in step.asked)
        ]

    @property
    def place(self) -> int:
        """Where the patient was going: a step, past the last one to look through; or the first."""
        return self.draft.place or 1

    def lacks(self, asked: Asked) -> bool:
        """Whether an answer that is needed is not there, nor that it is not known."""
        unsure = asked.unsure and asked.id in self.draft.left
        return asked.needed and asked.id not in self.draft.answers and not unsure


class Told(NamedTuple):
    """One question with its answer in words, None if open; `held` where it is not to be shown."""

    text: str
    words: list[str] | None
    held: bool


class Part(NamedTuple):
    """One step as it is looked through."""

    number: int
    heading: str
    answers: list[Told]


def course_of(rulebook: LoadedRulebook, draft: Draft, language: str, *, adversity: bool) -> Course:
    """The course of a patient's intake in this language."""
    wish = Wish("patient", language, adversity, draft.adversity)
    return Course(rulebook, form_of(rulebook, wish), draft)


def kept(course: Course, step: Step, reading: Reading) -> Draft:
    """The draft with this step's answers in the place of those before; faults change nothing."""
    draft = course.draft
    faulty = {each.id for each in step.asked if each.name in reading.faults}
    said = reading.answers.keys() | reading.left.keys()
    held = {each.id for each in step.asked if each.unspoken and each.id not in said}
    own = {each.id for each in step.asked} - faulty - held
    answers = _without(draft.answers, own) | reading.answers
    left = _without(draft.left, own) | reading.left
    changed = draft.model_copy(update={"answers": answers, "left": left})
    return _alarmed(course, changed)


def consented(course: Course, *, adversity: bool) -> Draft:
    """The draft with what was answered to the consent; refused, such answers go."""
    whole = form_of(course.rulebook, Wish("patient", "en", adversity=True)).asked
    plain = form_of(course.rulebook, Wish("patient", "en", adversity=False)).asked
    apart = {each.id for each in whole} - {each.id for each in plain}
    draft = course.draft.model_copy(update={"adversity": adversity})
    if adversity:
        return draft
    answers, left = _without(draft.answers, apart), _without(draft.left, apart)
    return _alarmed(course, draft.model_copy(update={"answers": answers, "left": left}))


def parts(course: Course) -> list[Part]:
    """Everything asked so far, to look through."""
    return [
        Part(number, step.heading, [_told(course, each) for each in step.asked])
        for number, step in enumerate(course.form.steps, 1)
        if step.asked
    ]


def _told(course: Course, asked: Asked) -> Told:
    answer = course.draft.answers.get(asked.id)
    return Told(
        asked.text,
        None if answer is None else in_words(asked, answer),
        held=asked.unspoken and answer is not None,
    )


def _alarmed(course: Course, draft: Draft) -> Draft:
    """The draft with its tier; advice of a flag that went and comes again is read again."""
    raised = alarm(course.rulebook, draft.answers)
    seen = tuple(each for each in draft.seen if each in raised.flags)
    return draft.model_copy(update={"tier": raised.tier, "seen": seen})


def _without(given: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}
