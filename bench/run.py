"""`make bench`: every figure a ratio taken in one run, beside its goal.

The two sides of a ratio take turns, so that a slow moment of the machine touches both; the figure
is the median over the turns. Nothing here decides whether a test passes.
"""

import gc
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable
from time import sleep
from typing import NamedTuple

import zen
from rich.console import Console
from rich.table import Table

from bench.batch import batches
from bench.durable import on_postgres, on_sqlite
from bench.expressions import expressions, graph, list_facts
from bench.growth import SIZES, measure_growth
from bench.hooks import seconds_at_p95
from bench.load import rate, repeat
from bench.reports import reports
from bench.service import (
    INTAKE,
    ROOT,
    build_environment,
    build_request,
    issue_token,
    start_server,
    start_service,
)
from bench.strangers import measure_among_strangers
from scoring.catalogue import load_catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess, weigh_answers

TURNS = 7
SECONDS = 0.7
CLIENTS = 8


class Figure(NamedTuple):
    """One row: how many times a second ours and the other did it, the ratio, and the goal."""

    what: str
    our_rate: float
    other_rate: float
    ratio: float
    goal: float


def main() -> None:
    """Measure and print."""
    table = Table("what", "ours /s", "other /s", "ratio", "goal")
    for figure in (
        *over_http(),
        *durable_writes(),
        *in_process(),
        *batches(_figure),
        *reports(_figure),
        *hooked(),
        among_strangers(),
    ):
        table.add_row(
            figure.what,
            f"{figure.our_rate:,.0f}",
            f"{figure.other_rate:,.0f}",
            f"{figure.ratio:.2f}",
            f"{figure.goal:g}" if figure.goal else "",
        )
    Console(width=110).print(table)
    growth = Table("CPU ms with so many screenings", *(f"{size:,}" for size in SIZES))
    for row in measure_growth():
        growth.add_row(row.query, *(f"{cost:.1f}" for cost in row.milliseconds))
    Console(width=110).print(growth)


def over_http() -> list[Figure]:
    """`POST /v1/score` beside a bare FastAPI route."""
    with tempfile.TemporaryDirectory() as folder:
        environment = build_environment(folder)
        request = build_request("/v1/score", issue_token(environment), INTAKE)
        bare_port, size = _free_port(), len(assess_example())
        bare = [sys.executable, "-m", "bench.bare", str(bare_port), str(size)]
        with start_service(environment) as port, start_server(bare, environment):
            _wait_for(bare_port)
            sides = [
                lambda port=port: rate(port, request, clients=CLIENTS, seconds=2 * SECONDS)
                for port in (port, bare_port)
            ]
            return [_figure("POST /v1/score : a bare FastAPI route", *sides, goal=0.5)]


def durable_writes() -> list[Figure]:
    """`POST /v1/screenings` beside raw commits, on both databases, sixteen clients each."""
    figures = []
    for name, sides in (("SQLite", on_sqlite), ("PostgreSQL", on_postgres)):
        with sides(2 * SECONDS) as (rate_of_service, raw):
            what = f"POST /v1/screenings : raw one-row commits, {name}"
            figures.append(_figure(what, rate_of_service, raw, goal=0.25))
    return figures


def hooked() -> list[Figure]:
    """Cards of CDS Hooks for sixteen EHRs at once: no ratio, but the seconds that 95 % take."""
    rate_, seconds = seconds_at_p95(_free_port())
    return [Figure("CDS Hooks, 16 at once: seconds at p95, at most", rate_, 0, seconds, 0.5)]


def among_strangers() -> Figure:
    """`POST /v1/score` while strangers drive every outgoing call into a tarpit."""
    measured = measure_among_strangers()
    rates = (measured.rate, measured.quiet_rate)
    return Figure("/v1/score among strangers: p95 / quiet p95, at most", *rates, measured.ratio, 2)


def in_process() -> list[Figure]:
    """The engine beside zen-engine, over every vignette in which each criterion is answered."""
    loaded = load_catalogue().find_active("nociplastic")
    intakes = [answers for answers in _vignettes() if _all_answered(loaded, answers)]
    facts = [list_facts(loaded, answers) for answers in intakes]
    decision = zen.ZenEngine().create_decision(graph(loaded))
    compiled = [zen.compile_expression(text) for text in expressions(loaded).values()]
    for answers, row_facts in zip(intakes, facts, strict=True):
        _must_agree(loaded, answers, decision.evaluate(row_facts)["result"])

    def repeated(run_one: Callable[[dict], object], over: list[dict]) -> Callable[[], float]:
        return repeat(lambda: [run_one(intake) for intake in over], SECONDS, len(over))

    gc.freeze()
    weighing = repeated(lambda answers: weigh_answers(loaded, answers), intakes)
    assessed = repeated(lambda answers: assess(loaded, answers), intakes)
    each_alone = repeated(lambda row_facts: [one.evaluate(row_facts) for one in compiled], facts)
    one_decision = repeated(decision.evaluate, facts)
    return [
        _figure(
            "points, totals, range : zen-engine, an expression a call", weighing, each_alone, 3
        ),
        _figure("points, totals, range : zen-engine, one decision", weighing, one_decision, 3),
        _figure("whole assessment : zen-engine, an expression a call", assessed, each_alone, 1),
        _figure("whole assessment : zen-engine, one decision", assessed, one_decision, 1),
    ]


def assess_example() -> bytes:
    """The answer of `/v1/score` to the example."""
    loaded = load_catalogue().find_active(INTAKE["rulebook"])
    return assess(loaded, INTAKE["answers"]).model_dump_json(by_alias=True).encode()


def _figure(
    what: str, rate_of_ours: Callable[[], float], other: Callable[[], float], goal: float
) -> Figure:
    rate_of_ours(), other()
    turns = [(rate_of_ours(), other()) for _ in range(TURNS)]
    return Figure(
        what,
        statistics.median(turn[0] for turn in turns),
        statistics.median(turn[1] for turn in turns),
        statistics.median(turn[0] / turn[1] for turn in turns),
        goal,
    )


def _vignettes() -> list[dict]:
    sys.path.insert(0, str(ROOT / "tests"))
    from support.scoring.vignettes import load_vignettes

    return [vignette.answers for vignette in load_vignettes()]


def _all_answered(loaded: LoadedRulebook, answers: dict) -> bool:
    criteria = assess(loaded, answers).criteria or ()
    return bool(criteria) and all(result.level is not None for result in criteria)


def _must_agree(loaded: LoadedRulebook, answers: dict, points: dict[str, float]) -> None:
    weights = weigh_answers(loaded, answers).criteria
    for criterion, weight in zip(loaded.rulebook.criterion, weights, strict=True):
        if abs(points[criterion.id] * 100 - weight.points) > 1e-6:
            raise SystemExit(f"{criterion.id}: {points[criterion.id]} is not {weight.points / 100}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.1)
    raise SystemExit("a server did not start")


if __name__ == "__main__":
    main()
