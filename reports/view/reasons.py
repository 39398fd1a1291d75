"""Put criteria, domains, open questions and the reasons for the band into words."""

from collections.abc import Mapping
from decimal import Decimal

from reports.phrases import Phrases
from reports.view.model import DomainLine, LabelledText, OpenQuestion, Reason
from reports.view.sources import CitationIndex
from reports.view.text_sanitiser import typeset_signs
from schemas.assessment import Assessment, WeighedCriterion
from schemas.rulebook import Rulebook


def build_reasons(
    assessment: Assessment, sources: CitationIndex, phrases: Phrases
) -> tuple[Reason, ...]:
    """Return all criteria, in the order of the rulebook."""
    return tuple(
        _build_reason(criterion, sources, phrases) for criterion in assessment.criteria or ()
    )


def rank_criteria(
    assessment: Assessment, closed_domains: Mapping[str, str], verdict: str
) -> tuple[str, ...]:
    """Return the ids of the criteria with this verdict in open domains, strongest first."""
    candidates = [
        criterion
        for criterion in assessment.criteria or ()
        if criterion.points
        and criterion.verdict == verdict
        and criterion.domain not in closed_domains
    ]
    candidates.sort(key=lambda criterion: abs(criterion.points or Decimal(0)), reverse=True)
    return tuple(criterion.id for criterion in candidates)


def is_evidence_against_stronger(assessment: Assessment, closed_domains: Mapping[str, str]) -> bool:
    """Return whether the evidence against outweighs the evidence for; it then comes first."""
    points = (
        criterion.points or 0
        for criterion in assessment.criteria or ()
        if criterion.domain not in closed_domains
    )
    return sum(points) < 0


def find_closed_domains(rulebook: Rulebook, assessment: Assessment) -> dict[str, str]:
    """Return the domains with findings that a gate keeps from counting, each with its reason."""
    results = {domain.id: domain for domain in assessment.domains or ()}
    return {
        gate.domain: gate.because
        for gate in rulebook.gate
        if gate.domain in results and results[gate.domain].sum and not results[gate.domain].points
    }


def build_domain_lines(
    rulebook: Rulebook, assessment: Assessment, closed_domains: Mapping[str, str], phrases: Phrases
) -> tuple[DomainLine, ...]:
    """Return each domain with its sum, the points that count, and why they differ if they do."""
    notes = {domain.id: domain.note or "" for domain in rulebook.domain}
    lines = []
    for domain in assessment.domains or ():
        domain_sum, effective_points = (
            phrases.format_number(domain.sum),
            phrases.format_number(domain.points),
        )
        if domain.id in closed_domains:
            text = phrases.say("domain_closed", sum=domain_sum, because=closed_domains[domain.id])
        elif domain.sum != domain.points:
            text = phrases.say(
                "domain_clamped",
                sum=domain_sum,
                points=effective_points,
                floor=phrases.format_number(domain.floor),
                ceiling=phrases.format_number(domain.ceiling),
            )
        else:
            text = ""
        bounds_text = phrases.say(
            "ends",
            least=phrases.format_number(domain.floor),
            most=phrases.format_number(domain.ceiling),
        )
        lines.append(
            DomainLine(
                id=domain.id,
                label=domain.label,
                points=effective_points,
                bounds_text=bounds_text,
                text=text,
                note=notes[domain.id],
            )
        )
    return tuple(lines)


def build_open_questions(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> tuple[OpenQuestion, ...]:
    """Return the unanswered questions."""
    required = set(rulebook.rulebook.must_answer)
    labels = {question.id: question.label for question in rulebook.question}
    return tuple(
        OpenQuestion(
            label=labels[missing.question],
            swing=phrases.format_number(missing.swing),
            is_required=missing.question in required,
        )
        for missing in assessment.missing or ()
    )


def build_what_ifs(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> tuple[LabelledText, ...]:
    """Return the criteria without which the band would be different."""
    bands = {band.id: band.label for band in rulebook.band}
    criteria = {criterion.id: criterion.label for criterion in rulebook.criterion}
    return tuple(
        LabelledText(
            name=f"{change.criterion} {criteria[change.criterion]}",
            text=phrases.say(
                "without_it",
                band=bands[change.band or ""],
                points=phrases.format_number(change.points),
            ),
        )
        for change in assessment.what_if or ()
        if change.changes_band
    )


def _build_reason(criterion: WeighedCriterion, sources: CitationIndex, phrases: Phrases) -> Reason:
    discounted = ""
    if criterion.discount is not None and criterion.full_points is not None:
        full, factor = phrases.format_signed(criterion.full_points), criterion.discount.factor
        discounted = phrases.say("discounted", full=full, factor=phrases.format_number(factor))
    return Reason(
        id=criterion.id,
        domain=criterion.domain,
        label=criterion.label,
        points="" if criterion.points is None else phrases.format_signed(criterion.points),
        because=typeset_signs(criterion.because),
        grade=criterion.grade,
        sources=sources.format_marks(criterion.citations),
        discount_note=discounted,
        is_answered=criterion.points is not None,
    )
