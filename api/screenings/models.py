"""Response bodies of screenings, with their links."""

import json
from datetime import datetime
from typing import Any, Literal

from fastapi import Response

from api.intakes.rescoring import Rescoring
from api.intakes.short_assessment import prefers_minimal, send_minimal, shorten_assessment
from api.store.idempotency import IdempotentResponse
from api.store.screenings.scored_intake import ScoredIntake
from schemas.assessments.assessment import Assessment
from schemas.assessments.rescoring import CarriedIntake, Differences
from schemas.assessments.short_assessment import ShortAssessment
from schemas.base import FrozenModel, Many
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import (
    Acknowledgement,
    EnteredInError,
    PatientMove,
    Screening,
    ScreeningContext,
    ScreeningOrigin,
    ScreeningState,
)

SCREENINGS_PATH = "/v1/screenings"
_LINKS = b',"links":'


class ScreeningResponse(FrozenModel):
    """A stored screening; for `store=false`, state `not_stored` and nulls."""

    id: str | None
    created_at: datetime | None
    replaces: str | None
    state: ScreeningState | Literal["not_stored"]
    patient: KnownPatient
    assessment: Assessment
    links: dict[str, str]


class ShortScreening(FrozenModel):
    """A screening in short, without the patient and without the reasons for its assessment."""

    id: str | None
    created_at: datetime | None
    replaces: str | None
    state: ScreeningState | Literal["not_stored"]
    assessment: ShortAssessment


class ScreeningDetail(ScreeningResponse):
    """A screening with its answers, origin and later events."""

    replaced_by: str | None
    entered_in_error: EnteredInError | None
    acknowledgements: Many[Acknowledgement]
    moves: Many[PatientMove]
    rescored_from: str | None
    rescored_as: Many[str]
    origin: ScreeningOrigin
    context: ScreeningContext
    answers: dict[str, Any]


class RescoredScreening(ScreeningResponse):
    """A screening stored under another version, with what was carried and what differs."""

    rescored_from: str
    carried_intake: CarriedIntake
    differences: Differences


def rescored_response(screening: Screening, rescoring: Rescoring) -> IdempotentResponse:
    """Return the 201 response for a rescored screening."""
    body = RescoredScreening(
        **_describe_screening(screening).model_dump(exclude={"patient", "assessment"}),
        patient=screening.patient,
        assessment=screening.assessment,
        rescored_from=screening.rescored_from or "",
        carried_intake=rescoring.carried_intake,
        differences=rescoring.differences,
    )
    content = body.model_dump_json(by_alias=True).encode()
    return IdempotentResponse(201, content, f"{SCREENINGS_PATH}/{screening.id}", screening.id)


def created_response(
    screening: Screening, assessment_json: bytes | None = None
) -> IdempotentResponse:
    """Return the 201 response for a stored screening; the bytes of its assessment if known."""
    response = _describe_screening(screening)
    if assessment_json is None:
        body = response.model_dump_json(by_alias=True).encode()
    else:
        text = response.model_dump_json(by_alias=True, exclude={"assessment"})
        before, _, links = text.rpartition(_LINKS.decode())
        body = before.encode() + b',"assessment":' + assessment_json + _LINKS + links.encode()
    return IdempotentResponse(201, body, f"{SCREENINGS_PATH}/{screening.id}", screening.id)


def _describe_screening(screening: Screening) -> ScreeningResponse:
    return ScreeningResponse(
        id=screening.id,
        created_at=screening.created_at,
        replaces=screening.replaces,
        state=screening.state,
        patient=screening.patient,
        assessment=screening.assessment,
        links=_links(screening),
    )


def not_stored_response(scored: ScoredIntake) -> ScreeningResponse:
    """Return the body for a scored intake that was not stored."""
    return ScreeningResponse(
        id=None,
        created_at=None,
        replaces=None,
        state="not_stored",
        patient=scored.patient,
        assessment=scored.assessment,
        links={},
    )


def shorten_screening(body: bytes) -> ShortScreening:
    """Return the short form of the body of an answer about a screening."""
    screening = json.loads(body)
    return ShortScreening(
        id=screening["id"],
        created_at=screening["created_at"] and datetime.fromisoformat(screening["created_at"]),
        replaces=screening["replaces"],
        state=screening["state"],
        assessment=shorten_assessment(screening["assessment"]),
    )


def apply_preference(response: Response, prefer: str | None) -> Response:
    """Return the answer about a new screening, in short if the caller prefers that."""
    if not prefers_minimal(prefer):
        return response
    names = ("location", "idempotency-replayed")
    headers = {name: response.headers[name] for name in names if name in response.headers}
    return send_minimal(shorten_screening(bytes(response.body)), response.status_code, headers)


def screening_detail(screening: Screening) -> ScreeningDetail:
    """Return the body for a screening with all its details."""
    parts = {name: getattr(screening, name) for name in Screening.model_fields}
    return ScreeningDetail(**parts, links=_links(screening))


def _links(screening: Screening) -> dict[str, str]:
    path = f"{SCREENINGS_PATH}/{screening.id}"
    links = {
        "self": path,
        "report": f"{path}/report",
        "note": f"{path}/note",
        "amendments": f"{path}/amendments",
        "entered_in_error": f"{path}/entered-in-error",
        "acknowledgements": f"{path}/acknowledgements",
        "rescore": f"{path}/rescore",
    }
    linked = {
        "replaces": screening.replaces,
        "replaced_by": screening.replaced_by,
        "rescored_from": screening.rescored_from,
    }
    return links | {name: f"{SCREENINGS_PATH}/{other}" for name, other in linked.items() if other}
