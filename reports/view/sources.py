"""Number the citations of one report; unverified ones are marked once, in the list of sources."""

from collections.abc import Iterable

from pydantic import MISSING

from schemas.assessment import Assessment
from schemas.base import FrozenModel
from schemas.rulebook import Rulebook


class CitedSource(FrozenModel):
    """One entry of the list of sources."""

    mark: str
    text: str
    doi: str | None
    unverified: bool


class CitationIndex:
    """The citations used by the assessment, numbered in the order of the rulebook."""

    def __init__(self, rulebook: Rulebook, assessment: Assessment) -> None:
        cited_ids = set(_list_citations(assessment))
        self._citations = [citation for citation in rulebook.citation if citation.id in cited_ids]
        self._marks = {
            citation.id: str(number) for number, citation in enumerate(self._citations, 1)
        }

    def format_marks(self, citations: Iterable[str]) -> str:
        """Return the printed numbers of these citations, e.g. "3, 7, 12"."""
        return ", ".join(self._marks[citation] for citation in citations)

    def list_sources(self) -> tuple[CitedSource, ...]:
        """Return every source used."""
        return tuple(
            CitedSource(
                mark=self._marks[citation.id],
                text=citation.text,
                doi=citation.doi,
                unverified=citation.unverified,
            )
            for citation in self._citations
        )

    @property
    def has_unverified(self) -> bool:
        """Whether any citation used has not been verified."""
        return any(citation.unverified for citation in self._citations)


def _list_citations(assessment: Assessment) -> Iterable[str]:
    parts = (
        assessment.safety.flags,
        assessment.criteria or (),
        (assessment.gradings or {}).values(),
        assessment.findings or (),
        assessment.next_steps or (),
        () if assessment.alternatives is MISSING else assessment.alternatives,
    )
    for part in parts:
        for result in part:
            yield from result.citations
