"""Pictures: places on a line, from 0 to 100, for what the report draws."""

from decimal import Decimal
from itertools import pairwise

from reports.words import number
from schemas.assessment import Assessment
from schemas.base import Frozen, Many
from schemas.rulebook import Band, Rulebook

BEYOND = Decimal(4)


class Stretch(Frozen):
    """A band on the line."""

    label: str
    start: str
    left: float
    width: float
    given: bool


class Scale(Frozen):
    """The banded total on its line: bands, the range and the point, with the same in words."""

    stretches: Many[Stretch]
    least: float
    width: float
    point: float
    least_text: str
    most_text: str
    point_text: str
    words: str


class Bar(Frozen):
    """One bar from the zero line."""

    label: str
    points: str
    left: float
    width: float


class Bars(Frozen):
    """Bars on one line, with the place of zero."""

    zero: float
    rows: Many[Bar]


def scale(rulebook: Rulebook, assessment: Assessment) -> Scale | None:
    """The scale of the banded total; None where there is none or it is withheld."""
    main = next((total for total in rulebook.total if total.banded), None)
    if main is None or assessment.totals is None:
        return None
    total = assessment.totals[main.id]
    edges = [edge for edge in (_edge(band) for band in rulebook.band) if edge is not None]
    low = min(total.range.least, edges[0] - BEYOND)
    high = max(total.range.most, edges[-1] + BEYOND)
    starts = [low, *edges, high]
    stretches = [
        Stretch(
            label=band.label,
            start="" if _edge(band) is None else number(start),
            left=_place(start, low, high),
            width=_place(end, low, high) - _place(start, low, high),
            given=band.id == total.band,
        )
        for band, (start, end) in zip(rulebook.band, pairwise(starts), strict=True)
    ]
    least, most = _place(total.range.least, low, high), _place(total.range.most, low, high)
    ends = f"{number(total.range.least)} to {number(total.range.most)}"
    return Scale(
        stretches=tuple(stretches),
        least=least,
        width=most - least,
        point=_place(total.points, low, high),
        least_text=number(total.range.least),
        most_text=number(total.range.most),
        point_text=number(total.points),
        words=f"{main.label} {number(total.points)} points, range {ends}.",
    )


def bars(rulebook: Rulebook, assessment: Assessment) -> Bars | None:
    """The ledgers as bars; None where there are none or they are withheld."""
    if assessment.picture is None:
        return None
    ledgers = assessment.picture.ledgers
    low = min(Decimal(0), *ledgers.values())
    high = max(Decimal(10), *ledgers.values())
    zero = _place(Decimal(0), low, high)
    rows = []
    for ledger in rulebook.ledger:
        points = ledgers[ledger.id]
        end = _place(points, low, high)
        rows.append(
            Bar(
                label=ledger.label,
                points=number(points),
                left=min(zero, end),
                width=abs(end - zero),
            )
        )
    return Bars(zero=zero, rows=tuple(rows))


def _edge(band: Band) -> Decimal | None:
    return band.from_ if band.from_ is not None else band.above


def _place(points: Decimal, low: Decimal, high: Decimal) -> float:
    return round(float((points - low) / (high - low) * 100), 2)
