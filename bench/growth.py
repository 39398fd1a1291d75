"""Growth: CPU milliseconds of lists and searches with 10, 1,000 and 50,000 screenings."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

from bench.figures import Figure
from bench.service import ROOT

SIZES = (10, 1_000, 50_000)
STEP = 500
ROUNDS = 7


GOALS_MS = {
    "list of 50": 3.0,
    "patient": 10.0,
    "status that none has": 10.0,
    "rulebook that none has": 10.0,
    "trend": 10.0,
    "red flags to acknowledge": 10.0,
}


class GrowthRow(NamedTuple):
    """One query and its CPU milliseconds, by the number of screenings in the organisation."""

    query: str
    milliseconds: tuple[float, ...]

    @property
    def figure(self) -> Figure:
        """The row of the largest size, with its goal."""
        what = f"{self.query}, {SIZES[-1]:,} screenings: CPU ms, at most"
        most = self.milliseconds[-1]
        return Figure(what, 0, 0, most, most, GOALS_MS[self.query], at_most=True)


def measure_growth() -> Iterator[GrowthRow]:
    """Yield each query with its cost at every size, on the embedded database."""
    by_size = [_measure(size) for size in SIZES]
    for query in by_size[0]:
        yield GrowthRow(query, tuple(costs[query] for costs in by_size))


def _measure(size: int) -> dict[str, float]:
    sys.path.insert(0, str(ROOT / "tests"))
    from support import builders

    from api.store.operations.startup import open_store
    from api.store.screenings import earlier_screenings, screenings, search
    from schemas.patients.screening import ScreeningFilters

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(builders.build_store_settings(Path(folder)))
        owner = builders.clinic(store)
        for start in range(0, size, STEP):
            with store.transaction(owner.actor) as work:
                for number in range(start, min(start + STEP, size)):
                    example = "red_flag" if number % STEP == 1 else "widespread_pain"
                    intake = builders.intake(f"MRN-{number % max(size // 10, 1)}", example)
                    newest = screenings.add_screening(work, intake)
                work.audit("create", "screening", count=STEP)

        def list_by(**filters: str) -> Callable[[Any], object]:
            return lambda work: search.list_first_page(work, ScreeningFilters(**filters), 50)

        queries: dict[str, Callable[[Any], object]] = {
            "list of 50": list_by(),
            "patient": list_by(patient="MRN-0"),
            "status that none has": list_by(status="incomplete"),
            "rulebook that none has": list_by(rulebook="phq4"),
            "trend": lambda work: earlier_screenings.list_earlier_screenings(work, newest),
            "red flags to acknowledge": lambda work: search.list_unacknowledged(
                work, ("T0", "T1", "T2"), 50
            ),
        }

        def cost(query: Callable[[Any], object]) -> float:
            before = process_time()
            with store.continue_read(owner.actor) as work:
                query(work)
            return (process_time() - before) * 1000

        costs = {name: min(cost(query) for _ in range(ROUNDS)) for name, query in queries.items()}
        store.close()
    return costs
