"""Sources: the citations of one report, numbered; an unverified one is marked at every place."""

from collections.abc import Iterable

from schemas.assessment import Assessment
from schemas.base import Frozen
from schemas.rulebook import Citation, Rulebook

UNVERIFIED = "\N{DAGGER}"


class Source(Frozen):
    """One line of the list of references."""

    mark: str
    text: str
    doi: str | None
    unverified: bool


class Sources:
    """The citations that the assessment uses, numbered in the order of the rulebook."""

    def __init__(self, rulebook: Rulebook, assessment: Assessment) -> None:
        used = set(_cited(assessment))
        self._cited = [each for each in rulebook.citation if each.id in used]
        self._marks = {each.id: _mark(place, each) for place, each in enumerate(self._cited, 1)}

    def marks(self, citations: Iterable[str]) -> str:
        """The numbers of these citations as printed: 3, 7, 12 with a dagger at the unverified."""
        return ", ".join(self._marks[each] for each in citations)

    def listed(self) -> tuple[Source, ...]:
        """Every citation used."""
        return tuple(
            Source(
                mark=_mark(place, each), text=each.text, doi=each.doi, unverified=each.unverified
            )
            for place, each in enumerate(self._cited, 1)
        )

    @property
    def some_unverified(self) -> bool:
        """Whether any citation used was not re-read."""
        return any(each.unverified for each in self._cited)


def _mark(place: int, citation: Citation) -> str:
    return f"{place}{UNVERIFIED}" if citation.unverified else str(place)


def _cited(assessment: Assessment) -> Iterable[str]:
    shown = (
        assessment.safety.flags,
        assessment.criteria or (),
        (assessment.gradings or {}).values(),
        assessment.findings or (),
        assessment.next_steps or (),
    )
    for part in shown:
        for each in part:
            yield from each.citations
