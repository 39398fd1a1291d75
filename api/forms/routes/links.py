"""Routes of links: create a link for one patient to answer one questionnaire, list, revoke.

The URL is shown once, when the link is created; only its hash is stored. Therefore a link takes no
`Idempotency-Key`: repeating the response would require storing the URL.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, Field

from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep, RequestContextDep, SettingsDep
from api.forms.link_urls import build_new_link
from api.http.errors.error_responses import error_responses
from api.http.paging import NextPage, PageCursor, PageLimit, build_next_page
from api.intakes.models import check_dates
from api.notifications.mediums import list_mediums
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.forms import links
from api.store.notifications import occasions
from api.web.page_texts import list_languages
from schemas.base import FrozenModel, Many
from schemas.notification import Recipient, ReminderDays
from schemas.organisations.form_settings import AskAgainDays
from schemas.patients.links import Language, Link, LinkKind, NewLink
from schemas.patients.patient import KnownPatient
from schemas.text import READABLE, TEXT_RULE
from scoring.catalogue import Catalogue, UnknownRulebookError, load_catalogue

LINKS_PATH = "/v1/links"
router = APIRouter(prefix=LINKS_PATH, tags=["links"], route_class=require_scope("screenings:write"))
EXAMPLE_LINK_ID = "6f6f6f6f-0000-4000-8000-000000000005"
LinkId = Annotated[str, Path(alias="link", pattern=r"^[0-9a-f-]{36}$", examples=[EXAMPLE_LINK_ID])]
AfterLink = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9a-f-]{36}$",
        deprecated=True,
        description="The former name of `cursor`.",
        examples=[EXAMPLE_LINK_ID],
    ),
]
ExpiryDays = Annotated[int, Field(ge=1, le=90)]


def _check_language(language: str) -> str:
    if language not in list_languages():
        raise ValueError(f"must be one of {', '.join(list_languages())}")
    return language


PageLanguage = Annotated[
    Language,
    Field(json_schema_extra={"enum": list(list_languages())}),
    AfterValidator(_check_language),
]


def _add_rulebook_names(schema: dict[str, Any]) -> None:
    rulebooks = load_catalogue().list_current()
    instruments = dict.fromkeys(loaded.rulebook.rulebook.instrument for loaded in rulebooks)
    schema["enum"] = [*instruments, *(loaded.name for loaded in rulebooks)]


def _check_birth_date(patient: KnownPatient) -> KnownPatient:
    check_dates({("birth_date",): patient.birth_date})
    return patient


class NewLinkRequest(FrozenModel):
    """The patient, the instrument and the conditions of a new link."""

    patient: Annotated[KnownPatient, AfterValidator(_check_birth_date)]
    rulebook: Annotated[str, Field(max_length=60, pattern=READABLE), TEXT_RULE] = Field(
        default="nociplastic",
        description="An instrument, or its newest version.",
        json_schema_extra=_add_rulebook_names,
    )
    kind: LinkKind = "until_submitted"
    expires_in_days: ExpiryDays = 14
    language: PageLanguage | None = Field(
        default=None, description="The language shown first. Default: the browser's language."
    )
    ask_again_days: AskAgainDays | None = Field(
        default=None, description="Default: the setting of the organisation."
    )
    send_to: Recipient | None = Field(
        default=None, description="Where to send the URL by e-mail or SMS, besides returning it."
    )
    reminder_days: ReminderDays | None = Field(
        default=None,
        description="After how many days `send_to` gets a reminder; 0 for never. Default: the "
        "setting of the organisation.",
    )


class LinkList(FrozenModel):
    """Links, newest first. `urgent` lists the links with a red flag in answers not yet sent."""

    urgent: Many[Link]
    links: Many[Link]
    next: NextPage


@router.post("", status_code=201, summary="Create a link for a patient")
def create_link(
    link_request: NewLinkRequest,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    settings: SettingsDep,
) -> NewLink:
    """Create a link. Give its URL or QR code to the patient: both are shown only this once."""
    rulebook = _resolve_rulebook(rulebooks, link_request.rulebook)
    recipient = link_request.send_to
    if recipient is not None:
        _check_medium(recipient, settings)
    with context.transaction() as work:
        link, secret = links.add_link(
            work,
            links.LinkRequest(
                link_request.patient,
                rulebook,
                link_request.ask_again_days,
                link_request.kind,
                link_request.language,
                link_request.expires_in_days,
            ),
        )
        new_link = build_new_link(link, secret, settings.public_url)
        if recipient is not None:
            days = link_request.reminder_days
            occasions.invite_patient(work, link, recipient, new_link.url, days)
        work.audit("create", "link", link.id)
    return new_link


@router.get("", responses=error_responses(404), summary="List links")
def list_links(
    context: RequestContextDep,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
    after: AfterLink = None,
) -> LinkList:
    """List all links with their state. Look at the urgent ones first: they were not sent yet."""
    with context.transaction() as work:
        page = links.list_links(work, limit, cursor or after)
        urgent = links.list_urgent_links(work)
        work.audit("list", "link", count=max(len(page.links), 1))
    next_page = build_next_page(LINKS_PATH, page.next_id, limit=limit)
    return LinkList(urgent=urgent, links=page.links, next=next_page)


@router.delete("/{link}", status_code=204, responses=error_responses(409), summary="Revoke a link")
def revoke_link(link: LinkId, context: RequestContextDep) -> Response:
    """Close a link to further answers. Answers given so far stay visible until it expires."""
    with context.transaction() as work:
        links.revoke_link(work, link)
        work.audit("revoke", "link", link)
    return Response(status_code=204)


def _resolve_rulebook(rulebooks: Catalogue, name: str) -> str:
    """Return the name of the newest active version, to which the link stays fixed."""
    try:
        return rulebooks.find_current(name).name
    except UnknownRulebookError:
        schema: dict[str, Any] = {}
        _add_rulebook_names(schema)
        detail = f"must be one of {', '.join(schema['enum'])}"
        error = FieldError(pointer="/rulebook", code="not_an_option", detail=detail)
        raise Problem("invalid_request", errors=[error]) from None


def _check_medium(recipient: Recipient, settings: Settings) -> None:
    """Raise Problem if this medium is not set up."""
    if recipient.medium in list_mediums(settings):
        return
    detail = f"{recipient.medium} is not set up in this service"
    error = FieldError(pointer="/send_to/medium", code="not_configured", detail=detail)
    raise Problem("invalid_request", errors=[error])
