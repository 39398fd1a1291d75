"""What a client computed itself, beside what was computed here: each difference, as a warning."""

from decimal import Decimal

from api.fhir.parsing.items import Claim
from api.fhir.resources.operation_outcome import Issue
from schemas.assessment import Assessment
from scoring.compiled_rulebook import LoadedRulebook


def differences(claims: list[Claim], loaded: LoadedRulebook, assessment: Assessment) -> list[Issue]:
    """A warning for each total or weight that is not ours. None of them was used."""
    return [
        Issue("business-rule", _said(claim), claim.path, severity="warning")
        for claim in claims
        if claim.value != _ours(claim, loaded, assessment)
    ]


def _ours(claim: Claim, loaded: LoadedRulebook, assessment: Assessment) -> Decimal | None:
    """The total, or the points of all criteria that read the question; None where withheld."""
    if claim.total is not None:
        total = (assessment.totals or {}).get(claim.total)
        return total.points if total else None
    if assessment.criteria is None:
        return None
    told = [
        criterion.points
        for criterion, reads in zip(assessment.criteria, loaded.read_by, strict=True)
        if claim.question in reads and criterion.points is not None
    ]
    return sum(told, Decimal(0)) if told else None


def _said(claim: Claim) -> str:
    if claim.total is not None:
        return f"the total '{claim.total}' that was sent is not the one computed here: ignored"
    return f"the weight sent with '{claim.question}' is not what the answer gave here: ignored"
