"""The evidence sheet: one screening beside the earlier ones of its patient, pattern by pattern."""

from typing import NamedTuple

from api.store.screenings import screenings, search
from api.store.transaction import Transaction
from reports.view.model import PatternLine, View
from schemas.screening import Screening, ScreeningFilters, ScreeningLine

COLUMNS = 5


class Row(NamedTuple):
    """One pattern, and its state in each screening, the latest first."""

    pattern: PatternLine
    states: tuple[PatternLine | None, ...]


def earlier(work: Transaction, screening: Screening) -> list[Screening]:
    """The earlier screenings of the same patient by the same instrument, the latest first."""
    filters = ScreeningFilters(
        patient=screening.patient.reference,
        rulebook=screening.assessment.rulebook.partition("@")[0],
        created_before=screening.created_at,
    )
    page = search.first_page(work, filters, 100)
    wanted = [each.id for each in page.lines if _goes_beside(each, screening)]
    return [screenings.found(work, each) for each in wanted[: COLUMNS - 1]]


def rows(views: list[View]) -> list[Row]:
    """The patterns of the first view, with their states in all."""
    by_number = [{each.number: each for each in view.patterns} for view in views]
    return [
        Row(pattern, tuple(each.get(pattern.number) for each in by_number))
        for pattern in views[0].patterns
    ]


def _goes_beside(line: ScreeningLine, screening: Screening) -> bool:
    """The same person, and still worth what it says."""
    return (
        line.patient.system == screening.patient.system
        and line.state == "final"
        and line.status == "scored"
    )
