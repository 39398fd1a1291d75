"""Assesses an intake by the first generation of rules."""

from typing import Any

from schemas.assessments.assessment import Assessment, Status
from scoring.answers.intake_facts import IntakeFacts
from scoring.common_rules import clinical_context, scale, score_parts
from scoring.common_rules.safety import SafetyResult, assess_scope
from scoring.common_rules.weighed_intake import WeighedIntake, weigh_facts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.first_rules.missing_answers import list_missing_answers
from scoring.first_rules.next_steps import select_next_steps
from scoring.first_rules.red_flags import FirstSafetyRules

_WITHHOLDABLE = (
    *("totals", "picture", "domains", "criteria", "missing", "what_if", "gradings", "derived"),
    *("patterns", "findings", "next_steps"),
)
"""The fields that are null where the score is withheld."""


class FirstRules:
    """The first generation of rules for one rulebook."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self._loaded = loaded
        self._safety_rules = FirstSafetyRules(loaded)

    def assess_safety(self, intake: IntakeFacts) -> SafetyResult:
        """Return the red flags raised, and whether they withhold the score."""
        return self._safety_rules.assess_safety(intake)

    def assess_intake(self, intake: IntakeFacts) -> Assessment:
        """Return the assessment of one intake."""
        loaded, facts = self._loaded, intake.facts
        safety, withholds_score = self.assess_safety(intake)
        scope = assess_scope(loaded, intake)
        parts: dict[str, Any] = dict.fromkeys(_WITHHOLDABLE)
        if withholds_score:
            parts["status"] = "withheld_red_flag"
        elif scope.reasons:
            parts.update(
                status="out_of_scope",
                gradings=clinical_context.apply_gradings(loaded, facts),
                derived=score_parts.list_shown_values(loaded, facts),
            )
        else:
            parts.update(self._score(intake))
        limitations = clinical_context.list_limitations(loaded, intake, facts)
        citing_parts = [
            *safety.flags,
            *(parts["criteria"] or ()),
            *(parts["gradings"] or {}).values(),
            *(parts["findings"] or ()),
            *(parts["next_steps"] or ()),
        ]
        return Assessment(
            rulebook=loaded.name,
            rulebook_sha256=loaded.sha256,
            safety=safety,
            scope=scope,
            limitations=(
                *limitations,
                *clinical_context.list_unverified_sources(loaded, citing_parts),
            ),
            **parts,
        )

    def _score(self, intake: IntakeFacts) -> dict[str, Any]:
        loaded, facts = self._loaded, intake.facts
        weighed_intake = weigh_facts(loaded, facts)
        status = determine_status(loaded, weighed_intake, facts)
        is_scored = status == "scored"
        band = scale.select_band(loaded, weighed_intake.current, facts) if is_scored else None
        picture = scale.build_picture(
            loaded, weighed_intake.current, facts, is_identified=is_scored
        )
        return {
            "status": status,
            "totals": score_parts.list_totals(loaded, weighed_intake, band),
            "picture": picture,
            "missing": list_missing_answers(loaded, weighed_intake.criteria, facts),
            "next_steps": select_next_steps(loaded, facts, status, picture.id if picture else None),
            **score_parts.build_score_parts(loaded, intake, weighed_intake, band),
        }


def determine_status(loaded: LoadedRulebook, weighed_intake: WeighedIntake, facts: Facts) -> Status:
    """Return the status of an intake that is in scope and not withheld."""
    header = loaded.rulebook.rulebook
    if any(facts.get(name) is None for name in header.must_answer):
        return "insufficient_information"
    index = loaded.banded_total_index
    if index is None:
        return "scored"
    apart = scale.count_bands_between(
        loaded, weighed_intake.least.totals[index], weighed_intake.most.totals[index]
    )
    return "insufficient_information" if apart > header.bands_apart else "scored"
