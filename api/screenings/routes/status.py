"""Marks a screening as entered in error, or its red flags as acknowledged.

The screening itself never changes: each event is a row of its own.
"""

from fastapi import APIRouter, Response

from api.auth.route_guard import guarded
from api.dependencies import Creating, ScreeningId
from api.http.error_responses import TAKING, refusals
from api.screenings.models import HERE
from api.store.idempotency import Answer
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.base import Frozen
from schemas.patient import Note, Reference
from schemas.screening import Acknowledgement, EnteredInError

router = APIRouter(prefix=HERE, tags=["screenings"], route_class=guarded("screenings:write"))


class Reason(Frozen):
    """Why the screening must not be used."""

    reason: Note


class Seen(Frozen):
    """The practitioner who acknowledges the red flags, and the action taken."""

    practitioner: Reference
    done: Note


@router.post(
    "/{screening}/entered-in-error",
    operation_id="enter_screening_in_error",
    status_code=201,
    response_model=EnteredInError,
    responses=refusals(*TAKING, 404, 409),
    summary="Mark a screening as entered in error",
)
def enter_in_error(
    screening: ScreeningId,
    reason: Reason,
    idempotent_request: Creating,
) -> Response:
    """Marks all later reports of the screening. The screening is not deleted."""

    def add_mark(work: Transaction) -> Answer:
        stored_screening = screenings.found(work, screening)
        error = screenings.enter_in_error(work, stored_screening, reason.reason)
        work.audit("enter_in_error", "screening", screening)
        return Answer(201, error.model_dump_json().encode(), None, screening)

    return idempotent_request.once(add_mark)


@router.post(
    "/{screening}/acknowledgements",
    operation_id="acknowledge_screening",
    status_code=201,
    response_model=Acknowledgement,
    responses=refusals(*TAKING, 404, 409),
    summary="Acknowledge the red flags of a screening",
)
def acknowledge(
    screening: ScreeningId,
    body: Seen,
    idempotent_request: Creating,
) -> Response:
    """Stores the practitioner, the time and the action taken. The assessment does not change."""

    def add_acknowledgement(work: Transaction) -> Answer:
        stored_screening = screenings.found(work, screening)
        acknowledgement = screenings.acknowledge(
            work, stored_screening, body.practitioner, body.done
        )
        work.audit("acknowledge", "screening", screening)
        return Answer(201, acknowledgement.model_dump_json().encode(), None, screening)

    return idempotent_request.once(add_acknowledgement)
