"""Leave out of an assessment what others must not read, for the edition that is passed on.

The full edition holds everything. The shareable edition, which goes to portals, has no flags about
the person, no answers about adversity and trauma, and nothing that was concluded from them.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import MISSING

from reports.view.heading import ReportHeading
from reports.view.intake import AssessedIntake
from reports.view.paper_settings import load_paper_settings
from schemas.assessments.assessment import Assessment, Safety
from schemas.assessments.assessment_context import (
    AlternativeExplanation,
    Guidance,
    NextStepOption,
    PatientSheet,
    Patterns,
)
from schemas.rulebooks.conditions import Condition, iterate_statements
from schemas.rulebooks.rulebook import Alternative, NextStep, Rulebook

Edition = Literal["full", "shareable"]
_EVIDENCE_SHEET = "evidence"
_SHARED_EVIDENCE_SHEET = "plain"


def is_confidential(rulebook: Rulebook, assessment: Assessment) -> bool:
    """Return whether flags about the person, or confidential answers, are in the assessment."""
    if assessment.confidential is not MISSING:
        return assessment.confidential
    about_person = find_flags_about_person(rulebook)
    return any(flag.id in about_person for flag in assessment.safety.flags)


def find_flags_about_person(rulebook: Rulebook) -> set[str]:
    """Return the ids of the red flags that are about the person."""
    return {flag.id for flag in rulebook.flag if flag.about_person}


def find_private_questions(rulebook: Rulebook) -> set[str]:
    """Return the questions whose answers are only for the clinician and the person."""
    about_person = (flag.when for flag in rulebook.flag if flag.about_person)
    return {
        *load_paper_settings().private_questions,
        *rulebook.rulebook.confidential_questions,
        *(question for when in about_person for question in _find_questions(rulebook, when)),
    }


def leave_out_person(rulebook: Rulebook, intake: AssessedIntake) -> AssessedIntake:
    """Return the intake without flags about the person and what rests on private answers.

    Its assessment as shown is attached instead of the stored one. Raises ValueError if nothing
    chooses its guidance.
    """
    if intake.choose_guidance is None:
        raise ValueError("an edition that leaves out answers needs choose_guidance")
    private = find_private_questions(rulebook)
    answers = {name: answer for name, answer in intake.answers.items() if name not in private}
    redaction = _Redaction(rulebook, private)
    redacted = redaction.redact(intake.assessment)
    guidance = intake.choose_guidance(_unmark_options(intake.answers, private), redacted)
    return AssessedIntake(redaction.redact_guidance(redacted, guidance), answers)


def _unmark_options(answers: Mapping[str, Any], private: set[str]) -> dict[str, Any]:
    """Return the answers as if no private option was marked and nothing else private answered."""
    return {
        name: answer if name not in private else ()
        for name, answer in answers.items()
        if name not in private or isinstance(answer, list | tuple)
    }


def leave_out_events(rulebook: Rulebook, heading: ReportHeading) -> ReportHeading:
    """Return the heading without notes, acknowledgements and withdrawn flags about the person."""
    about_person = find_flags_about_person(rulebook)
    replaced = heading.replaces
    if replaced is not None:
        flags = tuple(flag for flag in replaced.flags if flag.id not in about_person)
        replaced = replaced.model_copy(update={"flags": flags})
    return heading.model_copy(update={"note": None, "acknowledgements": (), "replaces": replaced})


def share_sheet_kind(kind: str) -> str:
    """Return the kind of sheet in the shareable edition, for a kind without private answers.

    It has no evidence sheet, for its absence from one would tell of a crisis.
    """
    return _SHARED_EVIDENCE_SHEET if kind == _EVIDENCE_SHEET else kind


class _Redaction:
    """What to leave out of assessments by one rulebook; points stay as they were computed."""

    def __init__(self, rulebook: Rulebook, private: set[str]) -> None:
        self._rulebook, self._private = rulebook, private

    def redact(self, assessment: Assessment) -> Assessment:
        """Return the assessment without private parts."""
        private_criteria = {
            criterion.id
            for criterion in assessment.criteria or ()
            if self._private & criterion.answers.keys()
        }
        changes: dict[str, Any] = {
            "safety": self._redact_safety(assessment.safety),
            "criteria": assessment.criteria
            and tuple(row for row in assessment.criteria if row.id not in private_criteria),
            "what_if": assessment.what_if
            and tuple(row for row in assessment.what_if if row.criterion not in private_criteria),
            "patterns": assessment.patterns and self._redact_patterns(assessment.patterns),
        }
        if assessment.confidential is not MISSING:
            changes |= self._redact_second_rules(assessment)
        return assessment.model_copy(update=changes)

    def redact_guidance(self, assessment: Assessment, guidance: Guidance | None) -> Assessment:
        """Return a redacted assessment with the steps and the sheet that still hold.

        Without guidance the steps about the tier are left out, for it may be another.
        """
        steps = assessment.next_steps
        if guidance is None:
            about_tier = {step.id for step in self._rulebook.next_step if _is_about_tier(step)}
            other_steps = steps and tuple(step for step in steps if step.id not in about_tier)
            return assessment.model_copy(update={"next_steps": other_steps})
        sheet = PatientSheet(kind=share_sheet_kind(guidance.sheet.kind), crisis_lines=False)
        open_steps = steps and self._choose_steps(steps, guidance)
        return assessment.model_copy(update={"next_steps": open_steps, "sheet": sheet})

    def _choose_steps(
        self, steps: Iterable[NextStepOption], guidance: Guidance
    ) -> tuple[NextStepOption, ...]:
        """Return the steps that still hold, and those for the tier that is shown now.

        A step that a private answer can close is always left out: its absence would tell of one.
        """
        rules = {step.id: step for step in self._rulebook.next_step}
        full_steps = {step.id: self._redact_cautions(step) for step in steps}
        open_steps = (
            full_steps.get(step.id) or _translate_step(step, rules[step.id])
            for step in guidance.next_steps
            if step.id in full_steps or _is_about_tier(rules[step.id])
        )
        return tuple(step for step in open_steps if not self._is_private(rules[step.id].not_when))

    def _redact_cautions(self, step: NextStepOption) -> NextStepOption:
        private_texts = {
            caution.text for caution in self._rulebook.caution if self._is_private(caution.when)
        }
        cautions = () if step.cautions is MISSING else step.cautions
        return dataclasses.replace(
            step, cautions=tuple(text for text in cautions if text not in private_texts)
        )

    def _redact_safety(self, safety: Safety) -> Safety:
        about_person = find_flags_about_person(self._rulebook)
        flags = tuple(flag for flag in safety.flags if flag.id not in about_person)
        tiers = {flag.tier for flag in flags}
        tier = next((tier.id for tier in self._rulebook.tier if tier.id in tiers), "none")
        return Safety(
            tier=tier, all_asked=safety.all_asked, unanswered=safety.unanswered, flags=flags
        )

    def _redact_patterns(self, patterns: Patterns) -> Patterns:
        private_numbers = {
            pattern.number for pattern in self._rulebook.pattern if self._is_private(pattern.seen)
        }
        rows = tuple(row for row in patterns.list if row.number not in private_numbers)
        return Patterns(seen=sum(row.state == "seen" for row in rows), list=rows)

    def _redact_second_rules(self, assessment: Assessment) -> dict[str, Any]:
        """Return what only the second generation of rules gives, without private parts."""
        contradictions, alternatives = assessment.contradictions, assessment.alternatives
        private_contradictions = {
            rule.id for rule in self._rulebook.contradiction if self._is_private(rule.when)
        }
        return {
            "confidential": False,
            "contradictions": contradictions
            if contradictions is MISSING
            else tuple(row for row in contradictions if row.id not in private_contradictions),
            "alternatives": alternatives
            if alternatives is MISSING
            else self._redact_alternatives(alternatives),
        }

    def _redact_alternatives(
        self, alternatives: Iterable[AlternativeExplanation]
    ) -> tuple[AlternativeExplanation, ...]:
        """Return the alternatives that are listed without their private signs too, by strength."""
        rules = {rule.id: rule for rule in self._rulebook.alternative}
        places = {name: place for place, name in enumerate(rules)}
        rows = (self._redact_alternative(rules[row.id], row) for row in alternatives)
        least = self._rulebook.rulebook.alternatives_from
        listed_rows = (row for row in rows if row.strength >= least)
        return tuple(sorted(listed_rows, key=lambda row: (-row.strength, places[row.id])))

    def _redact_alternative(
        self, rule: Alternative, row: AlternativeExplanation
    ) -> AlternativeExplanation:
        private_signs = {
            sign.words: sign.strength
            for sign in rule.sign
            if sign.words in row.signs and self._is_private(sign.when)
        }
        return dataclasses.replace(
            row,
            strength=row.strength - sum(private_signs.values()),
            signs=tuple(words for words in row.signs if words not in private_signs),
        )

    def _is_private(self, condition: Condition | None) -> bool:
        return not self._private.isdisjoint(_find_questions(self._rulebook, condition))


def _is_about_tier(step: NextStep) -> bool:
    return any(statement.result == "tier" for statement in iterate_statements(step.when))


def _translate_step(step: NextStepOption, rule: NextStep) -> NextStepOption:
    return dataclasses.replace(step, label=rule.label, certainty=rule.certainty, cautions=())


def _find_questions(rulebook: Rulebook, condition: Condition | None) -> set[str]:
    """Return the questions that a condition reads, directly or through derived values."""
    sources = {derived.id: derived for derived in rulebook.derived}
    questions: set[str] = set()
    for statement in iterate_statements(condition):
        if statement.question is not None:
            questions.add(statement.question)
        elif statement.derived is not None:
            source = sources[statement.derived]
            questions |= {*source.sum_of, *source.mean_of} - sources.keys()
            questions |= _find_questions(rulebook, source.when)
    return questions
