"""Builds the QuestionnaireResponse of a draft, with the range that its score can still have."""

import json

from api.fhir.elements import (
    RESTRICTED,
    CanonicalUrls,
    Resource,
    build_identified_patient,
    format_instant,
)
from api.fhir.resources.questionnaire_response import merge_meta, replace_patient
from schemas.base import to_json_number
from schemas.patients.response_drafts import AttainableRange, ResponseDraft
from scoring.common_rules.safety import NO_TIER


def build_draft_response(draft: ResponseDraft, urls: CanonicalUrls) -> Resource:
    """Return the response in progress."""
    received = json.loads(draft.received)
    assigned: Resource = {
        "versionId": build_draft_version(draft),
        "lastUpdated": format_instant(draft.changed_at),
        **({"security": [RESTRICTED]} if draft.confidential else {}),
    }
    resource: Resource = {"resourceType": "QuestionnaireResponse", "id": draft.id}
    resource |= received | {"meta": merge_meta(received.get("meta", {}), assigned)}
    if draft.moved:  # what was sent names the patient by a retired number
        resource |= replace_patient(received, build_identified_patient(draft.patient))
    extensions = [*received.get("extension", ()), *_list_extensions(draft, urls)]
    resource |= {"extension": extensions} if extensions else {}
    return {name: element for name, element in resource.items() if element != []}


def build_draft_version(draft: ResponseDraft) -> str:
    """Return the version of a draft, which no version of a completed response has."""
    return f"draft-{draft.number}"


def _list_extensions(draft: ResponseDraft, urls: CanonicalUrls) -> list[Resource]:
    ranges = [_build_range(draft, urls, attainable) for attainable in draft.ranges]
    if draft.tier == NO_TIER:
        return ranges
    return [*ranges, {"url": urls.red_flag_extension, "valueCode": draft.tier}]


def _build_range(
    draft: ResponseDraft, urls: CanonicalUrls, attainable: AttainableRange
) -> Resource:
    """Return the least and the most that a total can still become, with their bands."""
    ends = {"low": attainable.least, "high": attainable.most}
    limits = {name: {"value": to_json_number(points)} for name, points in ends.items()}
    bands = {"leastBand": attainable.least_band, "mostBand": attainable.most_band}
    system = urls.band_system(draft.instrument)
    parts: list[Resource] = [
        {"url": "total", "valueCode": attainable.total},
        {"url": "range", "valueRange": limits},
        *(
            {"url": name, "valueCoding": {"system": system, "code": band}}
            for name, band in bands.items()
            if band is not None
        ),
    ]
    return {"url": urls.range_extension, "extension": parts}
