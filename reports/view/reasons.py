"""Put criteria, domains, open questions and the reasons for the band into words."""

from collections.abc import Mapping
from decimal import Decimal

from reports.phrases import Wording
from reports.view.model import DomainLine, Open, Reason, Row
from reports.view.sources import Sources
from reports.view.text_sanitiser import typeset
from schemas.assessment import Assessment, WeighedCriterion
from schemas.rulebook import Rulebook


def criteria(assessment: Assessment, sources: Sources, wording: Wording) -> tuple[Reason, ...]:
    """Return all criteria, in the order of the rulebook."""
    return tuple(
        _build_reason(criterion, sources, wording) for criterion in assessment.criteria or ()
    )


def strongest(assessment: Assessment, closed: Mapping[str, str], verdict: str) -> tuple[str, ...]:
    """Return the ids of the criteria with this verdict in open domains, strongest first."""
    candidates = [
        criterion
        for criterion in assessment.criteria or ()
        if criterion.points and criterion.verdict == verdict and criterion.domain not in closed
    ]
    candidates.sort(key=lambda criterion: abs(criterion.points or Decimal(0)), reverse=True)
    return tuple(criterion.id for criterion in candidates)


def against_first(assessment: Assessment, closed: Mapping[str, str]) -> bool:
    """Return whether the evidence against outweighs the evidence for; it then comes first."""
    points = (
        criterion.points or 0
        for criterion in assessment.criteria or ()
        if criterion.domain not in closed
    )
    return sum(points) < 0


def closed_domains(rulebook: Rulebook, assessment: Assessment) -> dict[str, str]:
    """Return the domains with findings that a gate keeps from counting, each with its reason."""
    results = {domain.id: domain for domain in assessment.domains or ()}
    return {
        gate.domain: gate.because
        for gate in rulebook.gate
        if gate.domain in results and results[gate.domain].sum and not results[gate.domain].points
    }


def domains(
    rulebook: Rulebook, assessment: Assessment, closed: Mapping[str, str], wording: Wording
) -> tuple[DomainLine, ...]:
    """Return domain domain with its sum, the points that count, and why they differ if they do."""
    notes = {domain.id: domain.note or "" for domain in rulebook.domain}
    lines = []
    for domain in assessment.domains or ():
        total, counted = wording.number(domain.sum), wording.number(domain.points)
        if domain.id in closed:
            text = wording.say("domain_closed", sum=total, because=closed[domain.id])
        elif domain.sum != domain.points:
            text = wording.say(
                "domain_clamped",
                sum=total,
                points=counted,
                floor=wording.number(domain.floor),
                ceiling=wording.number(domain.ceiling),
            )
        else:
            text = ""
        ends = wording.say(
            "ends", least=wording.number(domain.floor), most=wording.number(domain.ceiling)
        )
        lines.append(
            DomainLine(
                id=domain.id,
                label=domain.label,
                points=counted,
                ends=ends,
                text=text,
                note=notes[domain.id],
            )
        )
    return tuple(lines)


def unanswered(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> tuple[Open, ...]:
    """Return the unanswered questions."""
    required = set(rulebook.rulebook.must_answer)
    labels = {question.id: question.label for question in rulebook.question}
    return tuple(
        Open(
            label=labels[missing.question],
            swing=wording.number(missing.swing),
            required=missing.question in required,
        )
        for missing in assessment.missing or ()
    )


def what_if(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> tuple[Row, ...]:
    """Return the criteria without which the band would be different."""
    bands = {band.id: band.label for band in rulebook.band}
    criteria = {criterion.id: criterion.label for criterion in rulebook.criterion}
    return tuple(
        Row(
            name=f"{change.criterion} {criteria[change.criterion]}",
            text=wording.say(
                "without_it", band=bands[change.band or ""], points=wording.number(change.points)
            ),
        )
        for change in assessment.what_if or ()
        if change.changes_band
    )


def _build_reason(criterion: WeighedCriterion, sources: Sources, wording: Wording) -> Reason:
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
