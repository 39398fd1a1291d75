"""Compares scores that a client computed with those of this service."""

from decimal import Decimal

from api.fhir.parsing.items import ClientScore
from api.fhir.resources.operation_outcome import OutcomeIssue
from schemas.assessments.assessment import Assessment
from scoring.compiled_rulebook import LoadedRulebook


def compare_client_scores(
    claims: list[ClientScore], loaded: LoadedRulebook, assessment: Assessment
) -> list[OutcomeIssue]:
    """Return a warning for each total or weight that differs from the computed one."""
    return [
        OutcomeIssue("business-rule", _describe(claim), claim.path, severity="warning")
        for claim in claims
        if claim.value != _computed_value(claim, loaded, assessment)
    ]


def _computed_value(
    claim: ClientScore, loaded: LoadedRulebook, assessment: Assessment
) -> Decimal | None:
    """Return the total, or the points of all criteria that read the question; None if withheld."""
    if claim.total is not None:
        total = (assessment.totals or {}).get(claim.total)
        return total.points if total else None
    if assessment.criteria is None:
        return None
    points = [
        criterion.points
        for criterion, question_ids in zip(assessment.criteria, loaded.level_questions, strict=True)
        if claim.question in question_ids and criterion.points is not None
    ]
    return sum(points, Decimal(0)) if points else None


def _describe(claim: ClientScore) -> str:
    if claim.total is not None:
        return f"the total '{claim.total}' differs from the computed one and was ignored"
    return f"the weight of '{claim.question}' differs from the computed one and was ignored"
