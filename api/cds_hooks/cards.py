"""Cards: the latest screening of a patient, or none, told beside the chart. Red flags come first.

Nothing is computed here: what was concluded is told, and what it is not: a diagnosis.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from api.fhir.elements import Base
from api.fhir.questionnaire_catalogue import form_id
from schemas.assessment import Assessment
from schemas.screening import Screening
from scoring.compiled_rulebook import LoadedRulebook

Card = dict[str, Any]
SUMMARY = 139
_NOT_A_DIAGNOSIS = "Decision support for clinicians, not a diagnosis."
_WITHOUT_BAND = {
    "withheld_red_flag": "withheld until the red flags are dealt with",
    "out_of_scope": "out of scope for this patient",
    "insufficient_information": "too little is known",
    "scored": "no band",
}


class Chart(NamedTuple):
    """What cards are made of: the patient as the EHR names it, and the newest rulebook in use."""

    patient: str
    newest: LoadedRulebook
    days: int
    url: str
    now: datetime


def cards(chart: Chart, latest: Screening | None, scored_by: LoadedRulebook | None) -> list[Card]:
    """The cards of a chart: of its latest screening, scored by this rulebook; or what is due."""
    told: list[Card] = []
    if latest is not None and scored_by is not None:
        told = [*_of_screening(chart, latest, scored_by)]
    if latest is None or latest.created_at < chart.now - timedelta(days=chart.days):
        told.append(_due(chart, latest))
    return told


def _of_screening(chart: Chart, latest: Screening, scored_by: LoadedRulebook) -> Iterator[Card]:
    flags = latest.assessment.safety.flags
    link = {
        "label": "Every reason, and the report",
        "url": f"{chart.url}/desk/screenings/{latest.id}",
        "type": "absolute",
    }
    if flags:
        yield _red_flags(chart, latest, scored_by) | {"links": [link]}
    yield _result(chart, latest, scored_by) | {"links": [link]}


def _red_flags(chart: Chart, latest: Screening, scored_by: LoadedRulebook) -> Card:
    flags = latest.assessment.safety.flags
    tier = next(
        each for each in scored_by.rulebook.tier if each.id == latest.assessment.safety.tier
    )
    seen = (
        "Somebody acknowledged them here." if latest.acknowledgements else "Not acknowledged here."
    )
    lines = [f"- **{each.label}.** {each.action}" for each in flags]
    count = "1 red flag" if len(flags) == 1 else f"{len(flags)} red flags"
    return _card(
        chart,
        f"flags {latest.id}",
        f"{tier.label}: {count} in the screening of {_day(latest)}",
        "critical" if tier.withholds else "warning",
        "\n".join([*lines, "", seen]),
    )


def _result(chart: Chart, latest: Screening, scored_by: LoadedRulebook) -> Card:
    told = latest.assessment
    meaning = next((each.meaning for each in (told.totals or {}).values() if each.band), None)
    lines = [meaning or "", *_missing(told), _NOT_A_DIAGNOSIS]
    band = _band(told, scored_by) or _WITHOUT_BAND[told.status]
    return _card(
        chart,
        f"result {latest.id}",
        f"{scored_by.rulebook.rulebook.title}, {_day(latest)}: {band}",
        "info",
        "\n\n".join(each for each in lines if each),
    )


def _missing(told: Assessment) -> list[str]:
    missing = len(told.missing or ())
    safety = len(told.safety.unanswered)
    return [
        *(
            [f"Questions not answered: {missing}. An unanswered question is not a no."]
            * bool(missing)
        ),
        *([f"Red flag questions not answered: {safety}."] * bool(safety)),
    ]


def _band(told: Assessment, scored_by: LoadedRulebook) -> str | None:
    band = next((each.band for each in (told.totals or {}).values() if each.band), None)
    return next((each.label for each in scored_by.rulebook.band if each.id == band), None)


def _due(chart: Chart, latest: Screening | None) -> Card:
    about = chart.newest.rulebook.rulebook
    base = Base(chart.url)
    form = form_id(about.instrument, for_patient=True)
    canonical = f"{base.questionnaire(form)}|{about.version}"
    detail = (
        f"The latest one is of {_day(latest)}, more than {chart.days} days ago."
        if latest
        else "None is kept here under the patient's identifiers."
    )
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "description": about.title,
        "for": {"reference": f"Patient/{chart.patient}"},
        "input": [{"type": {"text": "questionnaire"}, "valueCanonical": canonical}],
    }
    key = f"due {about.instrument} {chart.patient} {latest.id if latest else ''}"
    return _card(chart, key, f"{about.title}: questionnaire due", "info", detail) | {
        "suggestions": [
            {
                "label": "Ask the patient to fill in the questionnaire",
                "uuid": str(uuid5(NAMESPACE_URL, f"{chart.url} order {key}")),
                "isRecommended": True,
                "actions": [
                    {
                        "type": "create",
                        "description": "An order to fill in the questionnaire",
                        "resource": task,
                    }
                ],
            }
        ],
        "selectionBehavior": "at-most-one",
    }


def _card(chart: Chart, key: str, summary: str, indicator: str, detail: str) -> Card:
    """A card; the same for the same thing told again, so that feedback is of one."""
    instrument = chart.newest.rulebook.rulebook.instrument
    return {
        "uuid": str(uuid5(NAMESPACE_URL, f"{chart.url} {instrument} {key}")),
        "summary": summary if len(summary) <= SUMMARY else f"{summary[: SUMMARY - 1]}…",
        "indicator": indicator,
        "detail": detail,
        "source": {"label": "nociscreen", "url": f"{chart.url}/"},
    }


def _day(screening: Screening) -> str:
    return (screening.context.answered_on or screening.created_at.date()).isoformat()
