"""Kept: a screening as it is told over HTTP, with the addresses that belong to it."""

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
    """A screening as it was kept; `not_kept`, with nulls, where nothing was to be kept."""

    id: str | None
    created_at: datetime | None
    replaces: str | None
    state: State | Literal["not_kept"]
    patient: KnownPatient
    assessment: Assessment
    links: dict[str, str]


class WholeScreening(KeptScreening):
    """A screening with what was sent, whence it came, and what became of it."""

    replaced_by: str | None
    entered_in_error: EnteredInError | None
    acknowledgements: Many[Acknowledgement]
    moves: Many[Moved]
    origin: Origin
    context: Context
    answers: dict[str, Any]


def created(screening: Screening) -> Answer:
    """The answer to a screening that was kept."""
    body = _kept(screening).model_dump_json(by_alias=True).encode()
    return Answer(201, body, f"{HERE}/{screening.id}", screening.id)


def _kept(screening: Screening) -> KeptScreening:
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
    """The answer where nothing was to be kept."""
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
    """A screening with all that became of it."""
    parts = {name: getattr(screening, name) for name in Screening.model_fields}
    return WholeScreening(**parts, links=_links(screening))


def _links(screening: Screening) -> dict[str, str]:
    here = f"{HERE}/{screening.id}"
    links = {
        "self": here,
        "report": f"{here}/report",
        "note": f"{here}/note",
        "amendments": f"{here}/amendments",
        "entered_in_error": f"{here}/entered-in-error",
        "acknowledgements": f"{here}/acknowledgements",
    }
    others = {"replaces": screening.replaces, "replaced_by": screening.replaced_by}
    return links | {name: f"{HERE}/{each}" for name, each in others.items() if each}
