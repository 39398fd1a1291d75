"""Build the charts of a report: positions from 0 to 100 and a text alternative for each."""

from decimal import Decimal
from itertools import pairwise

from reports.phrases import Phrases
from reports.view.heading import EarlierScreening, ReportHeading
from schemas.assessment import Assessment, TotalPoints
from schemas.base import FrozenModel, Many
from schemas.rulebook import Band, Rulebook, Total

OUTER_BAND_POINTS = Decimal(4)
"""Least width of the first and the last band on the scale."""
RANGE_MARGIN_POINTS = Decimal(1)
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
    """The banded total on its scale, with the bands and the range."""

    segments: Many[ScaleSegment]
    range_start: float
    range_end: float
    total_position: float
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
    """Bars on a common axis with a zero line, and optionally their total."""

    zero: float
    rows: Many[Bar]
    total: Bar | None = None
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
    """The banded total over time; points of other rulebooks are drawn hollow."""

    zero: float
    points: Many[TrendPoint]
    alt_text: str


def build_scale(rulebook: Rulebook, assessment: Assessment, phrases: Phrases) -> BandScale | None:
    """Return the scale of the banded total; None if there is no such total or it is withheld."""
    main = find_banded_total(rulebook)
    if main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    edges = [edge for edge in map(_find_lower_edge, rulebook.band) if edge is not None]
    low = min(total.range.least - RANGE_MARGIN_POINTS, edges[0] - OUTER_BAND_POINTS)
    high = max(total.range.most + RANGE_MARGIN_POINTS, edges[-1] + OUTER_BAND_POINTS)
    starts = [low, *edges, high]
    segments = [
        ScaleSegment(
            label=band.label,
            start="" if _find_lower_edge(band) is None else phrases.format_number(start),
            position=_scale(start, low, high),
            width=_scale(end, low, high) - _scale(start, low, high),
            is_result=band.id == total.band,
        )
        for band, (start, end) in zip(rulebook.band, pairwise(starts), strict=True)
    ]
    return BandScale(
        segments=tuple(segments),
        range_start=_scale(total.range.least, low, high),
        range_end=_scale(total.range.most, low, high),
        total_position=_scale(total.points, low, high),
        total_label=phrases.format_number(total.points),
        alt_text=_describe_scale(rulebook, main, total, phrases),
    )


def build_ledger_chart(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> BarChart | None:
    """Return the ledgers as bars; None if there are none or they are withheld."""
    if assessment.picture is None:
        return None
    points = assessment.picture.ledgers
    low, high = min(Decimal(0), *points.values()), max(Decimal(10), *points.values())
    zero = _scale(Decimal(0), low, high)
    rows = tuple(
        Bar(
            label=ledger.label,
            points=phrases.format_number(points[ledger.id]),
            start=zero,
            end=_scale(points[ledger.id], low, high),
            is_negative=points[ledger.id] < 0,
        )
        for ledger in rulebook.ledger
    )
    return BarChart(zero=zero, rows=rows, alt_text=_describe_bars(rows, "ledgers_words", phrases))


def build_waterfall_chart(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> BarChart | None:
    """Return what each domain adds to the banded total, from zero; None if it is withheld."""
    main = find_banded_total(rulebook)
    if main is None or assessment.totals is None or assessment.domains is None:
        return None
    domains = [domain for domain in assessment.domains if domain.id in main.domains]
    sums = [Decimal(0)]
    for domain in domains:
        sums.append(sums[-1] + domain.points)
    low, high = min(sums), max(*sums, Decimal(1))
    rows = tuple(
        Bar(
            label=domain.label,
            points=phrases.format_signed(domain.points),
            start=_scale(before, low, high),
            end=_scale(after, low, high),
            is_negative=after < before,
        )
        for domain, (before, after) in zip(domains, pairwise(sums), strict=True)
    )
    zero = _scale(Decimal(0), low, high)
    total = Bar(
        label=main.label,
        points=phrases.format_number(sums[-1]),
        start=zero,
        end=_scale(sums[-1], low, high),
        is_negative=sums[-1] < 0,
    )
    words = _describe_bars((*rows, total), "waterfall_words", phrases)
    return BarChart(zero=zero, rows=rows, total=total, alt_text=words)


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
    low = min(Decimal(0), *(screening.points for screening in screenings))
    high = max(Decimal(1), *(screening.points for screening in screenings))
    labels = {band.id: band.label for band in rulebook.band}
    points = tuple(
        TrendPoint(
            on=phrases.format_date(screening.on) or "",
            points=phrases.format_number(screening.points),
            band=labels.get(screening.band or "", phrases.say("no_band")),
            rulebook=screening.rulebook,
            position=position,
            height=_scale(screening.points, low, high),
            is_current=screening is current,
            has_same_rulebook=screening.rulebook == assessment.rulebook,
        )
        for screening, position in zip(screenings, _spread_days(days), strict=True)
    )
    summary = phrases.say("list_mark").join(f"{point.on} {point.points}" for point in points)
    return TrendChart(
        zero=_scale(Decimal(0), low, high),
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


def find_banded_total(rulebook: Rulebook) -> Total | None:
    """Return the total that the bands refer to, or None."""
    return next((total for total in rulebook.total if total.banded), None)


def _describe_scale(rulebook: Rulebook, main: Total, total: TotalPoints, phrases: Phrases) -> str:
    labels = {band.id: band.label for band in rulebook.band}
    return phrases.say(
        "scale_words",
        total=main.label,
        points=phrases.format_number(total.points),
        least=phrases.format_number(total.range.least),
        most=phrases.format_number(total.range.most),
        band=labels[total.band] if total.band else phrases.say("no_band"),
    )


def _describe_bars(rows: Many[Bar], phrase: str, phrases: Phrases) -> str:
    summary = phrases.say("list_mark").join(f"{bar.label} {bar.points}" for bar in rows)
    return phrases.say(phrase, bars=summary)


def _find_lower_edge(band: Band) -> Decimal | None:
    return band.from_ if band.from_ is not None else band.above


def _scale(points: Decimal, low: Decimal, high: Decimal) -> float:
    return round(float((points - low) / (high - low) * 100), 2)
