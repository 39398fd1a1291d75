"""Build the page of a patient: all screenings, their course over time, and when to screen again."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from api.desk.screening_rows import DisplayFormatter
from reports.phrases import load_phrases
from reports.view.charts import Axis, find_axis
from reports.view.result_words import find_banded_total
from schemas.assessments.assessment import TotalPoints
from schemas.base import FrozenModel, Many, Name, Text
from schemas.patients.links import LinkDetail
from schemas.patients.screening import Screening

PERCENT = 100


class Measure(FrozenModel):
    """A score that is followed over time."""

    id: Name
    label: Text
    derived: Many[Name]
    answers: Many[Name]
    exact_answers: Many[Name] = ()
    maximum: int
    decimals: int
    meaningful_fall_percent: int | None = None


class Measures(FrozenModel):
    """The content of `measures.toml`."""

    measure: Many[Measure] = Field(min_length=1)


class CoursePoint(NamedTuple):
    """A value at a day: positions in percent, with the range where it has one."""

    day: str
    text: str
    position: float
    height: float
    least: float | None = None
    most: float | None = None


class CourseLine(NamedTuple):
    """Values that may be joined by a line: those under one version of a rulebook."""

    label: str
    number: int
    points: tuple[CoursePoint, ...]


class CourseChart(NamedTuple):
    """The course of one value; `low` and `high` are the ends of its axis."""

    heading: str
    low: str
    high: str
    zero: float
    lines: tuple[CourseLine, ...]
    change: "MeasureChange | None" = None

    @property
    def alt_text(self) -> str:
        """The values in words."""
        lines = (
            f"{line.label}: " + "; ".join(f"{point.day} {point.text}" for point in line.points)
            for line in self.lines
        )
        return f"{self.heading}. " + ". ".join(lines)


class MeasureChange(NamedTuple):
    """By how many percent a score fell since the first one; negative if it rose."""

    percent: int
    is_meaningful: bool
    threshold: int


class ScreeningEntry(NamedTuple):
    """One screening as a row of the page."""

    id: str
    day: str
    rulebook: str
    title: str
    tier: str
    tier_label: str
    flag_count: int
    is_acknowledged: bool
    result: str | None
    status: str
    total: str
    total_range: str
    ledgers: tuple[tuple[str, str], ...]
    measures: tuple[tuple[str, str], ...]
    came: tuple[str, ...]
    went: tuple[str, ...]
    is_rescored: bool


class PatientCourse(NamedTuple):
    """All screenings of a patient, newest first, with charts and the day of the next one."""

    entries: tuple[ScreeningEntry, ...]
    charts: tuple[CourseChart, ...]
    next_due: date | None
    is_overdue: bool
    open_link_until: str | None


def build_course(
    screenings: Sequence[Screening],
    links: Iterable[LinkDetail],
    default_days: int,
    today: date,
    formatter: DisplayFormatter,
) -> PatientCourse:
    """Return the course of a patient; the screenings come newest first."""
    builder = _CourseBuilder(screenings, formatter)
    links = tuple(links)
    next_due = _find_next_due(screenings, links, default_days, builder)
    open_links = [link for link in links if link.state in {"new", "started"}]
    return PatientCourse(
        tuple(map(builder.build_entry, screenings)),
        tuple(builder.build_charts()),
        next_due,
        next_due is not None and next_due < today,
        formatter.format_day(max(link.expires_at for link in open_links)) if open_links else None,
    )


class _CourseBuilder:
    """Puts the screenings of one patient into rows and charts."""

    def __init__(self, screenings: Sequence[Screening], formatter: DisplayFormatter) -> None:
        self._screenings = screenings
        self._formatter = formatter
        self._phrases = load_phrases(formatter.language)
        self._by_id = {screening.id: screening for screening in screenings}

    def find_day(self, screening: Screening) -> date:
        """Return the day of the answers; a rescored screening has that of its original."""
        if screening.context.answered_on is not None:
            return screening.context.answered_on
        original = self._by_id.get(screening.rescored_from or "", screening)
        return original.created_at.astimezone(self._formatter.time_zone).date()

    def build_entry(self, screening: Screening) -> ScreeningEntry:
        """Return a screening as a row."""
        assessment, formatter = screening.assessment, self._formatter
        total = self._find_total(screening)
        came, went = self._compare_patterns(screening)
        book = formatter.find_rulebook(assessment.rulebook)
        labels = {ledger.id: ledger.label for ledger in book.ledger} if book else {}
        ledgers = assessment.picture.ledgers if assessment.picture else {}
        has_band = total is not None and total.band is not None
        number = self._phrases.format_number
        return ScreeningEntry(
            id=screening.id,
            day=formatter.format_day(self.find_day(screening)),
            rulebook=assessment.rulebook,
            title=formatter.format_title(assessment.rulebook),
            tier=assessment.safety.tier,
            tier_label=formatter.format_tier(assessment.rulebook, assessment.safety.tier),
            flag_count=len(assessment.safety.flags),
            is_acknowledged=screening.is_acknowledged,
            result=formatter.format_band(assessment.rulebook, total.band if total else None),
            status=assessment.status,
            total=number(total.points) if total and has_band else "",
            total_range=f"{number(total.range.least)} … {number(total.range.most)}"
            if total
            else "",
            ledgers=tuple((labels.get(name, name), number(it)) for name, it in ledgers.items()),
            measures=tuple(
                (measure.label, self._format_score(measure, score))
                for measure in load_measures()
                if (score := find_score(measure, screening)) is not None
            ),
            came=came,
            went=went,
            is_rescored=screening.rescored_from is not None,
        )

    def build_charts(self) -> Iterable[CourseChart]:
        """Yield the chart of the banded total of each instrument, then those of the scores."""
        instruments = dict.fromkeys(
            screening.assessment.rulebook.partition("@")[0] for screening in self._screenings
        )
        for instrument in instruments:
            screenings = [
                screening
                for screening in self._oldest_first()
                if screening.assessment.rulebook.partition("@")[0] == instrument
                and self._find_total(screening)
            ]
            if screenings:
                yield self._chart_total(screenings)
        for measure in load_measures():
            if (chart := self._chart_measure(measure)) is not None:
                yield chart

    def _chart_total(self, screenings: list[Screening]) -> CourseChart:
        newest = self._formatter.find_rulebook(screenings[-1].assessment.rulebook)
        main = find_banded_total(newest) if newest else None
        if newest is None or main is None:
            raise ValueError("the total of an unknown rulebook has no chart")
        axis = find_axis(newest, main)
        number, scale = self._phrases.format_number, _Scale(screenings, self.find_day)
        lines: dict[str, list[CoursePoint]] = {}
        for screening in screenings:
            total = self._find_total(screening)
            if total is None:
                continue
            text = f"{number(total.range.least)} … {number(total.range.most)}"
            has_band = total.band is not None
            point = CoursePoint(
                self._formatter.format_day(self.find_day(screening)),
                f"{number(total.points)} ({text})" if has_band else text,
                scale.place(screening),
                _limit(axis.scale(total.points)) if has_band else -1,
                _limit(axis.scale(total.range.least)),
                _limit(axis.scale(total.range.most)),
            )
            lines.setdefault(screening.assessment.rulebook, []).append(point)
        return CourseChart(
            main.label,
            number(axis.low),
            number(axis.high),
            axis.scale(Decimal(0)),
            tuple(
                CourseLine(name, place, tuple(points))
                for place, (name, points) in enumerate(lines.items())
            ),
        )

    def _chart_measure(self, measure: Measure) -> CourseChart | None:
        screenings = [it for it in self._oldest_first() if it.rescored_from is None]
        scores = [
            (screening, score)
            for screening in screenings
            if (score := find_score(measure, screening)) is not None
        ]
        if not scores:
            return None
        scale = _Scale([screening for screening, _ in scores], self.find_day)
        axis = Axis(Decimal(0), Decimal(measure.maximum))
        points = tuple(
            CoursePoint(
                self._formatter.format_day(self.find_day(screening)),
                self._format_score(measure, score),
                scale.place(screening),
                _limit(axis.scale(score)),
            )
            for screening, score in scores
        )
        line = CourseLine(measure.label, 0, points)
        change = _measure_change(measure, scores[0], scores[-1]) if len(scores) > 1 else None
        return CourseChart(measure.label, "0", str(measure.maximum), 0.0, (line,), change)

    def _oldest_first(self) -> list[Screening]:
        places = {screening.id: place for place, screening in enumerate(self._screenings)}
        return sorted(self._screenings, key=lambda it: (self.find_day(it), -places[it.id]))

    def _find_total(self, screening: Screening) -> TotalPoints | None:
        book = self._formatter.find_rulebook(screening.assessment.rulebook)
        main = find_banded_total(book) if book else None
        return (screening.assessment.totals or {}).get(main.id) if main else None

    def _compare_patterns(self, screening: Screening) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the patterns that came and went since the one before under the same version."""
        rulebook, in_order = screening.assessment.rulebook, self._oldest_first()
        earlier = [
            it
            for it in in_order[: in_order.index(screening)]
            if it.assessment.rulebook == rulebook and it.assessment.patterns
        ]
        if not earlier or screening.assessment.patterns is None:
            return (), ()
        before, now = _find_seen(earlier[-1]), _find_seen(screening)
        book = self._formatter.find_rulebook(rulebook)
        labels = {pattern.number: pattern.label for pattern in book.pattern} if book else {}
        return (
            tuple(labels.get(number, str(number)) for number in sorted(now - before)),
            tuple(labels.get(number, str(number)) for number in sorted(before - now)),
        )

    def _format_score(self, measure: Measure, score: Decimal) -> str:
        return self._phrases.format_number(round(score, measure.decimals))


