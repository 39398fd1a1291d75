"""Decides whether red flags are urgent: those whose tier withholds the score alert a person."""

from schemas.patients.screening import Screening
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook


def is_urgent_tier(rulebook: LoadedRulebook, tier: str) -> bool:
    """Return whether the rulebook withholds a score for red flags of this tier."""
    return any(entry.id == tier and entry.withholds for entry in rulebook.rulebook.tier)


def needs_alert(rulebooks: Catalogue, screening: Screening) -> bool:
    """Return whether practitioners must be alerted to a screening that is stored now.

    A clinician or a member of staff who enters the answers sees the red flags at once.
    """
    assessment = screening.assessment
    if screening.context.answered_by in ("clinician", "staff"):
        return False
    loaded = rulebooks.find_version(assessment.rulebook)
    return is_urgent_tier(loaded, assessment.safety.tier)
