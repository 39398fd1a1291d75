"""Compare a screening with the patient's earlier ones, pattern by pattern (the evidence sheet)."""

from itertools import islice
from typing import NamedTuple

from api.store.screenings import earlier_screenings, screenings
from api.store.transaction import Transaction
from reports.view.model import PatternLine, ReportView
from schemas.patients.screening import Screening

MAX_SCREENINGS = 5


class PatternRow(NamedTuple):
    """One pattern and its state in each screening, the latest first."""

    pattern: PatternLine
    states: tuple[PatternLine | None, ...]


def list_earlier(work: Transaction, screening: Screening) -> list[Screening]:
    """Return the patient's earlier scored screenings under the same version, the latest first."""
    earlier = (
        screenings.find_screening(work, screening_id)
        for screening_id in earlier_screenings.list_earlier_ids(work, screening)
    )
    scored = (other for other in earlier if other.assessment.status == "scored")
    return list(islice(scored, MAX_SCREENINGS - 1))


def build_rows(views: list[ReportView]) -> list[PatternRow]:
    """Return the patterns of the first view with their states in all views."""
    by_number = [{pattern.number: pattern for pattern in view.patterns} for view in views]
    return [
        PatternRow(pattern, tuple(patterns.get(pattern.number) for patterns in by_number))
        for pattern in views[0].patterns
    ]
