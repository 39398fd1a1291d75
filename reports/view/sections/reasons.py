"""Put criteria, domains and the reasons for the band into words."""

import re
from collections.abc import Mapping
from decimal import Decimal

from reports.phrases import Phrases
from reports.view.model import DomainLine, LabelledText, Reason
from reports.view.sources import CitationIndex, is_settled
from reports.view.text_sanitiser import typeset_signs
from schemas.assessments.assessment import Assessment, WeighedCriterion
from schemas.rulebooks.rulebook import Rulebook, Wording


def build_reasons(
    rulebook: Rulebook, assessment: Assessment, sources: CitationIndex, phrases: Phrases
) -> tuple[Reason, ...]:
    """Return all criteria, in the order of the rulebook."""
    sentences = SentencePatterns(rulebook.wording)
    return tuple(
        _build_reason(criterion, sentences, sources, phrases)
        for criterion in assessment.criteria or ()
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


def _build_reason(
    criterion: WeighedCriterion,
    sentences: "SentencePatterns",
    sources: CitationIndex,
    phrases: Phrases,
) -> Reason:
    discounted = ""
    if criterion.discount is not None and criterion.full_points is not None:
        full, factor = phrases.format_signed(criterion.full_points), criterion.discount.factor
        discounted = phrases.say("discounted", full=full, factor=phrases.format_number(factor))
    is_full = criterion.level is not None
    finding = sentences.find_finding(criterion.because) if is_full else criterion.because
    finding = typeset_signs(finding)
    return Reason(
        id=criterion.id,
        domain=criterion.domain,
        label=criterion.label,
        points="" if criterion.points is None else phrases.format_signed(criterion.points),
        because=typeset_signs(criterion.because),
        finding=finding.rstrip("."),
        grade=criterion.grade,
        sources=sources.format_marks(criterion.citations),
        discount_note=discounted,
        discount_reason=criterion.discount.because if criterion.discount else "",
        is_answered=criterion.points is not None,
        open_text=""
        if is_settled(criterion)
        else sentences.describe_open(typeset_signs(criterion.because)),
    )


class SentencePatterns:
    """Finds what was found in the sentence of a criterion, which also says its points."""

    def __init__(self, wording: Wording) -> None:
        self._patterns = [_compile(wording.discounted), _compile(wording.answered)]
        self._unanswered = _compile(wording.unanswered)

    def find_finding(self, sentence: str) -> str:
        """Return the finding; the whole sentence if it is not settled."""
        matches = (pattern.fullmatch(sentence) for pattern in self._patterns)
        return next((match["finding"] for match in matches if match), sentence)

    def describe_open(self, sentence: str) -> str:
        """Return what is open and its least and most points; the whole sentence if unknown."""
        match = self._unanswered.fullmatch(sentence)
        if match is None:
            return sentence
        return f"{match['questions']} ({match['least']} \N{EN DASH} {match['most']})"


def _compile(template: str) -> re.Pattern[str]:
    """Return the pattern of a sentence made from the template."""
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(
            f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
    )
