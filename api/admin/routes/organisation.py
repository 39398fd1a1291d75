"""Routes to read and change an organisation and the letterhead of its reports."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from api.admin.common import OrganisationRoute, collect_changes
from api.dependencies import RequestContextDep
from api.http.errors.error_responses import error_responses
from api.http.preconditions import EntityTagDep, PreconditionDep
from api.store.accounts import letterheads, organisations
from api.store.transaction import Transaction
from reports.logo import MAX_LOGO_BYTES, validate_logo
from reports.view.heading import AddressLine, ReportLanguage, TimeZoneName
from schemas.base import FrozenModel, Many
from schemas.organisations.organisation import Organisation, Title
from schemas.text import accept_stored_text

router = APIRouter(
    prefix="/v1/organisation", tags=["administration"], route_class=OrganisationRoute
)
Years = Annotated[int, Field(ge=1, le=100)]


def _validate_logo(text: str) -> str:
    try:
        logo = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be a PNG or an SVG in Base64") from None
    if len(logo) > MAX_LOGO_BYTES:
        raise ValueError(f"the logo must have at most {MAX_LOGO_BYTES} bytes")
    return base64.b64encode(validate_logo(logo)).decode()


Logo = Annotated[
    str,
    Field(max_length=4 * MAX_LOGO_BYTES, json_schema_extra={"contentEncoding": "base64"}),
    AfterValidator(_validate_logo),
]
Address = Annotated[Many[AddressLine], Field(max_length=5)]


class LetterheadResponse(FrozenModel):
    """The letterhead printed on every report beside the organisation's name, with its locale."""

    address: Many[str] = Field(description="At most five lines.")
    logo: str | None = Field(description="A PNG or a simple SVG, in Base64.")
    time_zone: str = Field(description="The time zone of dates and times on reports.")
    locale: str = Field(description="The language of reports if the request names none.")


class LetterheadChange(FrozenModel):
    """The changes to a letterhead; omitted members stay. `logo` null removes the logo."""

    address: Address | None = None
    logo: Logo | None = None
    time_zone: Annotated[TimeZoneName, Field(examples=["Europe/Vienna"])] | None = None
    locale: Annotated[ReportLanguage, Field(examples=["de"])] | None = None


class OrganisationResponse(Organisation):
    """The caller's organisation with its letterhead."""

    letterhead: LetterheadResponse


class OrganisationChange(FrozenModel):
    """The changes to an organisation; omitted members stay as they are."""

    name: Title | None = None
    test: bool | None = None
    retention_years: Years | None = None
    second_approval: bool | None = Field(
        default=None,
        description="Whether erasure, merging and new clients need a second person's approval. "
        "Only the operator can set it back to false.",
    )
    letterhead: LetterheadChange | None = None


@router.get("", summary="Read your organisation")
def read_organisation(context: RequestContextDep, version: EntityTagDep) -> OrganisationResponse:
    """Return its name, test flag, retention and letterhead."""
    with context.transaction() as work:
        organisation = _load_organisation(work)
        work.audit("read", "organisation", organisation.id)
    version.tag(organisation)
    return organisation


@router.patch("", responses=error_responses(409, 412), summary="Change your organisation")
def change_organisation(
    change: OrganisationChange, context: RequestContextDep, version: PreconditionDep
) -> OrganisationResponse:
    """Change the members sent; `retention_years` null retains without limit.

    A new letterhead applies from the next report on. The text of reports cannot be changed.
    """
    values = collect_changes(change, nullable="retention_years")
    values.pop("letterhead", None)
    with context.transaction() as work:
        version.check(work, lambda: _load_organisation(work))
        organisations.update_organisation(work, values)
        if change.letterhead is not None:
            letterheads.update_letterhead(work, _letterhead_columns(change.letterhead))
        organisation = _load_organisation(work)
        work.audit("administer", "organisation", organisation.id)
    version.tag(organisation)
    return organisation


def _letterhead_columns(change: LetterheadChange) -> dict[str, Any]:
    values = collect_changes(change, nullable="logo")
    if values.get("logo") is not None:
        values["logo"] = base64.b64decode(values["logo"])
    if "locale" in values:
        values["language"] = values.pop("locale")
    return values


@accept_stored_text()
def _load_organisation(work: Transaction) -> OrganisationResponse:
    organisation = organisations.find_own_organisation(work)
    letterhead = letterheads.find_letterhead(work.session, work.organisation)
    logo = base64.b64encode(letterhead.logo).decode() if letterhead.logo else None
    return OrganisationResponse(
        **organisation.model_dump(),
        letterhead=LetterheadResponse(
            address=letterhead.address,
            logo=logo,
            time_zone=letterhead.time_zone,
            locale=letterhead.language,
        ),
    )
