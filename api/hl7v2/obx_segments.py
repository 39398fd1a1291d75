"""Builds the OBX segments of an assessment, red flags first.

Withheld and unanswered results are sent without a value and with status `X`, never as zero.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

from api.hl7v2.fields import composed, escaped, instant, segment
from api.hl7v2.screening_event import SYSTEM, Report, Told
from schemas.assessment import Assessment
from schemas.base import plain_number

POINTS = composed("{score}", "score", "UCUM")
_FINAL, _CORRECTED, _ENTERED_IN_ERROR, _NO_VALUE = "F", "C", "W", "X"


class Observed(NamedTuple):
    """One observation before numbering; `value` is None where there is none."""

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


def observations(event: Told) -> list[str]:
    """Build every OBX segment, each followed by its notes, and finally the report."""
    lines: list[str] = []
    number = 0
    for number, observation in enumerate(_list_observations(event), start=1):
        lines.append(_build_obx(event, number, observation))
        lines += [
            segment("NTE", {1: str(note_number), 2: "L", 3: escaped(note)})
            for note_number, note in enumerate(observation.notes, start=1)
        ]
    if event.report is not None:
        lines.append(report_obx(event, event.report, number + 1))
    return lines


def report_obx(event: Told, report: Report, number: int) -> str:
    """Build the OBX of the report: its content as ED, or its URL as RP."""
    fields = {
        1: str(number),
        2: "RP" if report.url else "ED",
        3: composed(report.code, report.display, "LN"),
        4: "1",
        5: _build_report_pointer(event, report)
        if report.url
        else _encapsulate_report(event, report),
        11: _FINAL if event.event == "result" else _CORRECTED,
        14: instant(event.observed_at),
    }
    return segment("OBX", fields)


def _encapsulate_report(event: Told, report: Report) -> str:
    components = [
        component.replace("{form}", report.form.upper()) for component in event.options.encapsulated
    ]
    return "^".join([*map(escaped, components), b64encode(report.content).decode()])


def _build_report_pointer(event: Told, report: Report) -> str:
    application, kind, subtype, _ = event.options.encapsulated
    components = report.url, application, kind, subtype.replace("{form}", report.form.upper())
    return composed(*components)


def _build_obx(event: Told, number: int, observation: Observed) -> str:
    value = observation.value or ""
    fields = {
        1: str(number),
        2: observation.kind,
        3: composed(observation.code, observation.label, SYSTEM),
        4: observation.sub,
        5: value,
        6: observation.units,
        7: observation.range,
        8: "A" if observation.flagged else "",
        11: _determine_status(event, observation),
        14: instant(event.observed_at),
    }
    return segment("OBX", fields)


def _determine_status(event: Told, observation: Observed) -> str:
    if observation.wrong:
        return _ENTERED_IN_ERROR
    if observation.value is None:
        return _NO_VALUE
    return _FINAL if event.event == "result" else _CORRECTED


def _list_observations(event: Told) -> Iterator[Observed]:
    if event.event == "withdrawal":
        yield Observed("ST", "status", "Status of the screening", "entered in error")
        yield from (
            _as_withdrawn(observation)
            for observation in _describe_assessment(event)
            if observation.code != "status"
        )
    else:
        yield from _describe_assessment(event)


def _as_withdrawn(observation: Observed) -> Observed:
    """Drop the value of an observation that was entered in error."""
    return Observed(
        observation.kind, observation.code, observation.label, None, sub=observation.sub, wrong=True
    )


def _describe_assessment(event: Told) -> Iterator[Observed]:
    assessment = event.screening.assessment
    yield from _describe_safety(event, assessment)
    yield Observed("ST", "status", "Status of the screening", escaped(assessment.status))
    yield from _describe_totals(event, assessment)
    yield from _describe_criteria(assessment)
    notes = tuple(assessment.limitations)
    yield Observed("ST", "rulebook", "Rulebook", escaped(assessment.rulebook), notes=notes)


def _describe_safety(event: Told, assessment: Assessment) -> Iterator[Observed]:
    safety = assessment.safety
    labels = {level.id: level.label for level in event.rulebook.tier}
    tier = composed(safety.tier, labels.get(safety.tier, "No red flag reported"), SYSTEM)
    yield Observed("CE", "tier", "Red flags, most urgent tier", tier, flagged=bool(safety.flags))
    for sub_id, flag in enumerate(safety.flags, start=1):
        notes = f"{flag.tier} {flag.id}", flag.suspect, flag.action
        text = escaped(flag.label)
        yield Observed(
            "TX", "red_flag", "Red flag", text, sub=str(sub_id), flagged=True, notes=notes
        )
    if safety.unanswered:
        question_ids = ", ".join(safety.unanswered)
        yield Observed(
            "TX", "safety_unanswered", "Safety questions not answered", escaped(question_ids)
        )


def _describe_totals(event: Told, assessment: Assessment) -> Iterator[Observed]:
    results = assessment.totals or {}
    bands = {band.id: band for band in event.rulebook.band}
    for total in event.rulebook.total:
        result = results.get(total.id)
        value = f"{plain_number(result.points)}" if result else None
        yield Observed("NM", total.id, total.label, value, units=POINTS if result else "")
        label = f"{total.label}, least and most once all is answered"
        least_most = (
            f"^{plain_number(result.range.least)}^-^{plain_number(result.range.most)}"
            if result
            else None
        )
        yield Observed("SN", f"{total.id}.range"[:20], label, least_most)
        if total.banded:
            band = bands.get(result.band or "") if result else None
            value = composed(band.id, band.label, SYSTEM) if band else None
            notes = (band.meaning,) if band else ()
            yield Observed(
                "CE", f"{total.id}.band"[:20], f"{total.label}, band", value, notes=notes
            )


def _describe_criteria(assessment: Assessment) -> Iterator[Observed]:
    for criterion in assessment.criteria or ():
        value = None if criterion.points is None else f"{plain_number(criterion.points)}"
        notes = (f"{criterion.verdict}: {criterion.because}",)
        units = POINTS if value is not None else ""
        yield Observed("NM", criterion.id, criterion.label, value, units=units, notes=notes)
