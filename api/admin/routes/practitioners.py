"""Practitioners: the people of one's organisation who sign in or attest."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.admin.common import Scope, answered, changes
from api.auth.route_guard import guarded
from api.dependencies import Acting, Chosen, Creating
from api.http.error_responses import GUARDED, TAKING, refusals
from api.store.accounts import invitations, practitioners
from api.store.idempotency import Answer
from api.store.transaction import Transaction
from schemas.base import Frozen, Many
from schemas.organisation import (
    Practitioner,
    Title,
)
from schemas.sign_in import NewInvitation

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
PractitionerId = Annotated[
    str,
    Path(
        alias="practitioner",
        pattern=r"^p-[0-9a-f-]{36}$",
        examples=["p-6f6f6f6f-0000-4000-8000-000000000003"],
    ),
]


class NewPractitioner(Frozen):
    """A practitioner to be entered."""

    reference: Title
    name: Title
    scopes: Many[Scope] = ()


class PractitionerChange(Frozen):
    """What may be changed of a practitioner; what is left out stays."""

    name: Title | None = None
    scopes: Many[Scope] | None = None
    active: bool | None = None


class ListOfPractitioners(Frozen):
    """All practitioners of the organisation."""

    practitioners: Many[Practitioner]


@router.get(
    "/practitioners",
    operation_id="list_practitioners",
    responses=refusals(*GUARDED),
    summary="List practitioners",
)
def list_practitioners(acts: Acting) -> ListOfPractitioners:
    """Every person of the organisation who may sign in or attest."""
    with acts.transaction() as work:
        listed = ListOfPractitioners(practitioners=tuple(practitioners.every(work)))
        work.audit("list", "practitioner")
    return listed


@router.post(
    "/practitioners",
    operation_id="add_practitioner",
    status_code=201,
    response_model=Practitioner,
    responses=refusals(*TAKING, 409),
    summary="Enter a practitioner",
)
def add_practitioner(
    wanted: NewPractitioner,
    creating: Creating,
) -> Response:
    """By the reference that the organisation uses for them."""

    def made(work: Transaction) -> Answer:
        entered = practitioners.add(work, wanted.reference, wanted.name, wanted.scopes)
        work.audit("administer", "practitioner", entered.id)
        return answered(entered, f"/v1/practitioners/{entered.id}")

    return creating.once(made)


@router.post(
    "/practitioners/{practitioner}/invitations",
    operation_id="invite_practitioner",
    status_code=201,
    responses=refusals(*GUARDED, 404, 409),
    summary="Invite a practitioner to sign in",
)
def invite_practitioner(
    practitioner: PractitionerId, acts: Acting, settings: Chosen
) -> NewInvitation:
    """At its address they choose what to sign in with, once, in the place of what was before.

    The address is shown once and kept nowhere, so no `Idempotency-Key` is taken: asked for again,
    a new invitation takes the place of the one before it.
    """
    with acts.transaction() as work:
        made, secret = invitations.make(work, practitioner)
        work.audit("administer", "invitation", made.id)
    return NewInvitation(**dict(made), url=f"{settings.public_url}/invitation/{secret}")


@router.get(
    "/practitioners/{practitioner}",
    operation_id="read_practitioner",
    responses=refusals(*GUARDED, 404),
    summary="Read a practitioner",
)
def read_practitioner(practitioner: PractitionerId, acts: Acting) -> Practitioner:
    """Reference, name and what they may do."""
    with acts.transaction() as work:
        found = practitioners.found(work, practitioner)
        work.audit("read", "practitioner", practitioner)
    return found


@router.patch(
    "/practitioners/{practitioner}",
    operation_id="change_practitioner",
    responses=refusals(*TAKING, 404),
    summary="Change a practitioner",
)
def change_practitioner(
    practitioner: PractitionerId, change: PractitionerChange, acts: Acting
) -> Practitioner:
    """What is named is changed. `active` false ends what they may do, and every session."""
    with acts.transaction() as work:
        changed = practitioners.change(work, practitioner, changes(change))
        work.audit("administer", "practitioner", practitioner)
    return changed
