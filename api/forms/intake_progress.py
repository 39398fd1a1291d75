"""Track the progress of one intake: its draft, the steps still incomplete and the visible flags."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.forms.answer_parser import ParsedStep, describe_answer, find_faults
from api.forms.contradictions import find_contradictions
from api.forms.form_model import FormOptions, FormQuestion, FormStep, IntakeForm, build_form
from api.forms.layout import load_layout
from api.forms.reading_time import estimate_minutes
from api.forms.red_flag_advice import (
    find_confidential_flags,
    find_once_shown_flags,
    find_red_flags,
)
from schemas.patients.links import Draft
from scoring.answers.question_dependencies import find_condition_questions
from scoring.compiled_rulebook import LoadedRulebook


class IntakeProgress(NamedTuple):
    """A draft together with the form that it answers."""

    rulebook: LoadedRulebook
    form: IntakeForm
    draft: Draft

    @property
    def flags(self) -> tuple[str, ...]:
        """The ids of the red flags in the answers for which patients get advice."""
        return find_red_flags(self.rulebook, self.draft.answers).flags

    @property
    def unacknowledged_flags(self) -> tuple[str, ...]:
        """The flags whose advice the patient has not acknowledged yet."""
        return tuple(flag for flag in self.flags if flag not in self.draft.seen)

    @property
    def visible_flags(self) -> tuple[str, ...]:
        """The flags whose advice may be shown now; confidential ones only until acknowledged.

        A person who opens the link later must not learn of a confidential answer.
        """
        confidential = find_confidential_flags(self.rulebook, self.draft.answers)
        unread = self.unacknowledged_flags
        return tuple(flag for flag in self.flags if flag in unread or flag not in confidential)

    @property
    def once_shown_flags(self) -> tuple[str, ...]:
        """The flags whose advice is shown once, whether or not it is acknowledged."""
        return find_once_shown_flags(self.rulebook, self.flags)

    @property
    def not_asked(self) -> frozenset[str]:
        """The questions that do not apply by the answers so far, and are not shown.

        One that was answered all the same stays visible: no answer is dropped.
        """
        return frozenset(self.rulebook.read_answers(self.draft.answers).not_asked)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What does not fit together among the answers that a page may show."""
        return find_contradictions(self.rulebook, self.form, self.draft.answers)

    def is_empty(self, number: int) -> bool:
        """Return whether a step has questions, none of which applies."""
        questions = self.form.steps[number - 1].questions
        return bool(questions) and all(it.id in self.not_asked for it in questions)

    @property
    def is_out_of_scope(self) -> bool:
        """Whether the form stops: the questions are not made for this age or duration."""
        return bool(self._find_scope_questions(holding=True))

    def decides_scope(self, step: FormStep) -> bool:
        """Return whether a step asks what puts the patient out of scope, and can be changed."""
        decisive = self._find_scope_questions(holding=False)
        return any(question.id in decisive for question in step.questions)

    def _find_scope_questions(self, *, holding: bool) -> set[str]:
        """Return the questions that the rules which stop the form read; all, or if they hold."""
        names = load_layout(self.rulebook.name).out_of_scope
        rules = [rule for rule in self.rulebook.rulebook.scope if rule.id in names]
        if holding and rules:
            facts = self.rulebook.derive_facts(self.draft.answers)
            rules = [rule for rule in rules if self.rulebook.evaluate(rule.when, facts)]
        return set(
            find_condition_questions([rule.when for rule in rules], self.rulebook.derived_by_id)
        )

    def find_faults(self, step: FormStep) -> dict[str, str]:
        """Return the faults of a step: what was entered and is not valid."""
        return find_faults(step, self.draft.entered, self.draft.answers)

    @property
    def offer_step(self) -> int:
        """The number of the step that offers to end; that of the last step if none does."""
        steps = enumerate(self.form.steps, 1)
        return next((n for n, step in steps if step.offers_end), len(self.form.steps))

    def list_pages(self, number: int) -> list[int]:
        """Return the steps of the same part, before or after the offer, that apply."""
        return [
            n
            for n, step in enumerate(self.form.steps, 1)
            if (n > self.offer_step) == (number > self.offer_step)
            and not self.is_empty(n)
            and not step.offers_end
        ]

    def estimate_minutes(self, numbers: list[int]) -> int:
        """Return the minutes that the pages of these steps take."""
        return estimate_minutes([self.form.steps[n - 1] for n in numbers], self.not_asked)

    def is_untouched(self, number: int) -> bool:
        """Return whether no question of a step after the offer was answered or left open."""
        ids = {question.id for question in self.form.steps[number - 1].questions}
        settled = self.draft.answers.keys() | self.draft.left.keys()
        return number > self.offer_step and ids.isdisjoint(settled)

    @property
    def untouched_steps(self) -> list[int]:
        """The steps after the offer, if the patient has not answered any of them."""
        pages = [n for n in self.list_pages(len(self.form.steps)) if n > self.offer_step]
        return pages if all(map(self.is_untouched, pages)) else []

    def find_next(self, number: int, direction: int = 1) -> int:
        """Return the number of the first step from this one on that is not empty; 0 is the start.

        After the last step comes the review.
        """
        while 1 <= number <= len(self.form.steps) and self.is_empty(number):
            number += direction
        return number

    def find_last(self) -> int:
        """Return the number of the last step before the review: the offer if all ended there."""
        is_ended = bool(self.untouched_steps)
        return self.find_next(self.offer_step if is_ended else len(self.form.steps), -1)

    @property
    def incomplete_steps(self) -> list[int]:
        """The numbers of the steps that still need an answer."""
        return [
            number
            for number, step in enumerate(self.form.steps, 1)
            if any(self.is_missing(question) for question in step.questions)
        ]

    @property
    def next_step(self) -> int:
        """The number of the next step; after the last step comes the review."""
        return self.find_next(self.draft.place or 1)

    def is_missing(self, question: FormQuestion) -> bool:
        """Return whether an answer is needed: a required one, or one that was not valid.

        "Not sure" counts where it is allowed.
        """
        if any(self.draft.entered.get(name) for name in question.text_names):
            return True
        unsure = question.may_be_unsure and question.id in self.draft.left
        return question.required and question.id not in self.draft.answers and not unsure


