"""Scores answers again under another version of their rulebook."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.assessments.assessment import Assessment
from schemas.assessments.rescoring import AskedAgain, CarriedIntake, Change, Differences
from scoring.answer_model import find_answer_model, validate_answers
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.versions.carried_answers import CarriedAnswers
from scoring.versions.rescoring import AssessmentDifference, compare_assessments, rescore_intake


class Rescoring(NamedTuple):
    """Answers of one version, carried to another and assessed there."""

    assessment: Assessment
    carried_intake: CarriedIntake
    differences: Differences


def rescore_answers(
    old: LoadedRulebook,
    new: LoadedRulebook,
    answers: Mapping[str, Any],
    before: Assessment,
    *,
    attested: bool,
) -> Rescoring:
    """Score stored answers under another version, and compare with the assessment before.

    Raises UnknownChangesError if no file carries answers between the two versions.
    """
    rescored = rescore_intake(old, new, validate_answers(old, answers), attested=attested)
    new_answers = find_answer_model(new).model_validate(rescored.carried_answers.answers)
    as_stored = new_answers.model_dump(mode="json", exclude_unset=True)
    return Rescoring(
        rescored.assessment,
        _describe_carried(rescored.carried_answers, as_stored),
        _describe_differences(compare_assessments(before, rescored.assessment)),
    )


def replay_assessment(
    loaded: LoadedRulebook, answers: Mapping[str, Any], *, attested: bool
) -> Assessment:
    """Assess stored answers again under their own version."""
    return assess(loaded, validate_answers(loaded, answers), attested=attested)


def _describe_carried(carried_answers: CarriedAnswers, as_stored: dict[str, Any]) -> CarriedIntake:
    return CarriedIntake(
        answers=as_stored,
        ask_again=tuple(
            AskedAgain(question=it.question, because_of=it.because_of)
            for it in carried_answers.ask_again
        ),
        options_not_asked=carried_answers.options_not_asked,
    )


def _describe_differences(difference: AssessmentDifference) -> Differences:
    pairs = {
        name: Change(before=before, after=after)
        for name, (before, after) in (
            ("status", difference.status),
            ("tier", difference.tier),
            ("band", difference.band),
        )
    }
    return Differences(
        changes_result=difference.changes_result,
        lost_flags=difference.lost_flags,
        new_flags=difference.new_flags,
        criteria=difference.criteria,
        **pairs,
    )
