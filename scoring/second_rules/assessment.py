"""Assesses an intake by the second generation of rules."""

from collections.abc import Mapping
from typing import Any

from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_context import Guidance
from scoring.answers.intake_facts import IntakeFacts
from scoring.common_rules import clinical_context, scale, score_parts
from scoring.common_rules.safety import NO_TIER, assess_scope
from scoring.common_rules.weighed_intake import weigh_facts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.second_rules.band_range import BandRangeRules
from scoring.second_rules.explanations import list_alternatives, list_contradictions
from scoring.second_rules.guidance import GuidanceRules
from scoring.second_rules.missing_answers import MissingAnswerRules
from scoring.second_rules.red_flags import RaisedFlags, SecondSafetyRules
from scoring.second_rules.results import build_result_facts

_WITHHOLDABLE = (
    *("totals", "why_no_band", "picture", "domains", "criteria", "missing", "ask_first"),
    *("what_if", "gradings", "derived", "patterns", "findings", "next_steps"),
)
"""The fields that are null where the score is withheld."""


class SecondRules:
    """The second generation of rules for one rulebook."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self._loaded = loaded
        self._safety_rules = SecondSafetyRules(loaded)
        self._band_ranges = BandRangeRules(loaded)
        self._missing_answers = MissingAnswerRules(loaded)
        self._guidance = GuidanceRules(loaded)

    def assess_safety(self, intake: IntakeFacts) -> RaisedFlags:
        """Return the red flags raised, and whether they withhold the score."""
        return self._safety_rules.assess_safety(intake)

    def assess_intake(self, intake: IntakeFacts) -> Assessment:
        """Return the assessment of one intake."""
        loaded = self._loaded
        raised_flags = self.assess_safety(intake)
        parts: dict[str, Any] = dict.fromkeys(_WITHHOLDABLE) | {
            "rulebook": loaded.name,
            "rulebook_sha256": loaded.sha256,
            "safety": raised_flags.safety,
            "scope": assess_scope(loaded, intake),
            "alternatives": list_alternatives(loaded, intake.facts),
            "contradictions": list_contradictions(loaded, intake.facts),
            "not_asked": intake.not_asked,
            "confidential": self._safety_rules.is_confidential(intake, raised_flags),
        }
        parts |= self._weigh_by_status(intake, parts, withholds_score=raised_flags.withholds_score)
        results = build_result_facts(parts, raised_flags.body_tier)
        facts = loaded.reader.add_late_values(intake.facts, results)
        if not raised_flags.withholds_score:
            parts["next_steps"] = self._guidance.select_next_steps(facts)
        parts["sheet"] = self._guidance.choose_sheet(facts)
        parts["limitations"] = clinical_context.list_limitations(loaded, intake, facts)
        return Assessment(**parts)

    def choose_guidance(self, answers: Mapping[str, Any], assessment: Assessment) -> Guidance:
        """Return the guidance for these answers and the results of this assessment."""
        flags = assessment.safety.flags
        body_tier = next((flag.tier for flag in flags if flag.about_person is not True), NO_TIER)
        results = build_result_facts(dict(assessment), body_tier)
        intake = self._loaded.read_answers(answers)
        facts = self._loaded.reader.add_late_values(intake.facts, results)
        return Guidance(
            next_steps=self._guidance.select_next_steps(facts),
            sheet=self._guidance.choose_sheet(facts),
        )

    def _weigh_by_status(
        self, intake: IntakeFacts, parts: dict[str, Any], *, withholds_score: bool
    ) -> dict[str, Any]:
        """Return the status with what it allows to be given."""
        if withholds_score:
            return {"status": "withheld_red_flag"}
        if parts["scope"].reasons:
            return {
                "status": "out_of_scope",
                "gradings": clinical_context.apply_gradings(self._loaded, intake.facts),
                "derived": score_parts.list_shown_values(self._loaded, intake.facts),
            }
        return self._score(intake)

    def _score(self, intake: IntakeFacts) -> dict[str, Any]:
        loaded, facts = self._loaded, intake.facts
        weighed_intake = weigh_facts(loaded, facts)
        band_range = self._band_ranges.find_band_range(weighed_intake, facts)
        reasons = self._band_ranges.list_no_band_reasons(band_range, intake)
        is_scored = not reasons
        band = scale.select_band(loaded, weighed_intake.current, facts) if is_scored else None
        missing = self._missing_answers.list_missing_answers(intake, weighed_intake)
        return {
            "status": "scored" if is_scored else "insufficient_information",
            "why_no_band": reasons,
            "totals": score_parts.list_totals(loaded, weighed_intake, band, band_range),
            "picture": scale.build_picture(
                loaded, weighed_intake.current, facts, is_identified=is_scored
            ),
            "missing": missing,
            "ask_first": self._missing_answers.list_first_questions(
                missing, changes_band=self._band_ranges.count_bands_apart(band_range) > 0
            ),
            **score_parts.build_score_parts(loaded, intake, weighed_intake, band),
        }
