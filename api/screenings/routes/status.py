"""Marks on a kept screening: that it was entered in error, that its red flags were seen.

Nothing is ever changed: what becomes of a screening is a row of its own.
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
    """Why a screening must not be relied on."""

    reason: Note


class Seen(Frozen):
    """Who acknowledges the red flags, and what was done."""

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
    creating: Creating,
) -> Response:
    """From now on its reports are stamped; it stays, and is never deleted by this."""

    def made(work: Transaction) -> Answer:
        found = screenings.found(work, screening)
        error = screenings.enter_in_error(work, found, reason.reason)
        work.audit("enter_in_error", "screening", screening)
        return Answer(201, error.model_dump_json().encode(), None, screening)

    return creating.once(made)


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
    seen: Seen,
    creating: Creating,
) -> Response:
    """Who saw them, when, and what was done. The assessment stays as it is."""

    def made(work: Transaction) -> Answer:
        found = screenings.found(work, screening)
        given = screenings.acknowledge(work, found, seen.practitioner, seen.done)
        work.audit("acknowledge", "screening", screening)
        return Answer(201, given.model_dump_json().encode(), None, screening)

    return creating.once(made)
