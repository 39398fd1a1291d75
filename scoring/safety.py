"""Raises red flags and checks whether an intake is within the scope of the instrument."""

from typing import NamedTuple

from schemas.assessment import RaisedFlag, Safety, Scope, ScopeReason
from schemas.rulebook import Flag
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts

NO_TIER = "none"


class SafetyResult(NamedTuple):
    """The safety part of an assessment, and whether a red flag withholds the score."""

    safety: Safety
    withholds_score: bool


def assess_safety(loaded: LoadedRulebook, facts: Facts) -> SafetyResult:
    """Return the red flags raised: concerns for the person first, then by urgency.

    A flag is raised only if its condition is known to be true; unanswered safety questions are
    listed.
    """
    book = loaded.rulebook
    urgency = {tier.id: index for index, tier in enumerate(book.tier)}
    withholding = {tier.id for tier in book.tier if tier.withholds}
    raised_flags = [flag for flag in loaded.sorted_flags if loaded.evaluate(flag.when, facts)]
    unanswered = tuple(name for name in book.rulebook.safety_questions if facts.get(name) is None)
    return SafetyResult(
        Safety(
            tier=min(
                (flag.tier for flag in raised_flags), key=urgency.__getitem__, default=NO_TIER
            ),
            all_asked=not unanswered,
            unanswered=unanswered,
            flags=tuple(_raise_flag(flag) for flag in raised_flags),
        ),
        any(flag.tier in withholding and not flag.about_person for flag in raised_flags),
    )


def assess_scope(loaded: LoadedRulebook, facts: Facts) -> Scope:
    """Return the reasons that put the intake out of scope, and the unanswered scope questions."""
    return Scope(
        reasons=tuple(
            ScopeReason(id=rule.id, label=rule.label)
            for rule in loaded.rulebook.scope
            if loaded.evaluate(rule.when, facts)
        ),
        unanswered=tuple(name for name in loaded.scope_questions if facts.get(name) is None),
    )


def _raise_flag(flag: Flag) -> RaisedFlag:
    return RaisedFlag(
        id=flag.id,
        tier=flag.tier,
        label=flag.label,
        suspect=flag.suspect,
        action=flag.action,
        citations=flag.citations,
    )
