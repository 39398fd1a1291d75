"""Build the charts of a report: positions from 0 to 100 and a text alternative for each."""

from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from reports.phrases import Phrases
from reports.view.heading import EarlierScreening, ReportHeading
from reports.view.result_words import ResultWords, describe_result, find_banded_total
from schemas.assessments.assessment import Assessment, TotalPoints
from schemas.base import FrozenModel, Many
from schemas.rulebooks.rulebook import Band, Rulebook, Total

MIN_LABEL_GAP = 7.0
"""Least distance between the labels of a trend, in percent of its width."""


class ScaleSegment(FrozenModel):
    """A band on the scale."""

    label: str
    start: str
    position: float
    width: float
    is_result: bool


class BandScale(FrozenModel):
    """The banded total on its scale, with the bands and the range.

    Without a band the total has no position: only its range is known.
    """

    segments: Many[ScaleSegment]
    low: str
    high: str
    range_start: float
    range_end: float
    total_position: float | None
    total_label: str
    alt_text: str


class Bar(FrozenModel):
    """One bar from `start` to `end`."""

    label: str
    points: str
    start: float
    end: float
    is_negative: bool = False


class BarChart(FrozenModel):
    """Bars on a common axis with a zero line."""

    zero: float
    rows: Many[Bar]
    alt_text: str


class TrendPoint(FrozenModel):
    """One screening of the trend; the current one is the reported one."""

    on: str
    points: str
    band: str
    rulebook: str
    position: float
    height: float
    is_current: bool
    has_same_rulebook: bool


class TrendChart(FrozenModel):
    """The banded total over time; points of other rulebooks are hollow and not joined."""

    zero: float
    low: str
    high: str
    points: Many[TrendPoint]
    alt_text: str


def build_scale(rulebook: Rulebook, assessment: Assessment, phrases: Phrases) -> BandScale | None:
    """Return the scale of the banded total; None if there is no such total or it is withheld."""
    main = find_banded_total(rulebook)
    if main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    axis = find_axis(rulebook, main)
    edges = [edge for edge in map(_find_lower_edge, rulebook.band) if edge is not None]
    starts = [axis.low, *edges, axis.high]
    segments = [
        ScaleSegment(
            label=band.label,
            start="" if _find_lower_edge(band) is None else phrases.format_number(start),
            position=axis.scale(start),
            width=axis.scale(end) - axis.scale(start),
            is_result=band.id == total.band,
        )
        for band, (start, end) in zip(rulebook.band, pairwise(starts), strict=True)
    ]
    return BandScale(
        segments=tuple(segments),
        low=phrases.format_number(axis.low),
        high=phrases.format_number(axis.high),
        range_start=axis.scale(total.range.least),
        range_end=axis.scale(total.range.most),
        total_position=None if total.band is None else axis.scale(total.points),
        total_label="" if total.band is None else phrases.format_number(total.points),
        alt_text=_describe_scale(
            main, total, describe_result(rulebook, assessment, phrases), phrases
        ),
    )


class Axis(NamedTuple):
    """An axis from the least to the most points."""

    low: Decimal
    high: Decimal

    def scale(self, points: Decimal) -> float:
        """Return the position of the points, from 0 to 100."""
        return round(float((points - self.low) / (self.high - self.low) * 100), 2)


def find_axis(rulebook: Rulebook, total: Total) -> Axis:
    """Return the axis of a total, the same for every assessment: its least and most points."""
    domains = [domain for domain in rulebook.domain if domain.id in total.domains]
    return Axis(
        sum((domain.floor for domain in domains), Decimal(0)),
        sum((domain.ceiling for domain in domains), Decimal(0)),
    )


def build_ledger_chart(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> BarChart | None:
    """Return the ledgers as bars; None if there are none or they are withheld."""
    if assessment.picture is None:
        return None
    points = assessment.picture.ledgers
    axis = Axis(min(Decimal(0), *points.values()), max(Decimal(10), *points.values()))
    zero = axis.scale(Decimal(0))
    rows = tuple(
        Bar(
            label=ledger.label,
            points=phrases.format_number(points[ledger.id]),
            start=zero,
            end=axis.scale(points[ledger.id]),
            is_negative=points[ledger.id] < 0,
        )
        for ledger in rulebook.ledger
    )
    return BarChart(zero=zero, rows=rows, alt_text=_describe_bars(rows, phrases))


def build_trend_chart(
    rulebook: Rulebook, assessment: Assessment, heading: ReportHeading, phrases: Phrases
) -> TrendChart | None:
    """Return the earlier screenings and this one; None if there is nothing to compare."""
    main = find_banded_total(rulebook)
    if not heading.earlier or main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    current = EarlierScreening(
        on=heading.assessed_on,
        points=total.points,
        band=total.band,
        rulebook=assessment.rulebook,
    )
    screenings = [*sorted(heading.earlier, key=lambda screening: screening.on), current]
    days = [screening.on.toordinal() for screening in screenings]
    axis = find_axis(rulebook, main)
    labels = {band.id: band.label for band in rulebook.band}
    points = tuple(
        TrendPoint(
            on=phrases.format_date(screening.on) or "",
            points=phrases.format_number(screening.points),
            band=labels.get(screening.band or "", phrases.say("no_band")),
            rulebook=screening.rulebook,
            position=position,
            height=max(0, min(100, axis.scale(screening.points))),
            is_current=screening is current,
            has_same_rulebook=screening.rulebook == assessment.rulebook,
        )
        for screening, position in zip(screenings, _spread_days(days), strict=True)
    )
    summary = phrases.say("list_mark").join(f"{point.on} {point.points}" for point in points)
    return TrendChart(
        zero=axis.scale(Decimal(0)),
        low=phrases.format_number(axis.low),
        high=phrases.format_number(axis.high),
        points=points,
        alt_text=phrases.say("trend_words", total=main.label, points=summary),
    )


def _spread_days(days: list[int]) -> list[float]:
    """Return the positions of ascending days, moved apart so that their labels don't overlap."""
    first, last = min(days), max(*days, min(days) + 1)
    gap = min(MIN_LABEL_GAP, 100 / len(days))
    positions: list[float] = []
    for day in days:
        position = (day - first) / (last - first) * 100
        positions.append(max(position, positions[-1] + gap) if positions else position)
    end = 100.0
    for index in reversed(range(len(positions))):
        positions[index] = round(min(positions[index], end), 2)
        end = positions[index] - gap
    return positions


def _describe_scale(main: Total, total: TotalPoints, result: ResultWords, phrases: Phrases) -> str:
    return phrases.say(
        "scale_words" if total.band else "scale_words_without_band",
        total=main.label,
        points=phrases.format_number(total.points),
        least=phrases.format_number(total.range.least),
        most=phrases.format_number(total.range.most),
        band=result.title,
    )


def _describe_bars(rows: Many[Bar], phrases: Phrases) -> str:
    summary = phrases.say("list_mark").join(f"{bar.label} {bar.points}" for bar in rows)
    return phrases.say("ledgers_words", bars=summary)


def _find_lower_edge(band: Band) -> Decimal | None:
    return band.from_ if band.from_ is not None else band.above
