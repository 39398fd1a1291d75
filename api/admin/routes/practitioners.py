"""Routes to administer the practitioners of an organisation."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from api.admin.common import (
    OrganisationRoute,
    Scope,
    Scopes,
    build_created_response,
    collect_changes,
)
from api.dependencies import (
    LOWER_CASE,
    IdempotentRequestDep,
    RequestContextDep,
    SettingsDep,
    build_id_parameter,
)
from api.http.errors.error_responses import error_responses
from api.http.paging import (
    MAX_WHOLE_LIST,
    ListLimit,
    NextPage,
    PageCursor,
    build_next_page,
    slice_page,
)
from api.http.preconditions import EntityTagDep, PreconditionDep
from api.store.accounts import invitations, practitioners
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.notification import EmailAddress
from schemas.organisations.organisation import Practitioner, Title
from schemas.organisations.sign_in import NewInvitation

router = APIRouter(
    prefix="/v1/practitioners", tags=["administration"], route_class=OrganisationRoute
)
PractitionerId = Annotated[str, build_id_parameter("practitioner", 3, prefix="p-"), LOWER_CASE]


class NewPractitioner(FrozenModel):
    """A practitioner to be added."""

    reference: Title
    name: Title
    scopes: Annotated[
        Scopes,
        Field(
            description="Without them: screenings:read, screenings:write and reports:read, as at "
            "the desk."
        ),
    ] = practitioners.DEFAULT_PRACTITIONER_SCOPES
    email: EmailAddress | None = None
    gets_alerts: bool = True


class PractitionerChange(FrozenModel):
    """The changes to a practitioner; omitted members stay as they are. `email` may be null."""

    name: Title | None = None
    scopes: Many[Scope] | None = None
    active: bool | None = None
    email: EmailAddress | None = None
    gets_alerts: bool | None = None


class PractitionerList(FrozenModel):
    """A page of the practitioners of the organisation."""

    practitioners: Many[Practitioner]
    next: NextPage = None


@router.get("", summary="List practitioners")
def list_practitioners(
    context: RequestContextDep, limit: ListLimit = MAX_WHOLE_LIST, cursor: PageCursor = None
) -> PractitionerList:
    """Return every practitioner of the organisation."""
    with context.transaction() as work:
        all_practitioners = practitioners.list_practitioners(work)
        rows, last = slice_page(all_practitioners, lambda row: row.id, limit, cursor)
        work.audit("list", "practitioner")
    next_page = build_next_page(router.prefix, last, limit=limit)
    return PractitionerList(practitioners=rows, next=next_page)


@router.post(
    "",
    status_code=201,
    response_model=Practitioner,
    responses=error_responses(409),
    summary="Add a practitioner",
)
def add_practitioner(
    new_practitioner: NewPractitioner, idempotent_request: IdempotentRequestDep
) -> Response:
    """Add a practitioner by the reference that the organisation uses for them."""

    def add(work: Transaction) -> IdempotentResponse:
        practitioner = practitioners.add_practitioner(
            work,
            new_practitioner.reference,
            new_practitioner.name,
            new_practitioner.scopes,
            new_practitioner.email,
            gets_alerts=new_practitioner.gets_alerts,
        )
        work.audit("administer", "practitioner", practitioner.id)
        return build_created_response(practitioner, f"/v1/practitioners/{practitioner.id}")

    return idempotent_request.run_once(add)


@router.post(
    "/{practitioner}/invitations",
    status_code=201,
    responses=error_responses(409),
    summary="Invite a practitioner to sign in",
)
def invite_practitioner(
    practitioner: PractitionerId, context: RequestContextDep, settings: SettingsDep
) -> NewInvitation:
    """Create an invitation: at its URL the practitioner sets new login credentials, once.

    The URL is shown once and not stored, so `Idempotency-Key` is not supported: each request
    replaces the previous invitation.
    """
    with context.transaction() as work:
        invitation, secret = invitations.add_invitation(work, practitioner)
        work.audit("administer", "invitation", invitation.id)
    return NewInvitation(**dict(invitation), url=f"{settings.public_url}/invitation/{secret}")


@router.get("/{practitioner}", summary="Read a practitioner")
def read_practitioner(
    practitioner: PractitionerId, context: RequestContextDep, version: EntityTagDep
) -> Practitioner:
    """Return the reference, name and scopes of a practitioner."""
    with context.transaction() as work:
        found_practitioner = practitioners.find_practitioner(work, practitioner)
        work.audit("read", "practitioner", practitioner)
    version.tag(found_practitioner)
    return found_practitioner


@router.patch("/{practitioner}", responses=error_responses(412), summary="Change a practitioner")
def change_practitioner(
    practitioner: PractitionerId,
    change: PractitionerChange,
    context: RequestContextDep,
    version: PreconditionDep,
) -> Practitioner:
    """Change the members sent. `active` false ends all access and every session."""
    with context.transaction() as work:
        version.check(work, lambda: practitioners.find_practitioner(work, practitioner))
        updated_practitioner = practitioners.update_practitioner(
            work, practitioner, collect_changes(change, nullable="email")
        )
        work.audit("administer", "practitioner", practitioner)
    version.tag(updated_practitioner)
    return updated_practitioner
