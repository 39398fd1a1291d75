"""One's own organisation: how it is run, and the letterhead that its reports are printed under."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from api.admin.common import changes
from api.auth.route_guard import guarded
from api.dependencies import Acting
from api.http.error_responses import GUARDED, TAKING, refusals
from api.store.accounts import letterheads, organisations
from api.store.transaction import Transaction
from reports.logo import LOGO_BYTES, checked
from reports.view.heading import Language, Letterhead, Line, Zone
from schemas.base import Frozen, Many
from schemas.organisation import Organisation, Title

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
Years = Annotated[int, Field(ge=1, le=100)]


def _checked_logo(text: str) -> str:
    try:
        logo = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be a PNG or an SVG in Base64") from None
    if len(logo) > LOGO_BYTES:
        raise ValueError(f"the logo must have at most {LOGO_BYTES} bytes")
    return base64.b64encode(checked(logo)).decode()


Logo = Annotated[
    str,
    Field(max_length=4 * LOGO_BYTES, json_schema_extra={"contentEncoding": "base64"}),
    AfterValidator(_checked_logo),
]
Address = Annotated[Many[Line], Field(max_length=5)]


class ShownLetterhead(Frozen):
    """What is printed above every report, beside the organisation's name, and in what language."""

    address: Many[str] = Field(description="At most five lines.")
    logo: str | None = Field(description="A PNG or an SVG of plain shapes, in Base64.")
    time_zone: str = Field(description="Days and times are printed by its clock.")
    locale: str = Field(description="The language of reports where none is asked for.")


class LetterheadChange(Frozen):
    """What may be changed of a letterhead; what is left out stays. `logo` null takes it away."""

    address: Address | None = None
    logo: Logo | None = None
    time_zone: Annotated[Zone, Field(examples=["Europe/Vienna"])] | None = None
    locale: Annotated[Language, Field(examples=["de"])] | None = None


class OwnOrganisation(Organisation):
    """One's own organisation with its letterhead."""

    letterhead: ShownLetterhead


class OrganisationChange(Frozen):
    """What may be changed of an organisation; what is left out stays."""

    name: Title | None = None
    test: bool | None = None
    retention_years: Years | None = None
    letterhead: LetterheadChange | None = None


@router.get(
    "/organisation",
    operation_id="read_organisation",
    responses=refusals(*GUARDED),
    summary="Read one's organisation",
)
def read_organisation(acts: Acting) -> OwnOrganisation:
    """Its name, whether it is a test one, for how long it keeps, and its letterhead."""
    with acts.transaction() as work:
        shown = _own(work)
        work.audit("read", "organisation", shown.id)
    return shown


@router.patch(
    "/organisation",
    operation_id="change_organisation",
    responses=refusals(*TAKING),
    summary="Change one's organisation",
)
def change_organisation(change: OrganisationChange, acts: Acting) -> OwnOrganisation:
    """What is named is changed; `retention_years` null keeps for ever.

    Reports are printed under the new letterhead from the next one on. What a report says is not
    the organisation's to change.
    """
    named = changes(change, nullable="retention_years")
    named.pop("letterhead", None)
    with acts.transaction() as work:
        organisations.change(work, named)
        if change.letterhead is not None:
            letterheads.change(work, _wanted(change.letterhead))
        shown = _own(work)
        work.audit("administer", "organisation", shown.id)
    return shown


def _wanted(change: LetterheadChange) -> dict[str, Any]:
    """What was named of the letterhead, in the words of reports."""
    named = changes(change, nullable="logo")
    if named.get("logo") is not None:
        named["logo"] = base64.b64decode(named["logo"])
    if "locale" in named:
        named["language"] = named.pop("locale")
    return named


def _own(work: Transaction) -> OwnOrganisation:
    own = organisations.own(work)
    printed = letterheads.of(work.session, work.organisation)
    return OwnOrganisation(**own.model_dump(), letterhead=_shown(printed))


def _shown(printed: Letterhead) -> ShownLetterhead:
    return ShownLetterhead(
        address=printed.address,
        logo=base64.b64encode(printed.logo).decode() if printed.logo else None,
        time_zone=printed.time_zone,
        locale=printed.language,
    )
