"""Builds the CDS cards of a patient's latest screening, red flags first.

Cards only repeat stored results, and say that these are no diagnosis.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from api.documents.result_lines import (
    find_headline,
    find_result_words,
    list_result_lines,
)
from api.fhir.elements import CanonicalUrls
from api.fhir.questionnaire_catalogue import derive_form_id
from reports.view.sections.flags import sort_by_tier
from schemas.assessments.assessment import Assessment
from schemas.patients.screening import Screening
from scoring.compiled_rulebook import LoadedRulebook

Card = dict[str, Any]
MAX_SUMMARY_CHARACTERS = 139
_DISCLAIMER = "Decision support for clinicians, not a diagnosis."
_TEXTS_WITHOUT_BAND = {
    "withheld_red_flag": "withheld until the red flags are addressed",
    "out_of_scope": "out of scope for this patient",
    "insufficient_information": "insufficient information",
    "scored": "no band",
}


class ChartContext(NamedTuple):
    """Context of the cards: the EHR's id of the patient, and the newest active rulebook."""

    patient_id: str
    newest_rulebook: LoadedRulebook
    due_after_days: int
    urls: CanonicalUrls
    now: datetime


def build_cards(
    chart: ChartContext, latest: Screening | None, scored_by: LoadedRulebook | None
) -> list[Card]:
    """Build the cards of the latest screening, and one if the questionnaire is due."""
    cards: list[Card] = []
    if latest is not None and scored_by is not None:
        cards = [*_build_screening_cards(chart, latest, scored_by)]
    if latest is None or latest.created_at < chart.now - timedelta(days=chart.due_after_days):
        cards.append(_build_due_card(chart, latest))
    return cards


def _build_screening_cards(
    chart: ChartContext, latest: Screening, scored_by: LoadedRulebook
) -> Iterator[Card]:
    link = {
        "label": "All reasons and the report",
        "url": f"{chart.urls.service_url}/desk/screenings/{latest.id}",
        "type": "absolute",
    }
    if latest.assessment.safety.flags:
        yield _build_red_flag_card(chart, latest, scored_by) | {"links": [link]}
    yield _build_result_card(chart, latest, scored_by) | {"links": [link]}


def _build_red_flag_card(chart: ChartContext, latest: Screening, scored_by: LoadedRulebook) -> Card:
    flags = sort_by_tier(scored_by.rulebook, latest.assessment)
    tier_id = latest.assessment.safety.tier
    tier = next(tier for tier in scored_by.rulebook.tier if tier.id == tier_id)
    acknowledgement = (
        "Acknowledged in nociscreen."
        if latest.acknowledgements
        else "Not acknowledged in nociscreen."
    )
    lines = [
        f"- **{flag.label}.** {'Assessed. ' if flag.assessed is True else ''}{flag.action}"
        for flag in flags
    ]
    count = "1 red flag" if len(flags) == 1 else f"{len(flags)} red flags"
    return _build_card(
        chart,
        f"flags {latest.id}",
        f"{tier.label}: {count} in the screening of {_format_date(latest)}",
        "critical" if tier.withholds else "warning",
        "\n".join([*lines, "", acknowledgement]),
    )


def _build_result_card(chart: ChartContext, latest: Screening, scored_by: LoadedRulebook) -> Card:
    assessment = latest.assessment
    meaning = next(
        (total.meaning for total in (assessment.totals or {}).values() if total.band), None
    )
    band = _find_band_label(assessment, scored_by) or _TEXTS_WITHOUT_BAND[assessment.status]
    words = find_result_words(scored_by.rulebook, assessment)
    if words is not None:
        meaning = words.headline
        band = find_headline(scored_by.rulebook, assessment) or band
    lines = [
        meaning,
        *list_result_lines(scored_by.rulebook, assessment),
        *_list_missing_answers(assessment),
        _DISCLAIMER,
    ]
    return _build_card(
        chart,
        f"result {latest.id}",
        f"{scored_by.rulebook.rulebook.title}, {_format_date(latest)}: {band}",
        "critical" if assessment.status == "withheld_red_flag" else "info",
        "\n\n".join(filter(None, lines)),
    )


def _list_missing_answers(assessment: Assessment) -> list[str]:
    missing_count = len(assessment.missing or ())
    unanswered_count = len(assessment.safety.unanswered)
    lines = []
    if missing_count:
        lines.append(
            f"Questions not answered: {missing_count}. An unanswered question is not a no."
        )
    if unanswered_count:
        lines.append(f"Red flag questions not answered: {unanswered_count}.")
    return lines


def _find_band_label(assessment: Assessment, scored_by: LoadedRulebook) -> str | None:
    band_id = assessment.find_band()
    return next((band.label for band in scored_by.rulebook.band if band.id == band_id), None)


def _build_due_card(chart: ChartContext, latest: Screening | None) -> Card:
    header = chart.newest_rulebook.rulebook.rulebook
    questionnaire_id = derive_form_id(header.instrument, for_patient=True)
    canonical = f"{chart.urls.questionnaire_url(questionnaire_id)}|{header.version}"
    detail = (
        f"The latest screening is from {_format_date(latest)}, "
        f"more than {chart.due_after_days} days ago."
        if latest
        else "No screening is stored under the patient's identifiers."
    )
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "description": header.title,
        "for": {"reference": f"Patient/{chart.patient_id}"},
        "input": [{"type": {"text": "questionnaire"}, "valueCanonical": canonical}],
    }
    key = f"due {header.instrument} {chart.patient_id} {latest.id if latest else ''}"
    return _build_card(chart, key, f"{header.title}: questionnaire due", "info", detail) | {
        "suggestions": [
            {
                "label": "Ask the patient to fill in the questionnaire",
                "uuid": str(uuid5(NAMESPACE_URL, f"{chart.urls.service_url} order {key}")),
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


def _build_card(chart: ChartContext, key: str, summary: str, indicator: str, detail: str) -> Card:
    """Build a card. The same key gives the same UUID, so that feedback refers to one card."""
    instrument = chart.newest_rulebook.rulebook.rulebook.instrument
    return {
        "uuid": str(uuid5(NAMESPACE_URL, f"{chart.urls.service_url} {instrument} {key}")),
        "summary": summary
        if len(summary) <= MAX_SUMMARY_CHARACTERS
        else f"{summary[: MAX_SUMMARY_CHARACTERS - 1]}…",
        "indicator": indicator,
        "detail": detail,
        "source": {"label": "nociscreen", "url": f"{chart.urls.service_url}/"},
    }


def _format_date(screening: Screening) -> str:
    return (screening.context.answered_on or screening.created_at.date()).isoformat()
