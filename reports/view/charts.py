"""Build the charts of a report: positions from 0 to 100 and a text alternative for each."""

from decimal import Decimal
from itertools import pairwise

from reports.phrases import Wording
from reports.view.heading import EarlierScreening, Heading
from schemas.assessment import Assessment, TotalPoints
from schemas.base import FrozenModel, Many
from schemas.rulebook import Band, Rulebook, Total

OUTER_BAND_POINTS = Decimal(4)
"""Least width of the first and the last band on the scale."""
RANGE_MARGIN_POINTS = Decimal(1)
MIN_LABEL_GAP = 7.0
"""Least distance between the labels of a trend, in percent of its width."""


class Stretch(FrozenModel):
    """A band on the scale; `given` is the band of the result."""

    label: str
    start: str
    left: float
    width: float
    given: bool


class Scale(FrozenModel):
    """The banded total on its scale, with the bands and the range."""

    stretches: Many[Stretch]
    least: float
    most: float
    point: float
    least_text: str
    most_text: str
    point_text: str
    words: str


class Bar(FrozenModel):
    """One bar from `start` to `end`."""

    label: str
    points: str
    start: float
    end: float
    negative: bool = False


class Bars(FrozenModel):
    """Bars on a common axis with a zero line, and optionally their total."""

    zero: float
    rows: Many[Bar]
    total: Bar | None = None
    words: str


class TrendPoint(FrozenModel):
    """One screening of the trend; `now` is the reported one."""

    on: str
    points: str
    band: str
    rulebook: str
    left: float
    height: float
    now: bool
    same_rulebook: bool


class Trend(FrozenModel):
    """The banded total over time; points of other rulebooks are drawn hollow."""

    zero: float
    points: Many[TrendPoint]
    words: str


def scale(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> Scale | None:
    """Return the scale of the banded total; None if there is no such total or it is withheld."""
    main = banded(rulebook)
    if main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    edges = [edge for edge in map(_lower_edge, rulebook.band) if edge is not None]
    low = min(total.range.least - RANGE_MARGIN_POINTS, edges[0] - OUTER_BAND_POINTS)
    high = max(total.range.most + RANGE_MARGIN_POINTS, edges[-1] + OUTER_BAND_POINTS)
    starts = [low, *edges, high]
    segments = [
        Stretch(
            label=band.label,
            start="" if _lower_edge(band) is None else wording.number(start),
            left=_scale(start, low, high),
            width=_scale(end, low, high) - _scale(start, low, high),
            given=band.id == total.band,
        )
        for band, (start, end) in zip(rulebook.band, pairwise(starts), strict=True)
    ]
    return Scale(
        stretches=tuple(segments),
        least=_scale(total.range.least, low, high),
        most=_scale(total.range.most, low, high),
        point=_scale(total.points, low, high),
        least_text=wording.number(total.range.least),
        most_text=wording.number(total.range.most),
        point_text=wording.number(total.points),
        words=_describe_scale(rulebook, main, total, wording),
    )


def ledgers(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> Bars | None:
    """Return the ledgers as bars; None if there are none or they are withheld."""
    if assessment.picture is None:
        return None
    points = assessment.picture.ledgers
    low, high = min(Decimal(0), *points.values()), max(Decimal(10), *points.values())
    zero = _scale(Decimal(0), low, high)
    rows = tuple(
        Bar(
            label=ledger.label,
            points=wording.number(points[ledger.id]),
            start=zero,
            end=_scale(points[ledger.id], low, high),
            negative=points[ledger.id] < 0,
        )
        for ledger in rulebook.ledger
    )
    return Bars(zero=zero, rows=rows, words=_describe_bars(rows, "ledgers_words", wording))


def waterfall(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> Bars | None:
    """Return what domain domain adds to the banded total, from zero; None if it is withheld."""
    main = banded(rulebook)
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
            points=wording.signed(domain.points),
            start=_scale(before, low, high),
            end=_scale(after, low, high),
            negative=after < before,
        )
        for domain, (before, after) in zip(domains, pairwise(sums), strict=True)
    )
    zero = _scale(Decimal(0), low, high)
    total = Bar(
        label=main.label,
        points=wording.number(sums[-1]),
        start=zero,
        end=_scale(sums[-1], low, high),
        negative=sums[-1] < 0,
    )
    words = _describe_bars((*rows, total), "waterfall_words", wording)
    return Bars(zero=zero, rows=rows, total=total, words=words)


def trend(
    rulebook: Rulebook, assessment: Assessment, heading: Heading, wording: Wording
) -> Trend | None:
    """Return the earlier screenings and this one; None if there is nothing to compare."""
    main = banded(rulebook)
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
            on=wording.written(screening.on) or "",
            points=wording.number(screening.points),
            band=labels.get(screening.band or "", wording.say("no_band")),
            rulebook=screening.rulebook,
            left=left,
            height=_scale(screening.points, low, high),
            now=screening is current,
            same_rulebook=screening.rulebook == assessment.rulebook,
        )
        for screening, left in zip(screenings, _spread_days(days), strict=True)
    )
    summary = wording.say("list_mark").join(f"{point.on} {point.points}" for point in points)
    return Trend(
        zero=_scale(Decimal(0), low, high),
        points=points,
        words=wording.say("trend_words", total=main.label, points=summary),
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


def banded(rulebook: Rulebook) -> Total | None:
    """Return the total that the bands refer to, or None."""
    return next((total for total in rulebook.total if total.banded), None)


def _describe_scale(rulebook: Rulebook, main: Total, total: TotalPoints, wording: Wording) -> str:
    labels = {band.id: band.label for band in rulebook.band}
    return wording.say(
        "scale_words",
        total=main.label,
        points=wording.number(total.points),
        least=wording.number(total.range.least),
        most=wording.number(total.range.most),
        band=labels[total.band] if total.band else wording.say("no_band"),
    )


def _describe_bars(rows: Many[Bar], phrase: str, wording: Wording) -> str:
    summary = wording.say("list_mark").join(f"{bar.label} {bar.points}" for bar in rows)
    return wording.say(phrase, bars=summary)


def _lower_edge(band: Band) -> Decimal | None:
    return band.from_ if band.from_ is not None else band.above


def _scale(points: Decimal, low: Decimal, high: Decimal) -> float:
    return round(float((points - low) / (high - low) * 100), 2)
