"""Compare a screening with the patient's earlier ones, pattern by pattern (the evidence sheet)."""

from typing import NamedTuple

from api.store.screenings import screenings, search
from api.store.transaction import Transaction
from reports.view.model import PatternLine, ReportView
from schemas.rulebook_name import RulebookName
from schemas.screening import Screening, ScreeningFilters, ScreeningListItem

MAX_SCREENINGS = 5


class PatternRow(NamedTuple):
    """One pattern and its state in each screening, the latest first."""

    pattern: PatternLine
    states: tuple[PatternLine | None, ...]


def list_earlier(work: Transaction, screening: Screening) -> list[Screening]:
    """Return the patient's earlier screenings by the same instrument, the latest first."""
    filters = ScreeningFilters(
        patient=screening.patient.reference,
        rulebook=RulebookName.parse(screening.assessment.rulebook).instrument,
        created_before=screening.created_at,
    )
    page = search.list_first_page(work, filters, 100)
    ids = [line.id for line in page.lines if _is_comparable(line, screening)]
    return [screenings.find_screening(work, id_) for id_ in ids[: MAX_SCREENINGS - 1]]


def build_rows(views: list[ReportView]) -> list[PatternRow]:
    """Return the patterns of the first view with their states in all views."""
    by_number = [{pattern.number: pattern for pattern in view.patterns} for view in views]
    return [
        PatternRow(pattern, tuple(patterns.get(pattern.number) for patterns in by_number))
        for pattern in views[0].patterns
    ]


def _is_comparable(line: ScreeningListItem, screening: Screening) -> bool:
    """Return whether it is a valid, scored screening of the same patient."""
    return (
        line.patient.system == screening.patient.system
        and line.state == "final"
        and line.status == "scored"
    )
