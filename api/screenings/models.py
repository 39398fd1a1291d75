"""Response bodies of screenings, with their links."""

from datetime import datetime
from typing import Any, Literal

from api.store.idempotency import Answer
from api.store.screenings.screenings import Kept
from schemas.assessment import Assessment
from schemas.base import Frozen, Many
from schemas.patient import KnownPatient
from schemas.screening import (
    Acknowledgement,
    Context,
    EnteredInError,
    Moved,
    Origin,
    Screening,
    State,
)

HERE = "/v1/screenings"


class KeptScreening(Frozen):
    """A stored screening; for `store=false`, state `not_kept` and nulls."""

    id: str | None
    created_at: datetime | None
    replaces: str | None
    state: State | Literal["not_kept"]
    patient: KnownPatient
    assessment: Assessment
    links: dict[str, str]


class WholeScreening(KeptScreening):
    """A screening with its answers, origin and later events."""

    replaced_by: str | None
    entered_in_error: EnteredInError | None
    acknowledgements: Many[Acknowledgement]
    moves: Many[Moved]
    origin: Origin
    context: Context
    answers: dict[str, Any]


def created(screening: Screening) -> Answer:
    """Return the 201 response for a stored screening."""
    body = _describe_screening(screening).model_dump_json(by_alias=True).encode()
    return Answer(201, body, f"{HERE}/{screening.id}", screening.id)


def _describe_screening(screening: Screening) -> KeptScreening:
    return KeptScreening(
        id=screening.id,
        created_at=screening.created_at,
        replaces=screening.replaces,
        state=screening.state,
        patient=screening.patient,
        assessment=screening.assessment,
        links=_links(screening),
    )


def unkept(scored: Kept) -> KeptScreening:
    """Return the body for a scored intake that was not stored."""
    return KeptScreening(
        id=None,
        created_at=None,
        replaces=None,
        state="not_kept",
        patient=scored.patient,
        assessment=scored.assessment,
        links={},
    )


def whole(screening: Screening) -> WholeScreening:
    """Return the body for a screening with all its details."""
    parts = {name: getattr(screening, name) for name in Screening.model_fields}
    return WholeScreening(**parts, links=_links(screening))


def _links(screening: Screening) -> dict[str, str]:
    path = f"{HERE}/{screening.id}"
    links = {
        "self": path,
        "report": f"{path}/report",
        "note": f"{path}/note",
        "amendments": f"{path}/amendments",
        "entered_in_error": f"{path}/entered-in-error",
        "acknowledgements": f"{path}/acknowledgements",
    }
    versions = {"replaces": screening.replaces, "replaced_by": screening.replaced_by}
    return links | {name: f"{HERE}/{other}" for name, other in versions.items() if other}
