"""Turns the results of an assessment into facts that later conditions of the same one read."""

from collections.abc import Mapping
from typing import Any

from schemas.rulebooks.conditions import result_fact_name
from scoring.conditions import Facts

RESULT_NAMES = (
    *("status", "band", "tier", "body_tier", "picture", "all_asked"),
    *("alternatives", "contradictions"),
)
"""The results a condition can read, besides the grade of each grading and the points of a total."""


def build_result_facts(parts: Mapping[str, Any], body_tier: str) -> Facts:
    """Return the results by the names of their facts; a result that is not given is unknown."""
    totals, picture, safety = parts["totals"] or {}, parts["picture"], parts["safety"]
    results = {
        "status": parts["status"],
        "band": next((total.band for total in totals.values() if total.band), None),
        "tier": safety.tier,
        "body_tier": body_tier,
        "picture": picture and picture.id,
        "all_asked": safety.all_asked,
        "alternatives": len(parts["alternatives"]),
        "contradictions": len(parts["contradictions"]),
        **{name: total.points for name, total in totals.items()},
        **{name: grading.grade for name, grading in (parts["gradings"] or {}).items()},
    }
    return {result_fact_name(name): result for name, result in results.items()}
