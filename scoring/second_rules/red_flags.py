"""Raises red flags by urgency, and marks those that a named clinician has assessed."""

from typing import NamedTuple

from schemas.assessments.assessment import RaisedFlag, Safety
from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.rulebook import Flag
from scoring.answers.intake_facts import IntakeFacts
from scoring.common_rules.safety import NO_TIER, list_open_safety_questions
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import remember_part


class RaisedFlags(NamedTuple):
    """The safety part of an assessment; `body_tier` leaves out the flags about the person."""

    safety: Safety
    withholds_score: bool
    body_tier: str


class SecondSafetyRules:
    """The red flags of one rulebook in the order of the second generation."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self._loaded = loaded
        self._header = loaded.rulebook.rulebook
        tiers = loaded.rulebook.tier
        self._urgency = {tier.id: index for index, tier in enumerate(tiers)}
        self._withholding = {tier.id for tier in tiers if tier.withholds}
        self._assessed_tier = tiers[-1].id if tiers else NO_TIER
        conditions = [it for flag in loaded.rulebook.flag for it in (flag.when, flag.unless)]
        self._raise_flags = remember_part(list_subjects(*conditions), self._build_safety)

    def assess_safety(self, intake: IntakeFacts) -> RaisedFlags:
        """Return the red flags raised: by the tier shown, then about the person first.

        A flag is raised if its condition is known to be true and its `unless` is not.
        """
        unanswered = list_open_safety_questions(self._loaded, intake)
        attested_options = (
            intake.answers.get(self._header.assessed_question or "", ()) if intake.attested else ()
        )
        return self._raise_flags(intake.facts, unanswered, attested_options)

    def _build_safety(
        self, facts: Facts, unanswered: tuple[str, ...], attested_options: tuple[str, ...]
    ) -> RaisedFlags:
        flags = sorted(
            (
                self._show(flag, attested_options)
                for flag in self._loaded.rulebook.flag
                if self._is_raised(flag, facts)
            ),
            key=lambda flag: (self._urgency[flag.tier], not flag.about_person),
        )
        body_tiers = [flag.tier for flag in flags if not flag.about_person]
        safety = Safety(
            tier=flags[0].tier if flags else NO_TIER,
            all_asked=not unanswered,
            unanswered=unanswered,
            flags=tuple(flags),
        )
        return RaisedFlags(
            safety,
            not self._withholding.isdisjoint(body_tiers),
            body_tiers[0] if body_tiers else NO_TIER,
        )

    def is_confidential(self, intake: IntakeFacts, raised_flags: RaisedFlags) -> bool:
        """Return whether a flag about the person or an answered question asks for it."""
        return any(flag.about_person is True for flag in raised_flags.safety.flags) or any(
            name in intake.answers for name in self._header.confidential_questions
        )

    def _is_raised(self, flag: Flag, facts: Facts) -> bool:
        evaluate = self._loaded.evaluate
        return evaluate(flag.when, facts) is True and not (
            flag.unless and evaluate(flag.unless, facts)
        )

    def _show(self, flag: Flag, attested_options: tuple[str, ...]) -> RaisedFlag:
        assessed = not set(flag.assessed_by).isdisjoint(attested_options)
        return RaisedFlag(
            id=flag.id,
            tier=self._assessed_tier if assessed else flag.tier,
            label=flag.label,
            suspect=flag.suspect,
            action=flag.action,
            citations=flag.citations,
            about_person=flag.about_person,
            assessed=assessed,
        )
