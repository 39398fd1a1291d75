"""Define what a report shows: an assessment with the answers that it rests on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_context import Guidance

ChooseGuidance = Callable[[Mapping[str, Any], Assessment], Guidance | None]
"""Chooses next steps and sheet for answers and their assessment; None by the first rules."""


class AssessedIntake(NamedTuple):
    """An assessment in the language of the report, with its answers.

    `stored_assessment` is attached to the PDF instead of a translated assessment. An edition that
    leaves out answers needs `choose_guidance`, which can be in any language.
    """

    assessment: Assessment
    answers: Mapping[str, Any] = {}
    stored_assessment: Assessment | None = None
    choose_guidance: ChooseGuidance | None = None

    @property
    def attached_assessment(self) -> Assessment:
        """The assessment that is attached to the PDF."""
        return self.stored_assessment or self.assessment

    @property
    def known_answers(self) -> dict[str, Any]:
        """The answers as stored, else those that criteria name."""
        if self.answers:
            return {name: answer for name, answer in self.answers.items() if answer is not None}
        return {
            name: answer
            for criterion in self.assessment.criteria or ()
            for name, answer in criterion.answers.items()
            if answer is not None
        }
