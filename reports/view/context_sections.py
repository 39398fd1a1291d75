"""Put the clinical context of the score into words: gradings, derived values, findings."""

from collections.abc import Mapping
from decimal import Decimal

from reports.phrases import Phrases
from reports.view.model import FindingLine, GradingLine, LabelledText, PatternLine
from reports.view.sources import CitationIndex
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


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
            lines=tuple(
                LabelledText(name=f"{line.id} {line.label}", text=_format_truth(line.met, phrases))
                for line in results[grading.id].criteria
            ),
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


def build_patterns(assessment: Assessment, phrases: Phrases) -> tuple[PatternLine, ...]:
    """Return the patterns of the evidence sheet, in its own numbering."""
    return tuple(
        PatternLine(
            number=pattern.number,
            label=pattern.label,
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


def build_next_steps(assessment: Assessment, sources: CitationIndex) -> tuple[LabelledText, ...]:
    """Return the options with their certainty."""
    return tuple(
        LabelledText(
            name=step.label, text=step.certainty, sources=sources.format_marks(step.citations)
        )
        for step in assessment.next_steps or ()
    )


def _format_truth(truth: bool | None, phrases: Phrases) -> str:  # noqa: FBT001 - true, false or not known
    return phrases.say({True: "yes", False: "no", None: "not_known"}[truth])


def _format_value(value: int | Decimal | None, unit: str | None, phrases: Phrases) -> str:
    if value is None or isinstance(value, bool):
        return _format_truth(value, phrases)
    return f"{phrases.format_number(Decimal(value))} {unit or ''}".strip()
