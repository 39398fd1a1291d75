"""Checks what both generations of rules check alike: open safety questions, and the scope."""

from typing import NamedTuple

from schemas.assessments.assessment import Safety, Scope, ScopeReason
from scoring.answers.intake_facts import IntakeFacts
from scoring.compiled_rulebook import LoadedRulebook

NO_TIER = "none"


class SafetyResult(NamedTuple):
    """The safety part of an assessment, and whether a red flag withholds the score."""

    safety: Safety
    withholds_score: bool


def list_open_safety_questions(loaded: LoadedRulebook, intake: IntakeFacts) -> tuple[str, ...]:
    """Return the unanswered safety questions."""
    return tuple(filter(intake.is_open, loaded.rulebook.rulebook.safety_questions))


def assess_scope(loaded: LoadedRulebook, intake: IntakeFacts) -> Scope:
    """Return the reasons that put the intake out of scope, and the unanswered scope questions."""
    return Scope(
        reasons=tuple(
            ScopeReason(id=rule.id, label=rule.label)
            for rule in loaded.rulebook.scope
            if loaded.evaluate(rule.when, intake.facts)
        ),
        unanswered=tuple(filter(intake.is_open, loaded.scope_questions)),
    )
