"""Observations: an assessment as discrete OBX segments, red flags before everything.

What was withheld or not answered is sent without a value, and says so: it is never a zero.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

from api.hl7v2.fields import composed, escaped, instant, segment
from api.hl7v2.screening_event import SYSTEM, Report, Told
from schemas.assessment import Assessment
from schemas.base import plain_number

POINTS = composed("{score}", "score", "UCUM")
_FINAL, _CORRECTED, _WRONG, _NO_VALUE = "F", "C", "W", "X"


class Observed(NamedTuple):
    """One observation before it is numbered. A value of None is none."""

    kind: str
    code: str
    label: str
    value: str | None
    sub: str = "1"
    units: str = ""
    range: str = ""
    flagged: bool = False
    wrong: bool = False
    notes: tuple[str, ...] = ()


def observations(told: Told) -> list[str]:
    """Every OBX, with its notes after it, and at last the report."""
    lines: list[str] = []
    number = 0
    for number, each in enumerate(_all(told), start=1):
        lines.append(_obx(told, number, each))
        lines += [
            segment("NTE", {1: str(n), 2: "L", 3: escaped(note)})
            for n, note in enumerate(each.notes, start=1)
        ]
    if told.report is not None:
        lines.append(report_obx(told, told.report, number + 1))
    return lines


def report_obx(told: Told, report: Report, number: int) -> str:
    """The report as ED, or its address as RP."""
    fields = {
        1: str(number),
        2: "RP" if report.url else "ED",
        3: composed(report.code, report.display, "LN"),
        4: "1",
        5: _pointer(told, report) if report.url else _encapsulated(told, report),
        11: _FINAL if told.event == "result" else _CORRECTED,
        14: instant(told.observed_at),
    }
    return segment("OBX", fields)


def _encapsulated(told: Told, report: Report) -> str:
    words = [each.replace("{form}", report.form.upper()) for each in told.options.encapsulated]
    return "^".join([*map(escaped, words), b64encode(report.content).decode()])


def _pointer(told: Told, report: Report) -> str:
    application, kind, subtype, _ = told.options.encapsulated
    words = report.url, application, kind, subtype.replace("{form}", report.form.upper())
    return composed(*words)


def _obx(told: Told, number: int, each: Observed) -> str:
    value = each.value or ""
    fields = {
        1: str(number),
        2: each.kind,
        3: composed(each.code, each.label, SYSTEM),
        4: each.sub,
        5: value,
        6: each.units,
        7: each.range,
        8: "A" if each.flagged else "",
        11: _status(told, each),
        14: instant(told.observed_at),
    }
    return segment("OBX", fields)


def _status(told: Told, each: Observed) -> str:
    if each.wrong:
        return _WRONG
    if each.value is None:
        return _NO_VALUE
    return _FINAL if told.event == "result" else _CORRECTED


def _all(told: Told) -> Iterator[Observed]:
    if told.event == "withdrawal":
        yield Observed("ST", "status", "Status of the screening", "entered in error")
        yield from (_withdrawn(each) for each in _told(told) if each.code != "status")
    else:
        yield from _told(told)


def _withdrawn(each: Observed) -> Observed:
    """The same without its value: what was told is wrong, and is not told again."""
    return Observed(each.kind, each.code, each.label, None, sub=each.sub, wrong=True)


def _told(told: Told) -> Iterator[Observed]:
    assessment = told.screening.assessment
    yield from _safety(told, assessment)
    yield Observed("ST", "status", "Status of the screening", escaped(assessment.status))
    yield from _totals(told, assessment)
    yield from _criteria(assessment)
    notes = tuple(assessment.limitations)
    yield Observed("ST", "rulebook", "Rulebook", escaped(assessment.rulebook), notes=notes)


def _safety(told: Told, assessment: Assessment) -> Iterator[Observed]:
    safety = assessment.safety
    labels = {each.id: each.label for each in told.rulebook.tier}
    tier = composed(safety.tier, labels.get(safety.tier, "No red flag reported"), SYSTEM)
    yield Observed("CE", "tier", "Red flags, most urgent tier", tier, flagged=bool(safety.flags))
    for sub, flag in enumerate(safety.flags, start=1):
        notes = f"{flag.tier} {flag.id}", flag.suspect, flag.action
        words = escaped(flag.label)
        yield Observed("TX", "red_flag", "Red flag", words, sub=str(sub), flagged=True, notes=notes)
    if safety.unanswered:
        listed = ", ".join(safety.unanswered)
        yield Observed("TX", "safety_unanswered", "Safety questions not answered", escaped(listed))


def _totals(told: Told, assessment: Assessment) -> Iterator[Observed]:
    reached = assessment.totals or {}
    bands = {each.id: each for each in told.rulebook.band}
    for total in told.rulebook.total:
        given = reached.get(total.id)
        value = f"{plain_number(given.points)}" if given else None
        yield Observed("NM", total.id, total.label, value, units=POINTS if given else "")
        label = f"{total.label}, least and most once all is answered"
        least_most = (
            f"^{plain_number(given.range.least)}^-^{plain_number(given.range.most)}"
            if given
            else None
        )
        yield Observed("SN", f"{total.id}.range"[:20], label, least_most)
        if total.banded:
            band = bands.get(given.band or "") if given else None
            value = composed(band.id, band.label, SYSTEM) if band else None
            notes = (band.meaning,) if band else ()
            yield Observed(
                "CE", f"{total.id}.band"[:20], f"{total.label}, band", value, notes=notes
            )


def _criteria(assessment: Assessment) -> Iterator[Observed]:
    for each in assessment.criteria or ():
        value = None if each.points is None else f"{plain_number(each.points)}"
        notes = (f"{each.verdict}: {each.because}",)
        units = POINTS if value is not None else ""
        yield Observed("NM", each.id, each.label, value, units=units, notes=notes)
