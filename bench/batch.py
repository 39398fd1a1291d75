"""Batches: rows a second in memory beside zen-engine, CSV to Parquet beside a plain Polars copy,
and peak memory and rate from ten thousand to a million rows (or BENCH_MOST), as a chart in
bench/results/.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import perf_counter

import polars as pl
import zen

from bench.cpu import time_command
from bench.expressions import expressions, list_facts
from bench.figures import Side
from bench.load import repeat
from bench.service import PROGRAM, ROOT
from scoring.catalogue import load_catalogue
from scoring.columns import compile_column_rules

RESULTS = ROOT / "bench" / "results"
ROWS = int(os.environ.get("BENCH_ROWS", "200000"))
MOST = int(os.environ.get("BENCH_MOST", "1000000"))
GIGABYTE = 1024 * 1024
"""In kilobytes, as the system reports peak memory."""


def batches(figure: Callable[..., object]) -> Iterator[object]:
    """The rows of the table; the chart is written beside them."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.scoring.engine_rows import TYPES, frame_of, random_intake

    loaded = load_catalogue().find_active("nociplastic")
    random = Random(1)
    some = [random_intake(loaded, random) for _ in range(20_000)]
    frame = pl.concat([frame_of(loaded, some)] * max(1, ROWS // 20_000)).rechunk()
    yield figure("batch in memory : zen-engine, points alone", *_in_memory(loaded, frame, some), 0)
    cells = frame_of(loaded, some).with_columns(
        pl.when(pl.col(name).list.len() == 0)
        .then(pl.lit("none"))
        .otherwise(pl.col(name).list.join("|"))
        .alias(name)
        for name, question in loaded.questions.items()
        if TYPES[question.kind] == pl.List(pl.String)
    )
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        source = _many(cells, ROWS, here / "in.csv")
        score_command = _score_command(source, here / "out.parquet")
        copy_command = _copy_command(source, here / "copy.parquet")
        score: Side = lambda: time_command(score_command, ROWS)  # noqa: E731
        copy: Side = lambda: time_command(copy_command, ROWS)  # noqa: E731
        explain: Side = lambda: time_command([*score_command, "--explain"], ROWS)  # noqa: E731
        yield figure("CSV to Parquet : a plain Polars copy", score, copy, 0.4)
        yield figure(
            "batch with --explain: times as long, at most", explain, score, 2, 3, inverse=True
        )
        source.unlink()
        _chart(cells, here)


def _in_memory(loaded, frame: pl.DataFrame, some: list[dict]) -> tuple[Side, Side]:
    rules = compile_column_rules(loaded)
    names = [name for name in rules.columns if name not in ("flags", "missing")]
    compiled_texts = [zen.compile_expression(text) for text in expressions(loaded).values()]
    facts = [list_facts(loaded, answers) for answers in some[:500]]

    def score() -> None:
        rules.assess_intakes(frame.lazy()).select(names).collect(engine="streaming")

    def evaluate() -> None:
        for facts_of_row in facts:
            for text in compiled_texts:
                text.evaluate(facts_of_row)

    return repeat(score, 0.0, frame.height), repeat(evaluate, 0.0, len(facts))


def _chart(cells: pl.DataFrame, here: Path) -> None:
    rows, figures = 10_000, []
    while rows <= MOST:
        source = _many(cells, rows, here / "in.csv")
        before = perf_counter()
        peak = _peak(_score_command(source, here / "out.parquet"))
        figures.append((rows, round(rows / (perf_counter() - before)), round(peak / GIGABYTE, 3)))
        source.unlink()
        rows *= 10
    RESULTS.mkdir(exist_ok=True)
    table = pl.DataFrame(figures, schema=["rows", "rows_a_second", "peak_gigabytes"], orient="row")
    table.write_csv(RESULTS / "batch.csv")
    (RESULTS / "batch.svg").write_text(_svg(figures), encoding="utf-8")


def _svg(figures: list[tuple[int, int, float]]) -> str:
    lines = []
    for panel, (title, place) in enumerate((("rows a second", 1), ("peak memory, GB", 2))):
        left, most = 20 + 380 * panel, max(figure[place] for figure in figures)
        lines.append(f'<text x="{left}" y="24" font-weight="bold">{title}</text>')
        for number, figure in enumerate(figures):
            top, width = 40 + 30 * number, 180 * figure[place] / most
            lines.append(f'<text x="{left}" y="{top + 15}">{figure[0]:,}</text>')
            lines.append(
                f'<rect x="{left + 90}" y="{top}" width="{width:.0f}" height="20" fill="#3b6ea5"/>'
            )
            lines.append(
                f'<text x="{left + 96 + width:.0f}" y="{top + 15}">{figure[place]:,}</text>'
            )
    size = f'width="780" height="{60 + 30 * len(figures)}"'
    style = 'font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(lines)}</svg>\n'


def _many(cells: pl.DataFrame, rows: int, file: Path) -> Path:
    text = cells.write_csv().encode()
    header, _, body = text.partition(b"\n")
    part = cells.head(rows % cells.height).write_csv(include_header=False).encode()
    with file.open("wb") as stream:
        stream.write(header + b"\n")
        for _ in range(rows // cells.height):
            stream.write(body)
        stream.write(part)
    return file


def _score_command(source: Path, out: Path) -> list[str]:
    return [PROGRAM, "batch", str(source), "-o", str(out)]


def _copy_command(source: Path, out: Path) -> list[str]:
    text = f"import polars; polars.scan_csv({str(source)!r}).sink_parquet({str(out)!r})"
    return [sys.executable, "-c", text]


def _peak(command: list[str]) -> int:
    """The most memory that the command held, in kilobytes."""
    watched = (
        "import resource,subprocess,sys; subprocess.run(sys.argv[1:],stderr=-3);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    return int(subprocess.check_output([sys.executable, "-c", watched, *command], text=True))
