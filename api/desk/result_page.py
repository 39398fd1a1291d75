"""The assessment on a page: a view in, its reasons in groups with rationale and sources out."""

from decimal import Decimal
from typing import NamedTuple

from markupsafe import Markup

from reports.phrases import wording
from reports.svg import drawn
from reports.view.model import Reason, View
from reports.view.sources import Source
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


class Unfolded(NamedTuple):
    """One criterion with what stands behind it."""

    reason: Reason
    rationale: str
    sources: tuple[Source, ...]


class Group(NamedTuple):
    """Reasons that say the same; `name` is a phrase."""

    name: str
    reasons: tuple[Unfolded, ...]


_GROUPS = {
    "for": "desk_for",
    "against": "desk_against",
    "neutral": "desk_neither",
    "unanswered": "desk_unanswered",
}


def groups(view: View, assessment: Assessment, book: Rulebook) -> list[Group]:
    """Every reason: what speaks for and against strongest first, then what says nothing."""
    verdicts = {each.id: each.verdict for each in assessment.criteria or ()}
    weights = {each.id: abs(each.points or Decimal(0)) for each in assessment.criteria or ()}
    rationales = {each.id: each.rationale for each in book.criterion}
    strongest = sorted(view.criteria, key=lambda each: -weights[each.id])
    told = []
    for verdict, name in _GROUPS.items():
        reasons = tuple(
            Unfolded(each, rationales.get(each.id, ""), sources_of(view, each.sources))
            for each in strongest
            if verdicts[each.id] == verdict
        )
        if reasons:
            told.append(Group(name, reasons))
    return told


def sources_of(view: View, marks: str) -> tuple[Source, ...]:
    """The sources that these marks mean."""
    wanted = {each.strip() for each in marks.split(",")}
    return tuple(each for each in view.sources if each.mark in wanted)


def pictures(view: View) -> dict[str, Markup]:
    """What is drawn of the result: where it lies on its scale, the mechanisms side by side."""
    words = wording(view.language)
    held = {"scale": view.scale, "ledgers": view.ledgers}
    return {
        name: Markup(drawn(name, picture, words).svg)  # noqa: S704 # nosec B704 - drawn by us
        for name, picture in held.items()
        if picture is not None
    }
