"""Writes the capacity table of docs/engine.md from the rows that one second of CPU scores.

python scripts/capacity_table.py 50000
"""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "engine.md"
ROWS = (1_000_000, 10_000_000, 100_000_000)
CORES = (1, 8, 64)
_SECTION = re.compile(r"At [\d,]+ rows per second of CPU.*?(?=\n\n[^|A])", re.DOTALL)
FIGURE = re.compile(r"At ([\d,]+) rows per second of CPU")


def main() -> None:
    """Replace the section of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replace_section(text, int(sys.argv[1])), encoding="utf-8")


def replace_section(text: str, rows_per_second: int) -> str:
    """Return the text of the page with the table of this figure."""
    return _SECTION.sub(lambda _: render_section(rows_per_second), text)


def render_section(rows_per_second: int) -> str:
    """Return the sentence and the table."""
    lines = [
        f"At {rows_per_second:,} rows per second of CPU (CSV in, Parquet out; yours differs).",
        "",
        f"| rows | {' | '.join(f'{cores} cores' if cores > 1 else '1 core' for cores in CORES)} |",
        f"|---{'|---' * len(CORES)}|",
    ]
    for rows in ROWS:
        times = [_describe_seconds(rows / rows_per_second / cores) for cores in CORES]
        lines.append(f"| {rows:,} | {' | '.join(times)} |")
    return "\n".join(lines)


def _describe_seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    main()
