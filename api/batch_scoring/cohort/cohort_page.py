"""Writes a cohort as one HTML page without scripts or other files, red flags first."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from api.batch_scoring.cohort.cohort_texts import CohortTexts, load_cohort_texts
from schemas.batches.cohort import (
    SMALLEST_COUNT,
    Cohort,
    CohortCount,
    CohortVisits,
    CrossTable,
    ScoreChange,
)

_BAR_WIDTH, _ITEM_HEIGHT, _CHART_WIDTH = 250, 38, 330
_SHOWN_BARS = 15
_STYLE = """
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1b1b1b}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}h3{font-size:1rem}.note{color:#444}
.urgent{border-left:.4rem solid #a4161a;padding:.5rem 1rem;background:#fdf0f0}
table{border-collapse:collapse;width:100%}.scroll{overflow-x:auto}
th,td{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:right}
th:first-child,td:first-child{text-align:left}
figure{margin:0}svg{max-width:100%;height:auto;overflow:visible}
@media(min-width:60rem){svg{width:34rem}}
"""


class ChartBar(NamedTuple):
    """One bar of a chart: its label, its length from 0 to 1, and its value in words."""

    label: str
    share: float
    value: str


def render_cohort_page(cohort: Cohort) -> str:
    """Return the page, in the language of the cohort."""
    return "".join(_write_page(cohort, load_cohort_texts(cohort.language)))


def _write_page(cohort: Cohort, texts: CohortTexts) -> Iterator[str]:
    say = texts.say
    yield f'<!doctype html><html lang="{texts.language}"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{say('title')}</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{say('heading', rows=cohort.rows)}</h1>"
    yield _write_note(say("note", rulebook=cohort.rulebook))
    yield f'<p class="urgent"><strong>{say("flags", rows=cohort.rows_with_flags)}</strong> '
    yield say("not_all_asked", rows=cohort.rows_not_all_asked)
    if cohort.rows_with_problems:
        yield f" {say('problems', rows=cohort.rows_with_problems)}"
    yield "</p>"
    for table in cohort.tables:
        bars = _list_bars(table.counts, texts)
        yield f"<h2>{escape(table.title)}</h2>"
        yield from _write_chart(table.id, _describe(table.title, cohort.rows, bars, texts), bars)
        if len(bars) > _SHOWN_BARS:
            yield _write_note(say("more", count=len(bars) - _SHOWN_BARS))
    if cohort.visits is not None:
        yield from _write_visits(cohort.visits, texts)
    if cohort.cross_tables:
        yield f"<h2>{say('columns')}</h2>{_write_note(_describe_small_counts(texts))}"
    for cross_table in cohort.cross_tables:
        yield from _write_cross_table(cross_table, texts)
    yield "</main></body></html>\n"


def _write_visits(visits: CohortVisits, texts: CohortTexts) -> Iterator[str]:
    def count(people: int | None) -> int | str:
        return texts.say("withheld") if people is None else people

    yield f"<h2>{texts.say('visits')}</h2><p>{texts.say('people', people=visits.people)} "
    yield f"{texts.say('people_with_visits', people=count(visits.people_with_visits))} "
    yield f"{texts.say('people_without_dates', people=count(visits.people_without_dates))}</p>"
    yield _write_note(_describe_small_counts(texts))
    if visits.change is not None:
        yield from _write_change(visits.change, texts)
    for transition in visits.transitions:
        yield from _write_cross_table(transition, texts)


def _write_change(change: ScoreChange, texts: CohortTexts) -> Iterator[str]:
    title, bars = texts.say("change", score=change.label), _list_bars(change.counts, texts)
    words = _describe(title, change.people, bars, texts, "chart_of_people")
    yield f"<h3>{escape(title)}</h3>{_write_note(change.note)}"
    yield from _write_chart("change", words, bars)
    yield f"<p>{texts.say('median_change', points=texts.format_score(change.median_change))}</p>"
    title = texts.say("scores", score=change.label, maximum=change.maximum)
    scores = [
        ChartBar(texts.say("visit_withheld", number=visit.visit), 0, "")
        if visit.median is None
        else ChartBar(
            texts.say("visit", number=visit.visit, people=visit.people),
            visit.median / change.maximum,
            texts.format_score(visit.median),
        )
        for visit in change.visits
    ]
    yield f"<h3>{escape(title)}</h3>"
    words = _describe(title, change.people, scores, texts, "chart_of_people")
    yield from _write_chart("scores", words, scores, most=len(scores))
    if change.visits_left_out:
        yield _write_note(texts.say("more", count=change.visits_left_out))


def _list_bars(counts: Sequence[CohortCount], texts: CohortTexts) -> list[ChartBar]:
    most = max((count.rows or 0 for count in counts), default=0) or 1
    return [
        ChartBar(
            count.label,
            (count.rows or 0) / most,
            texts.say("withheld") if count.rows is None else texts.format_count(count.rows),
        )
        for count in counts
    ]


def _describe(
    title: str, rows: int, bars: Sequence[ChartBar], texts: CohortTexts, phrase: str = "chart"
) -> str:
    """Return a chart in words."""
    values = [f"{bar.label}: {bar.value}" if bar.value else bar.label for bar in bars]
    return texts.say(phrase, title=title, rows=rows, counts="; ".join(values[:_SHOWN_BARS]))


def _write_chart(
    chart_id: str, words: str, bars: Sequence[ChartBar], most: int = _SHOWN_BARS
) -> Iterator[str]:
    name, height = f"chart-{chart_id}", len(bars[:most]) * _ITEM_HEIGHT + 4
    yield (
        f'<figure><svg role="img" aria-labelledby="{name}" width="{_CHART_WIDTH}" '
        f'height="{height}" viewBox="0 0 {_CHART_WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><title id="{name}">{escape(words)}</title>'
    )
    for place, bar in enumerate(bars[:most]):
        yield from _write_bar(bar, place * _ITEM_HEIGHT)
    yield "</svg></figure>"


def _write_bar(bar: ChartBar, top: int) -> Iterator[str]:
    width = round(bar.share * _BAR_WIDTH)
    label = bar.label if len(bar.label) <= 48 else f"{bar.label[:47]}\u2026"
    yield f'<text x="0" y="{top + 13}" font-size="13"><title>{escape(bar.label)}</title>'
    yield f"{escape(label)}</text>"
    yield f'<rect x="0" y="{top + 18}" width="{width}" height="13" fill="#2a6f97"/>'
    yield f'<text x="{width + 6}" y="{top + 29}" font-size="13">{escape(bar.value)}</text>'


def _write_cross_table(table: CrossTable, texts: CohortTexts) -> Iterator[str]:
    title = texts.say("by", title=table.title, column=table.column)
    yield f'<h3>{escape(title)}</h3><div class="scroll"><table>'
    header = table.rows[0].counts if table.rows else ()
    yield f'<thead><tr><th scope="col">{escape(table.column)}</th>'
    yield from (f'<th scope="col">{escape(count.label)}</th>' for count in header)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield f'<tr><th scope="row">{escape(row.value)}</th>'
        yield from (f"<td>{bar.value}</td>" for bar in _list_bars(row.counts, texts))
        yield "</tr>"
    yield "</tbody></table></div>"
    if table.values_left_out:
        yield _write_note(texts.say("more_values", count=table.values_left_out))


def _describe_small_counts(texts: CohortTexts) -> str:
    return texts.say("small_counts", most=SMALLEST_COUNT - 1)


def _write_note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'
