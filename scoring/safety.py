"""Safety and scope: what must be acted on, and whom the instrument is not for."""

from typing import NamedTuple

from schemas.assessment import RaisedFlag, Safety, Scope, ScopeReason
from schemas.rulebook import Flag
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts

NO_TIER = "none"


class SafetyReading(NamedTuple):
    """Safety as it is shown, and whether a flag withholds the score."""

    safety: Safety
    withholds: bool


def safety(loaded: LoadedRulebook, facts: Facts) -> SafetyReading:
    """The flags known to be present. Concerns for the person come first, then the most urgent.

    A flag is raised only where its condition is known true; a question left open is named instead.
    """
    book = loaded.rulebook
    urgency = {tier.id: place for place, tier in enumerate(book.tier)}
    withholding = {tier.id for tier in book.tier if tier.withholds}
    raised = [flag for flag in book.flag if loaded.holds(flag.when, facts)]
    raised.sort(key=lambda flag: (not flag.about_person, urgency[flag.tier]))
    unanswered = tuple(name for name in book.rulebook.safety_questions if facts.get(name) is None)
    return SafetyReading(
        Safety(
            tier=min((flag.tier for flag in raised), key=urgency.__getitem__, default=NO_TIER),
            all_asked=not unanswered,
            unanswered=unanswered,
            flags=tuple(_shown(flag) for flag in raised),
        ),
        any(flag.tier in withholding and not flag.about_person for flag in raised),
    )


def scope(loaded: LoadedRulebook, facts: Facts) -> Scope:
    """Reasons known to put the intake out of scope, and optional scope questions left open."""
    return Scope(
        reasons=tuple(
            ScopeReason(id=rule.id, label=rule.label)
            for rule in loaded.rulebook.scope
            if loaded.holds(rule.when, facts)
        ),
        unanswered=tuple(name for name in loaded.asked_for_scope if facts.get(name) is None),
    )


def _shown(flag: Flag) -> RaisedFlag:
    return RaisedFlag(
        id=flag.id,
        tier=flag.tier,
        label=flag.label,
        suspect=flag.suspect,
        action=flag.action,
        citations=flag.citations,
    )