class ReviewAnswer(NamedTuple):
    """One question for review: its control's name, its answer in words (None if open).

    `is_hidden` if confidential.
    """

    name: str
    text: str
    answer: list[str] | None
    is_hidden: bool


class ReviewSection(NamedTuple):
    """One step on the review page."""

    number: int
    heading: str
    answers: list[ReviewAnswer]


def build_progress(
    rulebook: LoadedRulebook, draft: Draft, language: str, *, adversity: bool
) -> IntakeProgress:
    """Return the progress of a patient's intake in a language."""
    options = FormOptions("patient", language, adversity, draft.adversity)
    return IntakeProgress(rulebook, build_form(rulebook, options), draft)


def apply_step(progress: IntakeProgress, step: FormStep, parsed_step: ParsedStep) -> Draft:
    """Return the draft with the answers of a step replaced; faulty fields keep their old answer."""
    draft = progress.draft
    settled = parsed_step.answers.keys() | parsed_step.open_questions.keys()
    replaced_ids = {
        question.id
        for question in step.questions
        if question.name not in parsed_step.faults
        and not (question.confidential and question.id not in settled)
    }
    answers = _drop_keys(draft.answers, replaced_ids) | parsed_step.answers
    open_questions = _drop_keys(draft.left, replaced_ids) | parsed_step.open_questions
    return _update_answers(progress, draft, answers, open_questions)


def apply_adversity_consent(progress: IntakeProgress, *, adversity: bool) -> Draft:
    """Return the draft with the reply to the adversity consent; a refusal drops those answers."""
    draft = progress.draft.model_copy(update={"adversity": adversity})
    if adversity:
        return draft
    all_ids, other_ids = (
        {
            question.id
            for question in build_form(
                progress.rulebook, FormOptions("patient", "en", adversity_consent=consent)
            ).questions
        }
        for consent in (True, False)
    )
    answers = _drop_keys(draft.answers, all_ids - other_ids)
    return _update_answers(progress, draft, answers, _drop_keys(draft.left, all_ids - other_ids))


def build_review(progress: IntakeProgress) -> list[ReviewSection]:
    """Return all questions that apply with their answers, step by step.

    Those after the offer are left out if the patient chose to end there.
    """
    not_asked, untouched_steps = progress.not_asked, progress.untouched_steps
    return [
        ReviewSection(
            number,
            step.heading,
            [
                _build_review_answer(progress, question)
                for question in step.questions
                if question.id not in not_asked
            ],
        )
        for number, step in enumerate(progress.form.steps, 1)
        if step.questions and not progress.is_empty(number)
        if number not in untouched_steps
    ]


def build_copy(progress: IntakeProgress) -> list[ReviewSection]:
    """Return the answers that were given, for the patient to keep."""
    sections = (
        section._replace(answers=[it for it in section.answers if it.answer is not None])
        for section in build_review(progress)
    )
    return [section for section in sections if section.answers]


def _build_review_answer(progress: IntakeProgress, question: FormQuestion) -> ReviewAnswer:
    answer = progress.draft.answers.get(question.id)
    return ReviewAnswer(
        question.name,
        question.text,
        None if answer is None else describe_answer(question, answer),
        is_hidden=question.confidential and answer is not None,
    )


def _update_answers(
    progress: IntakeProgress, draft: Draft, answers: dict[str, Any], left: dict[str, Any]
) -> Draft:
    """Update the tier as well; the advice of a flag that vanishes and returns is read again."""
    red_flags = find_red_flags(progress.rulebook, answers)
    seen_flags = tuple(flag for flag in draft.seen if flag in red_flags.flags)
    changes = {"answers": answers, "left": left, "tier": red_flags.tier, "seen": seen_flags}
    return draft.model_copy(update=changes)


def _drop_keys(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
