"""Writes the figures of a run, with its machine and versions, and a chart of what is reached."""

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.growth import SIZES, GrowthRow
from bench.service import ROOT

RESULTS = ROOT / "bench" / "results"
CHART = RESULTS / "speed.svg"
_PACKAGES = ("nociscreen", "fastapi", "uvicorn", "pydantic", "sqlalchemy", "polars", "weasyprint",
             "psycopg", "zen-engine", "typst")  # fmt: skip

MIN_WHOLE_RATE = 100
_EXPLANATION = (
    "A value is the ratio of the rates of both sides, which took turns, unless the row says "
    "otherwise. CPU is ours, by request or row, with all processes of the service."
)


def write_results(figures: Sequence[Figure], growth: Sequence[GrowthRow], seconds: float) -> Path:
    """Write `<date>-<commit>.json` and `.md` and the chart; return the path of the second."""
    RESULTS.mkdir(exist_ok=True)
    now, commit = datetime.now(UTC), _read_commit()
    header = {
        "measured_at": now.isoformat(timespec="seconds"),
        "commit": commit,
        "seconds": round(seconds),
        "machine": _describe_machine(),
        "versions": _list_versions(),
    }
    name = f"{now:%Y-%m-%d}-{commit}"
    content = header | {
        "figures": [it._asdict() | {"is_met": it.is_met} for it in figures],
        "growth": [row._asdict() for row in growth],
    }
    text = json.dumps(content, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    report = RESULTS / f"{name}.md"
    report.write_text(_render_report(header, figures, growth), encoding="utf-8")
    CHART.write_text(_render_chart(figures), encoding="utf-8")
    return report


def format_figure(figure: Figure) -> tuple[str, ...]:
    """Return the cells of a row: what, rates, CPU milliseconds, value, goal, whether it is met."""
    at = "≤ " if figure.at_most else ""
    return (
        figure.what,
        _format_rate(figure.our_rate),
        _format_rate(figure.other_rate),
        _format_milliseconds(figure.cpu_ms),
        f"{figure.value:.3g}",
        f"{at}{figure.goal:g}" if figure.goal else "",
        {None: "", True: "yes", False: "no"}[figure.is_met],
    )


def _format_rate(rate: float) -> str:
    return "" if not rate else f"{rate:,.0f}" if rate >= MIN_WHOLE_RATE else f"{rate:.1f}"


def _format_milliseconds(time: float) -> str:
    return "" if not time else f"{time:,.0f}" if time >= 1_000 else f"{time:.3g}"


HEADER = ("what", "ours /s", "other /s", "CPU ms", "value", "goal", "met")


def _render_report(
    header: dict[str, Any], figures: Sequence[Figure], growth: Sequence[GrowthRow]
) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in header["versions"].items())
    machine = ", ".join(f"{name} {value}" for name, value in header["machine"].items())
    lines = [
        f"# `make bench` of {header['measured_at']}, commit {header['commit']}",
        "",
        f"Machine: {machine}. Took {header['seconds']} s.",
        "",
        f"Versions: {versions}.",
        "",
        _EXPLANATION,
        "",
        _format_row(HEADER),
        _format_row(("---",) * len(HEADER)),
        *(_format_row(format_figure(figure)) for figure in figures),
        "",
        _format_row(("CPU ms with so many screenings", *(f"{size:,}" for size in SIZES))),
        _format_row(("---",) * (len(SIZES) + 1)),
        *(_format_row((row.query, *(f"{it:.1f}" for it in row.milliseconds))) for row in growth),
        "",
    ]
    return "\n".join(lines)


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _render_chart(figures: Sequence[Figure]) -> str:
    """Draw a bar for each row with a goal: the share of the goal that is reached, up to 200 %."""
    rows, left, width = [it for it in figures if it.goal], 440, 240
    lines = []
    for number, figure in enumerate(rows):
        top, length = 34 + 22 * number, width * min(figure.share_of_goal, 2) / 2
        colour = "#2e7d4f" if figure.is_met else "#b3541e"
        label = f"{figure.share_of_goal:.0%}"
        lines += [
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{_escape(figure.what)}</text>',
            f'<rect x="{left}" y="{top}" width="{length:.0f}" height="16" fill="{colour}"/>',
            f'<text x="{left + length + 6:.0f}" y="{top + 13}">{label}</text>',
        ]
    height, goal = 44 + 22 * len(rows), left + width // 2
    lines += [
        f'<line x1="{goal}" y1="26" x2="{goal}" y2="{height - 8}" stroke="#333"/>',
        f'<text x="{goal}" y="20" text-anchor="middle">goal</text>',
    ]
    size = f'width="740" height="{height}" viewBox="0 0 740 {height}" role="img"'
    style = 'font-family="sans-serif" font-size="12"'
    title = "<title>How much of each goal of make bench is reached</title>"
    body = "".join(lines)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{title}{body}</svg>\n'


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _read_commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def _describe_machine() -> dict[str, Any]:
    processors = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = [line.partition(": ")[2] for line in processors.splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GiB",
        "system": platform.platform(terse=True),
        "load at the end": f"{os.getloadavg()[0]:.1f}",
    }


def _list_versions() -> dict[str, str]:
    packages = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version} | packages
