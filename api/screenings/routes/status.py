"""Marks a screening as entered in error, or its red flags as acknowledged.

The screening itself never changes: each event is a row of its own.
"""

from fastapi import APIRouter, Response
from pydantic import Field

from api.auth.route_guard import require_scope
from api.dependencies import IdempotentRequestDep, ScreeningId
from api.http.errors.error_responses import BODY_ERRORS, error_responses
from api.screenings.models import SCREENINGS_PATH
from api.store.idempotency import IdempotentResponse
from api.store.screenings import acknowledgements, screenings
from api.store.screenings.acknowledgements import FlagAction
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Name
from schemas.patients.patient import Note, Reference
from schemas.patients.screening import Acknowledgement, EnteredInError

router = APIRouter(
    prefix=SCREENINGS_PATH, tags=["screenings"], route_class=require_scope("screenings:write")
)


class EntryErrorReason(FrozenModel):
    """Why the screening must not be used."""

    reason: Note


class AcknowledgementRequest(FrozenModel):
    """The practitioner who acknowledges one red flag or all of them, and the action taken."""

    practitioner: Reference
    done: Note
    flag: Name | None = Field(
        default=None, description="The red flag, which is acknowledged once. Null for all of them."
    )
    reached: Reference | None = Field(default=None, description="Who was reached.")


@router.post(
    "/{screening}/entered-in-error",
    operation_id="mark_screening_entered_in_error",
    status_code=201,
    response_model=EnteredInError,
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Mark a screening as entered in error",
)
def enter_in_error(
    screening: ScreeningId,
    reason: EntryErrorReason,
    idempotent_request: IdempotentRequestDep,
) -> Response:
    """Marks all later reports of the screening. The screening is not deleted."""

    def add_mark(work: Transaction) -> IdempotentResponse:
        stored_screening = screenings.find_screening(work, screening)
        error = screenings.mark_entered_in_error(work, stored_screening, reason.reason)
        work.audit("enter_in_error", "screening", screening)
        return IdempotentResponse(201, error.model_dump_json().encode(), None, screening)

    return idempotent_request.run_once(add_mark)


@router.post(
    "/{screening}/acknowledgements",
    operation_id="acknowledge_screening",
    status_code=201,
    response_model=Acknowledgement,
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Acknowledge the red flags of a screening",
)
def acknowledge(
    screening: ScreeningId,
    body: AcknowledgementRequest,
    idempotent_request: IdempotentRequestDep,
) -> Response:
    """Stores the practitioner, the time and the action taken. The assessment does not change.

    The screening counts as acknowledged once every red flag is.
    """

    def add_acknowledgement(work: Transaction) -> IdempotentResponse:
        stored_screening = screenings.find_screening(work, screening)
        action = FlagAction(body.done, body.reached, body.flag)
        acknowledgement = acknowledgements.acknowledge_flags(
            work, stored_screening, body.practitioner, action
        )
        work.audit("acknowledge", "screening", screening)
        return IdempotentResponse(201, acknowledgement.model_dump_json().encode(), None, screening)

    return idempotent_request.run_once(add_acknowledgement)
