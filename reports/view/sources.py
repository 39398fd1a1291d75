"""Number the citations of one report; unverified ones are marked once, in the list of sources.

Sources that paper prints come first. It prints them without their titles, where authors, journal
and pages say enough to find them.
"""

import re
from collections.abc import Iterable

from pydantic import MISSING

from schemas.assessments.assessment import Assessment, WeighedCriterion
from schemas.base import FrozenModel
from schemas.rulebooks.rulebook import Citation, Rulebook


class CitedSource(FrozenModel):
    """One entry of the list of sources; `brief` is its text without the title.

    Sources of criteria that are not settled are not printed on paper.
    """

    mark: str
    text: str
    brief: str
    doi: str | None
    unverified: bool
    is_printed: bool


class CitationIndex:
    """The citations used by the assessment: first those printed, in the order of the rulebook."""

    def __init__(self, rulebook: Rulebook, assessment: Assessment) -> None:
        criteria = assessment.criteria or ()
        printed_parts = (*_list_named_parts(assessment), *filter(is_settled, criteria))
        self._printed_ids = set(_list_citations(printed_parts))
        cited_ids = self._printed_ids | set(_list_citations(criteria))
        citations = [citation for citation in rulebook.citation if citation.id in cited_ids]
        self._citations = sorted(
            citations, key=lambda citation: citation.id not in self._printed_ids
        )
        self._marks = {
            citation.id: str(number) for number, citation in enumerate(self._citations, 1)
        }

    def format_marks(self, citations: Iterable[str]) -> str:
        """Return the printed numbers of these citations, e.g. "3, 7, 12"."""
        numbers = sorted(int(self._marks[citation]) for citation in citations)
        return ", ".join(map(str, numbers))

    def list_sources(self) -> tuple[CitedSource, ...]:
        """Return every source used."""
        return tuple(
            CitedSource(
                mark=self._marks[citation.id],
                text=citation.text,
                brief=_shorten(citation),
                doi=citation.doi,
                unverified=citation.unverified,
                is_printed=citation.id in self._printed_ids,
            )
            for citation in self._citations
        )

    @property
    def has_unverified(self) -> bool:
        """Whether any printed citation has not been verified."""
        return any(
            citation.unverified for citation in self._citations if citation.id in self._printed_ids
        )


def is_settled(criterion: WeighedCriterion) -> bool:
    """Return whether the criterion has a level, or points that are certain all the same."""
    return criterion.level is not None or bool(criterion.points)


def _shorten(citation: Citation) -> str:
    """Return first author and journal, year and pages; the whole text if they can't be found."""
    match = _AUTHORS_TITLE_JOURNAL.match(citation.text)
    if match is None:
        return citation.text
    more = " et al." if match["more"] else "."
    return f"{match['first']}{more} {match['journal']}."


_AUTHORS_TITLE_JOURNAL = re.compile(
    r"(?P<first>[^.,]+)(?P<more>,[^.]+)?\. .+?[.?] "
    r"(?P<journal>[A-Z][\w ():&,-]+ \d{4}(?:;[^\s]+?)?)\.(?:\s|$)"
)


def _list_citations(parts: Iterable[object]) -> Iterable[str]:
    for part in parts:
        yield from getattr(part, "citations", ())


def _list_named_parts(assessment: Assessment) -> Iterable[object]:
    """Yield what the report names with its sources, but for criteria."""
    yield from assessment.safety.flags
    yield from (assessment.gradings or {}).values()
    yield from assessment.findings or ()
    yield from assessment.next_steps or ()
    yield from () if assessment.alternatives is MISSING else assessment.alternatives
