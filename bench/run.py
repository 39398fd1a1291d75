"""`make bench`: every figure a ratio taken in one run, beside its goal.

The two sides of a ratio take turns, so that a slow moment of the machine touches both; the figure
is the median over the turns. Beside each stands the CPU time of this service, because rates alone
mislead on a shared machine. Nothing here decides whether a test passes.
"""

import gc
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import perf_counter, sleep

import zen
from rich.console import Console
from rich.table import Table

from bench.batch import batches
from bench.durable import on_postgres, on_sqlite
from bench.expressions import expressions, graph, list_facts
from bench.figures import Figure, Side, compare
from bench.growth import SIZES, measure_growth
from bench.hooks import measure_hooks
from bench.load import measure_load, repeat
from bench.reports import reports
from bench.results import HEADER, format_figure, write_results
from bench.service import (
    INTAKE,
    ROOT,
    RunningService,
    build_environment,
    build_request,
    issue_token,
    start_server,
    start_service,
)
from bench.starts import measure_starts
from bench.strangers import measure_among_strangers
from scoring.catalogue import load_catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess, weigh_answers

SECONDS = 0.5
CLIENTS = 8


def main() -> None:
    """Measure, print and write the results."""
    start = perf_counter()
    figures = list(_report_each(_measure_all()))
    growth = list(measure_growth())
    figures += [row.figure for row in growth]
    table = Table(*HEADER)
    for figure in figures:
        table.add_row(*format_figure(figure))
    Console(width=120).print(table)
    table = Table("CPU ms with so many screenings", *(f"{size:,}" for size in SIZES))
    for row in growth:
        table.add_row(row.query, *(f"{cost:.1f}" for cost in row.milliseconds))
    Console(width=120).print(table)
    print(write_results(figures, growth, perf_counter() - start))


def _measure_all() -> Iterator[Figure]:
    yield from over_http()
    yield from durable_writes()
    yield measure_hooks(_free_port())
    yield from in_process()
    yield from batches(compare)
    yield from reports(compare)
    yield from measure_starts()
    yield among_strangers()


def _report_each(figures: Iterable[Figure]) -> Iterator[Figure]:
    """Say on standard error what was measured, as it comes."""
    for figure in figures:
        print(f"{figure.what}: {figure.value:.3g}", file=sys.stderr, flush=True)
        yield figure


def over_http() -> Iterator[Figure]:
    """`POST /v1/score` beside a bare FastAPI route."""
    with tempfile.TemporaryDirectory() as folder:
        environment = build_environment(folder)
        request = build_request("/v1/score", issue_token(environment), INTAKE)
        bare_port, size = _free_port(), len(assess_example())
        bare = [sys.executable, "-m", "bench.bare", str(bare_port), str(size)]
        with start_service(environment) as service, start_server(bare, environment) as other:
            _wait_for(bare_port)
            sides = [
                partial(measure_load, it, request, clients=CLIENTS, seconds=2 * SECONDS)
                for it in (service, RunningService(bare_port, other.pid))
            ]
            yield compare("POST /v1/score : a bare FastAPI route", *sides, goal=0.45)


def durable_writes() -> Iterator[Figure]:
    """`POST /v1/screenings` beside raw commits, on both databases, sixteen clients each."""
    for name, sides, goal in (
        ("SQLite", on_sqlite(2 * SECONDS), 0.15),
        ("PostgreSQL", on_postgres(2 * SECONDS), 0.06),
        ("PostgreSQL, --workers 2", on_postgres(2 * SECONDS, 2), 0.1),
    ):
        with sides as (rate_of_service, raw):
            what = f"POST /v1/screenings : raw one-row commits, {name}"
            yield compare(what, rate_of_service, raw, goal)


def among_strangers() -> Figure:
    """`POST /v1/score` while strangers drive every outgoing call into a tarpit."""
    measured = measure_among_strangers()
    what = "/v1/score among strangers: p95 / quiet p95, at most"
    rates = (measured.rate, measured.quiet_rate)
    return Figure(what, *rates, 0, measured.ratio, 2, at_most=True)


def in_process() -> Iterator[Figure]:
    """The engine beside zen-engine, over every vignette in which each criterion is answered."""
    loaded = load_catalogue().find_active("nociplastic")
    intakes = [answers for answers in _load_vignettes(loaded) if _all_answered(loaded, answers)]
    facts = [list_facts(loaded, answers) for answers in intakes]
    decision = zen.ZenEngine().create_decision(graph(loaded))
    compiled = [zen.compile_expression(text) for text in expressions(loaded).values()]
    for answers, row_facts in zip(intakes, facts, strict=True):
        _must_agree(loaded, answers, decision.evaluate(row_facts)["result"])

    def repeated(run_one: Callable[[dict], object], over: list[dict]) -> Side:
        return repeat(lambda: [run_one(intake) for intake in over], SECONDS, len(over))

    gc.freeze()
    weighing = repeated(lambda answers: weigh_answers(loaded, answers), intakes)
    assessed = repeated(lambda answers: assess(loaded, answers), intakes)
    each_alone = repeated(lambda row_facts: [one.evaluate(row_facts) for one in compiled], facts)
    one_decision = repeated(decision.evaluate, facts)
    yield compare("points, totals, range : zen-engine, each expression", weighing, each_alone, 3)
    yield compare("points, totals, range : zen-engine, one decision", weighing, one_decision, 3)
    yield compare("whole assessment : zen-engine, each expression", assessed, each_alone, 3)
    yield compare("whole assessment : zen-engine, one decision", assessed, one_decision, 3)


def assess_example() -> bytes:
    """The answer of `/v1/score` to the example."""
    loaded = load_catalogue().find_active(INTAKE["rulebook"])
    return assess(loaded, INTAKE["answers"]).model_dump_json(by_alias=True).encode()


def _load_vignettes(loaded: LoadedRulebook) -> list[dict]:
    sys.path.insert(0, str(ROOT / "tests"))
    from support.scoring.vignettes import SECOND_FOLDER, load_vignettes

    vignettes = load_vignettes(SECOND_FOLDER, loaded)
    return [vignette.answers for vignette in vignettes]


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
