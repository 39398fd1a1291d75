"""Group the reasons of an assessment for its page, with rationale, sources and drawings."""

from decimal import Decimal
from typing import NamedTuple

from markupsafe import Markup

from reports.phrases import load_phrases
from reports.svg import draw_chart
from reports.view.model import Reason, ReportView
from reports.view.sources import CitedSource
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


class CriterionDetail(NamedTuple):
    """One criterion with its rationale and sources."""

    reason: Reason
    rationale: str
    sources: tuple[CitedSource, ...]


class CriterionGroup(NamedTuple):
    """The criteria with the same verdict; `heading` is a phrase."""

    heading: str
    criteria: tuple[CriterionDetail, ...]


_HEADINGS = {
    "for": "desk_for",
    "against": "desk_against",
    "neutral": "desk_neutral",
    "unanswered": "desk_unanswered",
}


def group_criteria(
    view: ReportView, assessment: Assessment, book: Rulebook
) -> list[CriterionGroup]:
    """Return all criteria by verdict, the strongest first: for, against, neutral, unanswered."""
    verdicts = {result.id: result.verdict for result in assessment.criteria or ()}
    weights = {result.id: abs(result.points or Decimal(0)) for result in assessment.criteria or ()}
    rationales = {criterion.id: criterion.rationale for criterion in book.criterion}
    by_weight = sorted(view.criteria, key=lambda reason: -weights[reason.id])
    groups = []
    for verdict, heading in _HEADINGS.items():
        criteria = tuple(
            CriterionDetail(
                reason, rationales.get(reason.id, ""), find_sources(view, reason.sources)
            )
            for reason in by_weight
            if verdicts[reason.id] == verdict
        )
        if criteria:
            groups.append(CriterionGroup(heading, criteria))
    return groups


def find_sources(view: ReportView, marks: str) -> tuple[CitedSource, ...]:
    """Return the sources with these comma-separated marks."""
    mark_set = {mark.strip() for mark in marks.split(",")}
    return tuple(source for source in view.sources if source.mark in mark_set)


def draw_result(view: ReportView) -> dict[str, Markup]:
    """Return the SVG drawings of the result: its scale and the mechanisms side by side."""
    phrases = load_phrases(view.language)
    drawings = {"scale": view.scale, "ledgers": view.ledgers}
    return {
        name: Markup(draw_chart(name, drawing, phrases).svg)  # noqa: S704 # nosec B704 - drawn by us
        for name, drawing in drawings.items()
        if drawing is not None
    }
