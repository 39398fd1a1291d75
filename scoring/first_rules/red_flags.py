"""Raises red flags: concerns for the person first, then by urgency."""

from schemas.assessments.assessment import RaisedFlag, Safety
from schemas.rulebooks.conditions import list_subjects
from scoring.answers.intake_facts import IntakeFacts
from scoring.common_rules.safety import NO_TIER, SafetyResult, list_open_safety_questions
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import remember_part


class FirstSafetyRules:
    """The red flags of one rulebook in the order of the first generation."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self._loaded = loaded
        tiers = loaded.rulebook.tier
        self._urgency = {tier.id: index for index, tier in enumerate(tiers)}
        self._withholding = {tier.id for tier in tiers if tier.withholds}
        self.sorted_flags = sorted(
            loaded.rulebook.flag,
            key=lambda flag: (not flag.about_person, self._urgency[flag.tier]),
        )
        conditions = [flag.when for flag in self.sorted_flags]
        self._raise_flags = remember_part(list_subjects(*conditions), self._build_safety)

    def assess_safety(self, intake: IntakeFacts) -> SafetyResult:
        """Return the red flags raised.

        A flag is raised only if its condition is known to be true; unanswered safety questions
        are listed.
        """
        unanswered = list_open_safety_questions(self._loaded, intake)
        return self._raise_flags(intake.facts, unanswered)

    def _build_safety(self, facts: Facts, unanswered: tuple[str, ...]) -> SafetyResult:
        raised_flags = [
            flag for flag in self.sorted_flags if self._loaded.evaluate(flag.when, facts)
        ]
        return SafetyResult(
            Safety(
                tier=min(
                    (flag.tier for flag in raised_flags),
                    key=self._urgency.__getitem__,
                    default=NO_TIER,
                ),
                all_asked=not unanswered,
                unanswered=unanswered,
                flags=tuple(
                    RaisedFlag(
                        id=flag.id,
                        tier=flag.tier,
                        label=flag.label,
                        suspect=flag.suspect,
                        action=flag.action,
                        citations=flag.citations,
                    )
                    for flag in raised_flags
                ),
            ),
            any(flag.tier in self._withholding and not flag.about_person for flag in raised_flags),
        )
