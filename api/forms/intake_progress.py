"""Track the progress of one intake: its draft, the steps still incomplete and the visible flags."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.forms.answer_parser import ParsedStep, describe_answer
from api.forms.form_model import FormOptions, FormQuestion, FormStep, IntakeForm, build_form
from api.forms.red_flag_advice import find_confidential_flags, find_red_flags
from schemas.links import Draft
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
        return self.draft.place or 1

    def is_missing(self, question: FormQuestion) -> bool:
        """Return whether a required answer is missing; "not sure" counts where it is allowed."""
        unsure = question.may_be_unsure and question.id in self.draft.left
        return question.required and question.id not in self.draft.answers and not unsure


class ReviewAnswer(NamedTuple):
    """One question for review: its answer in words (None if open); `is_hidden` if confidential."""

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
    """Return all questions asked so far with their answers, step by step."""
    return [
        ReviewSection(
            number,
            step.heading,
            [_build_review_answer(progress, question) for question in step.questions],
        )
        for number, step in enumerate(progress.form.steps, 1)
        if step.questions
    ]


def _build_review_answer(progress: IntakeProgress, question: FormQuestion) -> ReviewAnswer:
    answer = progress.draft.answers.get(question.id)
    return ReviewAnswer(
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
