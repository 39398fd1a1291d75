"""Writes a cohort as one HTML page without scripts or other files, red flags first."""

from collections.abc import Iterator
from html import escape

from schemas.batches.cohort import SMALLEST_COUNT, Cohort, CohortCount, CohortTable, CrossTable

_BAR_WIDTH, _ITEM_HEIGHT, _CHART_WIDTH = 250, 38, 330
_SHOWN_BARS = 15
_STYLE = """
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1b1b1b}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}.note{color:#444}
.urgent{border-left:.4rem solid #a4161a;padding:.5rem 1rem;background:#fdf0f0}
table{border-collapse:collapse;width:100%}.scroll{overflow-x:auto}
th,td{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:right}
th:first-child,td:first-child{text-align:left}
figure{margin:0}svg{max-width:100%;height:auto;overflow:visible}
@media(min-width:60rem){svg{width:34rem}}
"""


def render_cohort_page(cohort: Cohort) -> str:
    """Return the page."""
    return "".join(_write_page(cohort))


def _write_page(cohort: Cohort) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Cohort</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>Cohort of {cohort.rows:,} rows</h1>"
    yield f'<p class="note">Scored by {escape(cohort.rulebook)}. Counts of rows, not of people. '
    yield "Not a diagnosis.</p>"
    yield f'<p class="urgent"><strong>{cohort.rows_with_flags:,} rows have red flags.</strong> '
    yield f"In {cohort.rows_not_all_asked:,} rows not every red flag question was answered: "
    yield "no red flag there does not mean that there is none."
    if cohort.rows_with_problems:
        yield f" {cohort.rows_with_problems:,} rows have problems and were not scored."
    yield "</p>"
    for table in cohort.tables:
        yield from _write_chart(table, cohort.rows)
    if cohort.cross_tables:
        yield '<h2>By columns of the file</h2><p class="note">'
        yield f"Counts from 1 to {SMALLEST_COUNT - 1} are withheld, and counts that reveal them."
        yield "</p>"
    for cross_table in cohort.cross_tables:
        yield from _write_cross_table(cross_table)
    yield "</main></body></html>\n"


def _write_chart(table: CohortTable, rows: int) -> Iterator[str]:
    counts = table.counts[:_SHOWN_BARS]
    most = max((count.rows or 0 for count in counts), default=0) or 1
    name = f"chart-{table.id}"
    height = len(counts) * _ITEM_HEIGHT + 4
    yield f"<h2>{escape(table.title)}</h2><figure>"
    yield (
        f'<svg role="img" aria-labelledby="{name}" width="{_CHART_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_CHART_WIDTH} {height}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{name}">{escape(_describe(table, rows))}</title>'
    )
    for place, count in enumerate(counts):
        yield from _write_bar(count, place * _ITEM_HEIGHT, (count.rows or 0) / most)
    yield "</svg></figure>"
    if len(table.counts) > _SHOWN_BARS:
        yield f'<p class="note">and {len(table.counts) - _SHOWN_BARS} more</p>'


def _write_bar(count: CohortCount, top: int, share: float) -> Iterator[str]:
    width = round(share * _BAR_WIDTH)
    label = count.label if len(count.label) <= 48 else f"{count.label[:47]}\u2026"
    yield f'<text x="0" y="{top + 13}" font-size="13"><title>{escape(count.label)}</title>'
    yield f"{escape(label)}</text>"
    yield f'<rect x="0" y="{top + 18}" width="{width}" height="13" fill="#2a6f97"/>'
    yield f'<text x="{width + 6}" y="{top + 29}" font-size="13">{count.rows or 0:,}</text>'


def _describe(table: CohortTable, rows: int) -> str:
    """Return a chart in words."""
    counts = ", ".join(f"{count.label}: {count.rows:,}" for count in table.counts[:_SHOWN_BARS])
    return f"{table.title}, of {rows:,} rows: {counts}"


def _write_cross_table(table: CrossTable) -> Iterator[str]:
    yield f'<h2>{escape(table.title)} by {escape(table.column)}</h2><div class="scroll"><table>'
    header = table.rows[0].counts if table.rows else ()
    yield f'<thead><tr><th scope="col">{escape(table.column)}</th>'
    yield from (f'<th scope="col">{escape(count.label)}</th>' for count in header)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield f'<tr><th scope="row">{escape(row.value)}</th>'
        for count in row.counts:
            text = "withheld" if count.rows is None else f"{count.rows:,}"
            yield f"<td>{text}</td>"
        yield "</tr>"
    yield "</tbody></table></div>"
    if table.values_left_out:
        yield f'<p class="note">and {table.values_left_out:,} more values</p>'
