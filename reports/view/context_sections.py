"""Beside the score: gradings, counted values, patterns, imaging and options, in words."""

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
    """Each published grading with its lines."""
    given = assessment.gradings or {}
    return tuple(
        Graded(
            name=each.label,
            grade=given[each.id].label,
            note=each.note,
            lines=tuple(
                Row(name=f"{line.id} {line.label}", text=_met(line.met, wording))
                for line in given[each.id].criteria
            ),
            sources=sources.marks(given[each.id].citations),
        )
        for each in rulebook.grading
        if each.id in given
    )


def derived(
    rulebook: Rulebook, given: Mapping[str, bool | int | Decimal | None], wording: Wording
) -> tuple[Row, ...]:
    """The values counted from the answers."""
    return tuple(
        Row(name=each.label, text=_counted(given[each.id], each.unit, wording))
        for each in rulebook.derived
        if each.id in given
    )


def patterns(assessment: Assessment, wording: Wording) -> tuple[PatternLine, ...]:
    """The evidence sheet, in its own numbering."""
    return tuple(
        PatternLine(
            number=each.number,
            label=each.label,
            state=wording.say(f"state_{each.state}"),
            state_id=each.state,
            seen=each.state == "seen",
            criteria=wording.say("list_mark").join(each.criteria),
            evidence=each.evidence,
        )
        for each in (assessment.patterns.list if assessment.patterns else ())
    )


def patterns_seen(assessment: Assessment, wording: Wording) -> str | None:
    """How many of how many, where there are any."""
    given = assessment.patterns
    if given is None or not given.list:
        return None
    return wording.say("patterns_seen", seen=str(given.seen), all=str(len(given.list)))


def findings(assessment: Assessment, sources: Sources, wording: Wording) -> tuple[FindingLine, ...]:
    """Each reported finding with how common it is without pain."""
    lines = []
    for each in assessment.findings or ():
        share = (
            wording.say("no_single_figure")
            if each.prevalence is None
            else wording.share(each.prevalence)
        )
        at_age = "" if each.age is None else wording.say("at_age", age=str(each.age))
        lines.append(
            FindingLine(
                label=each.label,
                prevalence=f"{share} {at_age}".strip(),
                population=each.population,
                text=each.text,
                counter_evidence=each.counter_evidence,
                never_incidental=each.never_incidental,
                sources=sources.marks(each.citations),
            )
        )
    return tuple(lines)


def next_steps(assessment: Assessment, sources: Sources) -> tuple[Row, ...]:
    """The options, each with how certain it is."""
    return tuple(
        Row(name=each.label, text=each.certainty, sources=sources.marks(each.citations))
        for each in assessment.next_steps or ()
    )


def _met(met: bool | None, wording: Wording) -> str:  # noqa: FBT001 - true, false or not known
    return wording.say({True: "yes", False: "no", None: "not_known"}[met])


def _counted(value: int | Decimal | None, unit: str | None, wording: Wording) -> str:
    if value is None or isinstance(value, bool):
        return _met(value, wording)
    return f"{wording.number(Decimal(value))} {unit or ''}".strip()
