"""Put into words what stands beside the score: gradings, derived values, patterns, findings."""

from collections.abc import Mapping
from decimal import Decimal

from reports.phrases import Wording
from reports.view.model import FindingLine, Graded, PatternLine, Row
from reports.view.sources import Sources
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


def gradings(
    rulebook: Rulebook, assessment: Assessment, sources: Sources, wording: Wording
) -> tuple[Graded, ...]:
    """Return the published gradings with their lines."""
    results = assessment.gradings or {}
    return tuple(
        Graded(
            name=grading.label,
            grade=results[grading.id].label,
            note=grading.note,
            lines=tuple(
                Row(name=f"{line.id} {line.label}", text=_format_truth(line.met, wording))
                for line in results[grading.id].criteria
            ),
            sources=sources.marks(results[grading.id].citations),
        )
        for grading in rulebook.grading
        if grading.id in results
    )


def derived(
    rulebook: Rulebook, values: Mapping[str, bool | int | Decimal | None], wording: Wording
) -> tuple[Row, ...]:
    """Return the values computed from the answers."""
    return tuple(
        Row(name=value.label, text=_format_value(values[value.id], value.unit, wording))
        for value in rulebook.derived
        if value.id in values
    )


def patterns(assessment: Assessment, wording: Wording) -> tuple[PatternLine, ...]:
    """Return the patterns of the evidence sheet, in its own numbering."""
    return tuple(
        PatternLine(
            number=pattern.number,
            label=pattern.label,
            state=wording.say(f"state_{pattern.state}"),
            state_id=pattern.state,
            seen=pattern.state == "seen",
            criteria=wording.say("list_mark").join(pattern.criteria),
            evidence=pattern.evidence,
        )
        for pattern in (assessment.patterns.list if assessment.patterns else ())
    )


def patterns_seen(assessment: Assessment, wording: Wording) -> str | None:
    """Return how many of the patterns were seen; None if there are no patterns."""
    patterns = assessment.patterns
    if patterns is None or not patterns.list:
        return None
    return wording.say("patterns_seen", seen=str(patterns.seen), all=str(len(patterns.list)))


def findings(assessment: Assessment, sources: Sources, wording: Wording) -> tuple[FindingLine, ...]:
    """Return the imaging findings with their prevalence in people without pain."""
    lines = []
    for finding in assessment.findings or ():
        prevalence = (
            wording.say("no_single_figure")
            if finding.prevalence is None
            else wording.share(finding.prevalence)
        )
        at_age = "" if finding.age is None else wording.say("at_age", age=str(finding.age))
        lines.append(
            FindingLine(
                label=finding.label,
                prevalence=f"{prevalence} {at_age}".strip(),
                population=finding.population,
                text=finding.text,
                counter_evidence=finding.counter_evidence,
                never_incidental=finding.never_incidental,
                sources=sources.marks(finding.citations),
            )
        )
    return tuple(lines)


def next_steps(assessment: Assessment, sources: Sources) -> tuple[Row, ...]:
    """Return the options with their certainty."""
    return tuple(
        Row(name=step.label, text=step.certainty, sources=sources.marks(step.citations))
        for step in assessment.next_steps or ()
    )


def _format_truth(truth: bool | None, wording: Wording) -> str:  # noqa: FBT001 - true, false or not known
    return wording.say({True: "yes", False: "no", None: "not_known"}[truth])


def _format_value(value: int | Decimal | None, unit: str | None, wording: Wording) -> str:
    if value is None or isinstance(value, bool):
        return _format_truth(value, wording)
    return f"{wording.number(Decimal(value))} {unit or ''}".strip()
