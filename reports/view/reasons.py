"""Reasons: criteria, domains and what the band rests on, in words."""

from collections.abc import Mapping
from decimal import Decimal

from reports.phrases import Wording
from reports.view.model import DomainLine, Open, Reason, Row
from reports.view.sources import Sources
from reports.view.text_sanitiser import typeset
from schemas.assessment import Assessment, WeighedCriterion
from schemas.rulebook import Rulebook


def criteria(assessment: Assessment, sources: Sources, wording: Wording) -> tuple[Reason, ...]:
    """Every criterion, in the order of the rulebook."""
    return tuple(_reason(each, sources, wording) for each in assessment.criteria or ())


def strongest(assessment: Assessment, closed: Mapping[str, str], verdict: str) -> tuple[str, ...]:
    """The criteria that speak for or against, strongest first, without domains that don't count."""
    weighed = [
        each
        for each in assessment.criteria or ()
        if each.points and each.verdict == verdict and each.domain not in closed
    ]
    weighed.sort(key=lambda each: abs(each.points or Decimal(0)), reverse=True)
    return tuple(each.id for each in weighed)


def against_first(assessment: Assessment, closed: Mapping[str, str]) -> bool:
    """Whether what speaks against weighs more: it is told first then, and at as much length."""
    counted = [each.points or 0 for each in assessment.criteria or () if each.domain not in closed]
    return sum(counted) < 0


def closed_domains(rulebook: Rulebook, assessment: Assessment) -> dict[str, str]:
    """Domains that do not count here although something was found in them, and why."""
    given = {each.id: each for each in assessment.domains or ()}
    return {
        gate.domain: gate.because
        for gate in rulebook.gate
        if gate.domain in given and given[gate.domain].sum and not given[gate.domain].points
    }


def domains(
    rulebook: Rulebook, assessment: Assessment, closed: Mapping[str, str], wording: Wording
) -> tuple[DomainLine, ...]:
    """Each domain: its sum, what of it counts, and why where that differs."""
    notes = {each.id: each.note or "" for each in rulebook.domain}
    lines = []
    for each in assessment.domains or ():
        summed, counted = wording.number(each.sum), wording.number(each.points)
        if each.id in closed:
            text = wording.say("domain_closed", sum=summed, because=closed[each.id])
        elif each.sum != each.points:
            text = wording.say(
                "domain_clamped",
                sum=summed,
                points=counted,
                floor=wording.number(each.floor),
                ceiling=wording.number(each.ceiling),
            )
        else:
            text = ""
        ends = wording.say(
            "ends", least=wording.number(each.floor), most=wording.number(each.ceiling)
        )
        lines.append(
            DomainLine(
                id=each.id,
                label=each.label,
                points=counted,
                ends=ends,
                text=text,
                note=notes[each.id],
            )
        )
    return tuple(lines)


def unanswered(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> tuple[Open, ...]:
    """What is not answered, what is needed first."""
    required = set(rulebook.rulebook.must_answer)
    labels = {each.id: each.label for each in rulebook.question}
    return tuple(
        Open(
            label=labels[each.question],
            swing=wording.number(each.swing),
            required=each.question in required,
        )
        for each in assessment.missing or ()
    )


def what_if(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> tuple[Row, ...]:
    """Each criterion without which the band would be another."""
    labels = {each.id: each.label for each in rulebook.band}
    names = {each.id: each.label for each in rulebook.criterion}
    return tuple(
        Row(
            name=f"{each.criterion} {names[each.criterion]}",
            text=wording.say(
                "without_it", band=labels[each.band or ""], points=wording.number(each.points)
            ),
        )
        for each in assessment.what_if or ()
        if each.changes_band
    )


def _reason(criterion: WeighedCriterion, sources: Sources, wording: Wording) -> Reason:
    discounted = ""
    if criterion.discount is not None and criterion.full_points is not None:
        full, factor = wording.signed(criterion.full_points), criterion.discount.factor
        discounted = wording.say("discounted", full=full, factor=wording.number(factor))
    return Reason(
        id=criterion.id,
        domain=criterion.domain,
        label=criterion.label,
        points="" if criterion.points is None else wording.signed(criterion.points),
        because=typeset(criterion.because),
        grade=criterion.grade,
        sources=sources.marks(criterion.citations),
        discounted=discounted,
        answered=criterion.points is not None,
    )