class _Scale:
    """Places screenings by their day, from 0 to 100."""

    def __init__(
        self, screenings: Iterable[Screening], find_day: Callable[[Screening], date]
    ) -> None:
        self._find_day = find_day
        days = [find_day(screening).toordinal() for screening in screenings]
        self._first, self._last = min(days), max(days)

    def place(self, screening: Screening) -> float:
        """Return the position of a screening; a single one is in the middle."""
        if self._first == self._last:
            return 50.0
        day = self._find_day(screening).toordinal() - self._first
        return round(day / (self._last - self._first) * 100, 2)


def find_score(measure: Measure, screening: Screening) -> Decimal | None:
    """Return the score of a screening, or None where it is incomplete."""
    derived = screening.assessment.derived or {}
    values = [derived.get(name) for name in measure.derived]
    if any(value is None for value in values):
        values = [screening.answers.get(name) for name in measure.answers]
    if not values or any(value is None for value in values):
        return None
    return sum((Decimal(str(value)) for value in values), Decimal(0))


@cache
def load_measures() -> tuple[Measure, ...]:
    """Load the scores that are followed."""
    text = (Path(__file__).parent / "measures.toml").read_text(encoding="utf-8")
    return Measures.model_validate(tomllib.loads(text)).measure


def _measure_change(
    measure: Measure, first: tuple[Screening, Decimal], last: tuple[Screening, Decimal]
) -> MeasureChange | None:
    """Return the change between two screenings with their scores, by exact scores if possible.

    The percentage is cut off, so that it says 30 only for a fall that is meaningful.
    """
    threshold = measure.meaningful_fall_percent
    before, after = _sum_exactly(measure, first[0]), _sum_exactly(measure, last[0])
    if before is None or after is None:
        before, after = first[1], last[1]
    if threshold is None or not before:
        return None
    fall = before - after
    is_meaningful = fall * PERCENT >= threshold * before
    return MeasureChange(int(fall * PERCENT / before), is_meaningful, threshold)


def _sum_exactly(measure: Measure, screening: Screening) -> Decimal | None:
    answers = [screening.answers.get(name) for name in measure.exact_answers]
    if not answers or None in answers:
        return None
    return sum((Decimal(str(answer)) for answer in answers), Decimal(0))


def _find_seen(screening: Screening) -> set[int]:
    patterns = screening.assessment.patterns
    return {it.number for it in patterns.list if it.state == "seen"} if patterns else set()


def _find_next_due(
    screenings: Sequence[Screening],
    links: Iterable[LinkDetail],
    default_days: int,
    builder: _CourseBuilder,
) -> date | None:
    by_link = [link.ask_again_on for link in links if link.ask_again_on is not None]
    if by_link:
        return max(by_link)
    days = [builder.find_day(screening) for screening in screenings]
    return max(days) + timedelta(days=default_days) if days else None


def _limit(position: float) -> float:
    return max(0.0, min(100.0, position))
