"""One's own organisation: its settings, read and changed. A change holds from the next call on."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.administering import changes
from api.deps import Acting
from api.guard import guarded
from api.refused import GUARDED, TAKING, refusals
from api.store import organisations
from schemas.base import Frozen
from schemas.organisation import (
    Organisation,
    Title,
)

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
Years = Annotated[int, Field(ge=1, le=100)]


class OrganisationChange(Frozen):
    """What may be changed of an organisation; what is left out stays."""

    name: Title | None = None
    test: bool | None = None
    retention_years: Years | None = None


@router.get(
    "/organisation",
    operation_id="read_organisation",
    responses=refusals(*GUARDED),
    summary="Read one's organisation",
)
def read_organisation(acts: Acting) -> Organisation:
    """Its name, whether it is a test one, and for how long it keeps."""
    with acts.transaction() as work:
        own = organisations.own(work)
        work.audit("read", "organisation", own.id)
    return own


@router.patch(
    "/organisation",
    operation_id="change_organisation",
    responses=refusals(*TAKING),
    summary="Change one's organisation",
)
def change_organisation(change: OrganisationChange, acts: Acting) -> Organisation:
    """What is named is changed; `retention_years` null keeps for ever."""
    with acts.transaction() as work:
        own = organisations.change(work, changes(change, nullable="retention_years"))
        work.audit("administer", "organisation", own.id)
    return own
