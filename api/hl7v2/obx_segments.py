"""Builds the OBX segments of an assessment, red flags first.

Withheld and unanswered results are sent without a value and with status `X`, never as zero.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import MISSING

from api.documents.result_lines import describe_alternative, describe_tier, list_explanations
from api.hl7v2.fields import build_segment, escape_text, format_timestamp, join_components
from api.hl7v2.screening_event import CODING_SYSTEM, Hl7Report, ScreeningEvent
from reports.view.sections.flags import sort_by_tier
from schemas.assessments.assessment import Assessment, TotalPoints
from schemas.base import to_json_number
from schemas.rulebooks.rulebook import Total

POINTS_UNIT = join_components("{score}", "score", "UCUM")
_FINAL, _CORRECTED, _ENTERED_IN_ERROR, _NO_VALUE = "F", "C", "W", "X"


class ObxObservation(NamedTuple):
    """One observation before numbering; `value` is None where there is none."""

    value_type: str
    code: str
    label: str
    value: str | None
    sub_id: str = "1"
    units: str = ""
    reference_range: str = ""
    is_abnormal: bool = False
    is_withdrawn: bool = False
    notes: tuple[str, ...] = ()


def build_observations(event: ScreeningEvent) -> list[str]:
    """Build every OBX segment, each followed by its notes, and finally the report."""
    lines: list[str] = []
    number = 0
    for number, observation in enumerate(_list_observations(event), start=1):
        lines.append(_build_obx(event, number, observation))
        lines += [
            build_segment("NTE", {1: str(note_number), 2: "L", 3: escape_text(note)})
            for note_number, note in enumerate(observation.notes, start=1)
        ]
    if event.report is not None:
        lines.append(build_report_obx(event, event.report, number + 1))
    return lines


def build_report_obx(event: ScreeningEvent, report: Hl7Report, number: int) -> str:
    """Build the OBX of the report: its content as ED, or its URL as RP."""
    fields = {
        1: str(number),
        2: "RP" if report.url else "ED",
        3: join_components(report.code, report.display, "LN"),
        4: "1",
        5: _build_report_pointer(event, report)
        if report.url
        else _encapsulate_report(event, report),
        11: _FINAL if event.kind == "result" else _CORRECTED,
        14: format_timestamp(event.observed_at),
    }
    return build_segment("OBX", fields)


def _encapsulate_report(event: ScreeningEvent, report: Hl7Report) -> str:
    components = [
        component.replace("{form}", report.form.upper()) for component in event.options.encapsulated
    ]
    return "^".join([*map(escape_text, components), b64encode(report.content).decode()])


def _build_report_pointer(event: ScreeningEvent, report: Hl7Report) -> str:
    application, kind, subtype, _ = event.options.encapsulated
    components = report.url, application, kind, subtype.replace("{form}", report.form.upper())
    return join_components(*components)


def _build_obx(event: ScreeningEvent, number: int, observation: ObxObservation) -> str:
    value = observation.value or ""
    fields = {
        1: str(number),
        2: observation.value_type,
        3: join_components(observation.code, observation.label, CODING_SYSTEM),
        4: observation.sub_id,
        5: value,
        6: observation.units,
        7: observation.reference_range,
        8: "A" if observation.is_abnormal else "",
        11: _determine_status(event, observation),
        14: format_timestamp(event.observed_at),
    }
    return build_segment("OBX", fields)


def _determine_status(event: ScreeningEvent, observation: ObxObservation) -> str:
    if observation.is_withdrawn:
        return _ENTERED_IN_ERROR
    if observation.value is None:
        return _NO_VALUE
    return _FINAL if event.kind == "result" else _CORRECTED


def _list_observations(event: ScreeningEvent) -> Iterator[ObxObservation]:
    if event.kind == "withdrawal":
        yield ObxObservation("ST", "status", "Status of the screening", "entered in error")
        yield from (
            _as_withdrawn(observation)
            for observation in _describe_assessment(event)
            if observation.code != "status"
        )
    else:
        yield from _describe_assessment(event)


def _as_withdrawn(observation: ObxObservation) -> ObxObservation:
    """Drop the value of an observation that was entered in error."""
    return ObxObservation(
        observation.value_type,
        observation.code,
        observation.label,
        None,
        sub_id=observation.sub_id,
        is_withdrawn=True,
    )


def _describe_assessment(event: ScreeningEvent) -> Iterator[ObxObservation]:
    assessment = event.screening.assessment
    yield from _describe_safety(event, assessment)
    yield ObxObservation("ST", "status", "Status of the screening", escape_text(assessment.status))
    yield from _describe_totals(event, assessment)
    yield from _describe_explanations(event, assessment)
    yield from _describe_criteria(assessment)
    notes = tuple(assessment.limitations)
    yield ObxObservation(
        "ST", "rulebook", "Rulebook", escape_text(assessment.rulebook), notes=notes
    )


def _describe_safety(event: ScreeningEvent, assessment: Assessment) -> Iterator[ObxObservation]:
    safety = assessment.safety
    labels = {level.id: level.label for level in event.rulebook.tier}
    tier = join_components(
        safety.tier, labels.get(safety.tier, "No red flag reported"), CODING_SYSTEM
    )
    yield ObxObservation(
        "CE", "tier", "Red flags, most urgent tier", tier, is_abnormal=bool(safety.flags)
    )
    for sub_id, flag in enumerate(sort_by_tier(event.rulebook, assessment), start=1):
        notes = f"{describe_tier(flag)} {flag.id}", flag.suspect, flag.action
        text = escape_text(flag.label)
        yield ObxObservation(
            "TX", "red_flag", "Red flag", text, sub_id=str(sub_id), is_abnormal=True, notes=notes
        )
    if safety.unanswered:
        question_ids = ", ".join(safety.unanswered)
        yield ObxObservation(
            "TX", "safety_unanswered", "Safety questions not answered", escape_text(question_ids)
        )


def _describe_totals(event: ScreeningEvent, assessment: Assessment) -> Iterator[ObxObservation]:
    results = assessment.totals or {}
    bands = {band.id: band for band in event.rulebook.band}
    for total in event.rulebook.total:
        result = results.get(total.id)
        value = f"{to_json_number(result.points)}" if result else None
        yield ObxObservation(
            "NM", total.id, total.label, value, units=POINTS_UNIT if result else ""
        )
        label = f"{total.label}, least and most once all is answered"
        least_most = (
            f"^{to_json_number(result.range.least)}^-^{to_json_number(result.range.most)}"
            if result
            else None
        )
        yield ObxObservation("SN", f"{total.id}.range"[:20], label, least_most)
        if total.banded:
            band = bands.get(result.band or "") if result else None
            value = join_components(band.id, band.label, CODING_SYSTEM) if band else None
            notes = (band.meaning,) if band else ()
            yield ObxObservation(
                "CE", f"{total.id}.band"[:20], f"{total.label}, band", value, notes=notes
            )
            yield from _describe_band_range(event, total, result)


def _describe_band_range(
    event: ScreeningEvent, total: Total, result: TotalPoints | None
) -> Iterator[ObxObservation]:
    if event.screening.assessment.confidential is MISSING:
        return
    labels = {band.id: band.label for band in event.rulebook.band}
    band_range = result.band_range if result else None
    for end in ("least", "most"):
        band = getattr(band_range, end) if band_range else None
        value = join_components(band, labels[band], CODING_SYSTEM) if band else None
        yield ObxObservation("CE", f"band_{end}", f"{total.label}, band at the {end}", value)


def _describe_explanations(
    event: ScreeningEvent, assessment: Assessment
) -> Iterator[ObxObservation]:
    """Yield why there is no band, contradictions, what to ask first, and other explanations."""
    explanations, questions = list_explanations(assessment), event.rulebook.questions_by_id
    reasons = [(reason.text, (reason.id,)) for reason in explanations.why_no_band]
    yield from _list_texts("no_band", "Why no band is given", reasons)
    contradictions = [(item.text, (item.id,)) for item in explanations.contradictions]
    yield from _list_texts("contradiction", "Contradiction", contradictions)
    ask_first = [(questions[question].label, (question,)) for question in explanations.ask_first]
    yield from _list_texts("ask_first", "Question to ask first", ask_first)
    alternatives = [
        (row.label, (row.id, f"Strength: {row.strength}", describe_alternative(row)))
        for row in explanations.alternatives
    ]
    yield from _list_texts("alternative", "Other explanation", alternatives)


def _list_texts(
    code: str, label: str, texts: Iterable[tuple[str, tuple[str, ...]]]
) -> Iterator[ObxObservation]:
    for sub_id, (text, notes) in enumerate(texts, start=1):
        value = escape_text(text)
        yield ObxObservation("TX", code, label, value, sub_id=str(sub_id), notes=notes)


def _describe_criteria(assessment: Assessment) -> Iterator[ObxObservation]:
    for criterion in assessment.criteria or ():
        value = None if criterion.points is None else f"{to_json_number(criterion.points)}"
        notes = (f"{criterion.verdict}: {criterion.because}",)
        units = POINTS_UNIT if value is not None else ""
        yield ObxObservation("NM", criterion.id, criterion.label, value, units=units, notes=notes)
