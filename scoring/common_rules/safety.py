"""Checks what both generations of rules check alike: open safety questions, and the scope."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from schemas.assessments.assessment import Safety, Scope, ScopeReason
from schemas.rulebooks.conditions import list_subjects
from scoring.answers.intake_facts import IntakeFacts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import remember_part

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
    unanswered = tuple(filter(intake.is_open, loaded.scope_questions))
    return _compile_scope(loaded)(intake.facts, unanswered)


@cache
def _compile_scope(loaded: LoadedRulebook) -> Callable[[Facts, tuple[str, ...]], Scope]:
    rules = loaded.rulebook.scope

    def build_scope(facts: Facts, unanswered: tuple[str, ...]) -> Scope:
        return Scope(
            reasons=tuple(
                ScopeReason(id=rule.id, label=rule.label)
                for rule in rules
                if loaded.evaluate(rule.when, facts)
            ),
            unanswered=unanswered,
        )

    return remember_part(list_subjects(*(rule.when for rule in rules)), build_scope)
