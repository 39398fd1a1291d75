"""Put the clinical context of the score into words: gradings, derived values, findings."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import MISSING

from reports.phrases import Phrases
from reports.view.model import (
    AlternativeLine,
    FindingLine,
    GradedLine,
    GradingLine,
    LabelledText,
    NextStepLine,
    PatternLine,
)
from reports.view.paper_settings import load_paper_settings
from reports.view.sources import CitationIndex
from reports.view.text_sanitiser import typeset_signs
from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_context import GradedCriterion
from schemas.rulebooks.rulebook import Rulebook


def build_gradings(
    rulebook: Rulebook, assessment: Assessment, sources: CitationIndex, phrases: Phrases
) -> tuple[GradingLine, ...]:
    """Return the published gradings with their lines."""
    results = assessment.gradings or {}
    return tuple(
        GradingLine(
            name=grading.label,
            grade=results[grading.id].label,
            note=grading.note,
            lines=tuple(_build_grading_row(line, phrases) for line in results[grading.id].criteria),
            sources=sources.format_marks(results[grading.id].citations),
        )
        for grading in rulebook.grading
        if grading.id in results
    )


def build_derived_values(
    rulebook: Rulebook, values: Mapping[str, bool | int | Decimal | None], phrases: Phrases
) -> tuple[LabelledText, ...]:
    """Return the values computed from the answers."""
    return tuple(
        LabelledText(name=value.label, text=_format_value(values[value.id], value.unit, phrases))
        for value in rulebook.derived
        if value.id in values
    )


def build_patterns(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> tuple[PatternLine, ...]:
    """Return the patterns of the evidence sheet, in its own numbering.

    A pattern that no sheet shows has no words for patients.
    """
    never_shown = {pattern.number for pattern in rulebook.pattern if pattern.never_on_sheet}
    prefix = f"pattern_{rulebook.rulebook.instrument}"
    return tuple(
        PatternLine(
            number=pattern.number,
            label=pattern.label,
            patient_label=None
            if pattern.number in never_shown
            else phrases.words.get(f"{prefix}_{pattern.number}"),
            state=phrases.say(f"state_{pattern.state}"),
            state_id=pattern.state,
            is_seen=pattern.state == "seen",
            criteria=phrases.say("list_mark").join(pattern.criteria),
            evidence=pattern.evidence,
        )
        for pattern in (assessment.patterns.list if assessment.patterns else ())
    )


def describe_seen_patterns(assessment: Assessment, phrases: Phrases) -> str | None:
    """Return how many of the patterns were seen; None if there are no patterns."""
    patterns = assessment.patterns
    if patterns is None or not patterns.list:
        return None
    return phrases.say("patterns_seen", seen=str(patterns.seen), all=str(len(patterns.list)))


def build_findings(
    assessment: Assessment, sources: CitationIndex, phrases: Phrases
) -> tuple[FindingLine, ...]:
    """Return the imaging findings with their prevalence in people without pain."""
    lines = []
    for finding in assessment.findings or ():
        prevalence = (
            phrases.say("no_single_figure")
            if finding.prevalence is None
            else phrases.format_percent(finding.prevalence)
        )
        at_age = "" if finding.age is None else phrases.say("at_age", age=str(finding.age))
        lines.append(
            FindingLine(
                label=finding.label,
                prevalence=f"{prevalence} {at_age}".strip(),
                population=finding.population,
                text=finding.text,
                counter_evidence=finding.counter_evidence,
                never_incidental=finding.never_incidental,
                sources=sources.format_marks(finding.citations),
            )
        )
    return tuple(lines)


def build_next_steps(
    rulebook: Rulebook, assessment: Assessment, sources: CitationIndex, phrases: Phrases
) -> tuple[NextStepLine, ...]:
    """Return the options with their certainty and cautions, in the order of their rungs."""
    instrument = rulebook.rulebook.instrument
    return tuple(
        NextStepLine(
            name=step.label,
            text=typeset_signs(step.certainty),
            sources=sources.format_marks(step.citations),
            rung=""
            if step.rung is MISSING
            else phrases.words.get(f"rung_{instrument}_{step.rung}", ""),
            cautions=() if step.cautions is MISSING else step.cautions,
        )
        for step in assessment.next_steps or ()
    )


def build_alternatives(
    assessment: Assessment, sources: CitationIndex
) -> tuple[AlternativeLine, ...]:
    """Return the other explanations to consider, strongest first."""
    if assessment.alternatives is MISSING:
        return ()
    return tuple(
        AlternativeLine(
            label=alternative.label,
            signs="; ".join(alternative.signs),
            settle=alternative.settle,
            sources=sources.format_marks(alternative.citations),
        )
        for alternative in assessment.alternatives
    )


def describe_no_alternatives(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """Return the text for no other explanations; None if there are some or none were sought."""
    if assessment.alternatives is MISSING or assessment.alternatives:
        return None
    return rulebook.wording.no_alternatives


def list_contradictions(assessment: Assessment) -> tuple[str, ...]:
    """Return the sentences on answers that contradict each other."""
    if assessment.contradictions is MISSING:
        return ()
    return tuple(contradiction.text for contradiction in assessment.contradictions)


def list_limitations(rulebook: Rulebook, assessment: Assessment) -> tuple[str, ...]:
    """Return the limitations to print; a withheld report keeps two, and what is not attested.

    Ids of unverified sources are left out: the list of sources marks these.
    """
    before_ids = rulebook.wording.unverified_sources.partition("{sources}")[0]
    texts = [text for text in assessment.limitations if not text.startswith(before_ids)]
    if assessment.status != "withheld_red_flag":
        return tuple(texts)
    kept_texts = {
        limitation.text
        for place, limitation in enumerate(rulebook.limitation)
        if place in load_paper_settings().withheld_limitations or limitation.where_not_attested
    }
    return tuple(text for text in texts if text in kept_texts)


def _build_grading_row(criterion: GradedCriterion, phrases: Phrases) -> GradedLine:
    """Return a criterion with the number it was published under; other ids are not printed."""
    number = f"{criterion.id} " if criterion.id[:1].isdigit() else ""
    return GradedLine(
        name=f"{number}{criterion.label}",
        text=_format_truth(criterion.met, phrases),
        is_met=criterion.met is True,
    )


def _format_truth(truth: bool | None, phrases: Phrases) -> str:  # noqa: FBT001 - true, false or not known
    return phrases.say({True: "yes", False: "no", None: "not_known"}[truth])


def _format_value(value: int | Decimal | None, unit: str | None, phrases: Phrases) -> str:
    if value is None or isinstance(value, bool):
        return _format_truth(value, phrases)
    return f"{phrases.format_number(Decimal(value))} {unit or ''}".strip()
