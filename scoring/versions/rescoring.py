"""Scores answers again under another version, and tells what comes out differently.

The first assessment is never changed; the new one is stored in addition to it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.assessments.assessment import Assessment
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.versions.answer_changes import load_carrier
from scoring.versions.carried_answers import CarriedAnswers


class RescoredIntake(NamedTuple):
    """The answers as carried to the other version, and their assessment there."""

    carried_answers: CarriedAnswers
    assessment: Assessment


class AssessmentDifference(NamedTuple):
    """What differs between two assessments of one intake; pairs are before and after.

    `criteria` are those of both versions whose points differ.
    """

    status: tuple[str, str]
    tier: tuple[str, str]
    band: tuple[str | None, str | None]
    lost_flags: tuple[str, ...]
    new_flags: tuple[str, ...]
    criteria: tuple[str, ...]

    @property
    def changes_result(self) -> bool:
        """Whether the status, the tier, the band or a flag differs."""
        pairs = (self.status, self.tier, self.band)
        return any(before != after for before, after in pairs) or bool(
            self.lost_flags or self.new_flags
        )


def rescore_intake(
    old: LoadedRulebook,
    new: LoadedRulebook,
    answers: Mapping[str, Any],
    *,
    attested: bool = False,
) -> RescoredIntake:
    """Carry answers to another version of their rulebook and assess them there.

    Raises UnknownChangesError if no file carries answers between the two versions.
    """
    carried_answers = load_carrier(old, new).carry_answers(answers)
    return RescoredIntake(carried_answers, assess(new, carried_answers.answers, attested=attested))


def compare_assessments(before: Assessment, after: Assessment) -> AssessmentDifference:
    """Return the differences between two assessments of one intake."""
    flags_before, flags_after = (
        [flag.id for flag in assessment.safety.flags] for assessment in (before, after)
    )
    points_before, points_after = (
        {criterion.id: criterion.points or 0 for criterion in assessment.criteria or ()}
        for assessment in (before, after)
    )
    return AssessmentDifference(
        status=(before.status, after.status),
        tier=(before.safety.tier, after.safety.tier),
        band=(before.find_band(), after.find_band()),
        lost_flags=tuple(flag for flag in flags_before if flag not in flags_after),
        new_flags=tuple(flag for flag in flags_after if flag not in flags_before),
        criteria=tuple(
            name
            for name, points in points_before.items()
            if name in points_after and points_after[name] != points
        ),
    )
