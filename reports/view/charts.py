"""Pictures: places on a line, from 0 to 100, for what the report draws, with the same in words."""

from decimal import Decimal
from itertools import pairwise

from reports.phrases import Wording
from reports.view.heading import EarlierScreening, Heading
from schemas.assessment import Assessment, TotalPoints
from schemas.base import Frozen, Many
from schemas.rulebook import Band, Rulebook, Total

BEYOND = Decimal(4)
LABEL_GAP = 7.0
"""How far apart the numbers of a trend stand at least, of a hundred."""
MARGIN = Decimal(1)


class Stretch(Frozen):
    """A band on the line."""

    label: str
    start: str
    left: float
    width: float
    given: bool


class Scale(Frozen):
    """The banded total on its line: bands, the range and the point."""

    stretches: Many[Stretch]
    least: float
    most: float
    point: float
    least_text: str
    most_text: str
    point_text: str
    words: str


class Bar(Frozen):
    """One bar on the line, from where it starts to where it ends."""

    label: str
    points: str
    start: float
    end: float
    negative: bool = False


class Bars(Frozen):
    """Bars on one line, with the place of zero; the last may be their sum."""

    zero: float
    rows: Many[Bar]
    total: Bar | None = None
    words: str


class TrendPoint(Frozen):
    """One screening of the trend."""

    on: str
    points: str
    band: str
    rulebook: str
    left: float
    height: float
    now: bool
    same_rulebook: bool


class Trend(Frozen):
    """The banded total over time; what another rulebook gave is drawn hollow."""

    zero: float
    points: Many[TrendPoint]
    words: str


def scale(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> Scale | None:
    """The scale of the banded total; None where there is none or it is withheld."""
    main = banded(rulebook)
    if main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    edges = [edge for edge in (_edge(band) for band in rulebook.band) if edge is not None]
    low = min(total.range.least - MARGIN, edges[0] - BEYOND)
    high = max(total.range.most + MARGIN, edges[-1] + BEYOND)
    starts = [low, *edges, high]
    stretches = [
        Stretch(
            label=band.label,
            start="" if _edge(band) is None else wording.number(start),
            left=_place(start, low, high),
            width=_place(end, low, high) - _place(start, low, high),
            given=band.id == total.band,
        )
        for band, (start, end) in zip(rulebook.band, pairwise(starts), strict=True)
    ]
    return Scale(
        stretches=tuple(stretches),
        least=_place(total.range.least, low, high),
        most=_place(total.range.most, low, high),
        point=_place(total.points, low, high),
        least_text=wording.number(total.range.least),
        most_text=wording.number(total.range.most),
        point_text=wording.number(total.points),
        words=_scale_words(rulebook, main, total, wording),
    )


def ledgers(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> Bars | None:
    """The ledgers as bars; None where there are none or they are withheld."""
    if assessment.picture is None:
        return None
    given = assessment.picture.ledgers
    low, high = min(Decimal(0), *given.values()), max(Decimal(10), *given.values())
    zero = _place(Decimal(0), low, high)
    rows = tuple(
        Bar(
            label=each.label,
            points=wording.number(given[each.id]),
            start=zero,
            end=_place(given[each.id], low, high),
            negative=given[each.id] < 0,
        )
        for each in rulebook.ledger
    )
    return Bars(zero=zero, rows=rows, words=_bar_words(rows, "ledgers_words", wording))


def waterfall(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> Bars | None:
    """What each domain adds to the banded total, from zero on; None where it is withheld."""
    main = banded(rulebook)
    if main is None or assessment.totals is None or assessment.domains is None:
        return None
    steps = [each for each in assessment.domains if each.id in main.domains]
    sums = [Decimal(0)]
    for each in steps:
        sums.append(sums[-1] + each.points)
    low, high = min(sums), max(*sums, Decimal(1))
    rows = tuple(
        Bar(
            label=each.label,
            points=wording.signed(each.points),
            start=_place(before, low, high),
            end=_place(after, low, high),
            negative=after < before,
        )
        for each, (before, after) in zip(steps, pairwise(sums), strict=True)
    )
    zero = _place(Decimal(0), low, high)
    total = Bar(
        label=main.label,
        points=wording.number(sums[-1]),
        start=zero,
        end=_place(sums[-1], low, high),
        negative=sums[-1] < 0,
    )
    words = _bar_words((*rows, total), "waterfall_words", wording)
    return Bars(zero=zero, rows=rows, total=total, words=words)


def trend(
    rulebook: Rulebook, assessment: Assessment, heading: Heading, wording: Wording
) -> Trend | None:
    """This screening after the earlier ones; None where there is nothing to compare."""
    main = banded(rulebook)
    if not heading.earlier or main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    now = EarlierScreening(
        on=heading.assessed_on,
        points=total.points,
        band=total.band,
        rulebook=assessment.rulebook,
    )
    shown = [*sorted(heading.earlier, key=lambda each: each.on), now]
    days = [each.on.toordinal() for each in shown]
    low = min(Decimal(0), *(each.points for each in shown))
    high = max(Decimal(1), *(each.points for each in shown))
    labels = {band.id: band.label for band in rulebook.band}
    points = tuple(
        TrendPoint(
            on=wording.written(each.on) or "",
            points=wording.number(each.points),
            band=labels.get(each.band or "", wording.say("no_band")),
            rulebook=each.rulebook,
            left=left,
            height=_place(each.points, low, high),
            now=each is now,
            same_rulebook=each.rulebook == assessment.rulebook,
        )
        for each, left in zip(shown, _apart(days), strict=True)
    )
    told = wording.say("list_mark").join(f"{each.on} {each.points}" for each in points)
    return Trend(
        zero=_place(Decimal(0), low, high),
        points=points,
        words=wording.say("trend_words", total=main.label, points=told),
    )


def _apart(days: list[int]) -> list[float]:
    """The places of days on their line, moved so far that each can bear its number."""
    first, last = min(days), max(*days, min(days) + 1)
    gap = min(LABEL_GAP, 100 / len(days))
    places: list[float] = []
    for day in days:
        place = (day - first) / (last - first) * 100
        places.append(max(place, places[-1] + gap) if places else place)
    end = 100.0
    for number in reversed(range(len(places))):
        places[number] = round(min(places[number], end), 2)
        end = places[number] - gap
    return places


def banded(rulebook: Rulebook) -> Total | None:
    """The total that bands are read from."""
    return next((total for total in rulebook.total if total.banded), None)


def _scale_words(rulebook: Rulebook, main: Total, total: TotalPoints, wording: Wording) -> str:
    labels = {band.id: band.label for band in rulebook.band}
    return wording.say(
        "scale_words",
        total=main.label,
        points=wording.number(total.points),
        least=wording.number(total.range.least),
        most=wording.number(total.range.most),
        band=labels[total.band] if total.band else wording.say("no_band"),
    )


def _bar_words(rows: Many[Bar], phrase: str, wording: Wording) -> str:
    listed = wording.say("list_mark").join(f"{each.label} {each.points}" for each in rows)
    return wording.say(phrase, bars=listed)


def _edge(band: Band) -> Decimal | None:
    return band.from_ if band.from_ is not None else band.above


def _place(points: Decimal, low: Decimal, high: Decimal) -> float:
    return round(float((points - low) / (high - low) * 100), 2)
