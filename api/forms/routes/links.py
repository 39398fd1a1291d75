"""Links: made for one patient to answer one questionnaire in a browser; listed, revoked.

The address is shown once, when the link is made; it is kept as a hash alone. So a link takes no
`Idempotency-Key`: an answer that could be given twice would have to be kept.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, Field

from api.auth.route_guard import guarded
from api.dependencies import Acting, Chosen, Rulebooks
from api.forms.link_urls import shown_once
from api.http.error_responses import GUARDED, TAKING, refusals
from api.intakes.models import refuse_days
from api.problems import FieldError, Problem
from api.store.forms import form_settings, links
from api.web.page_texts import languages
from schemas.base import Frozen, Many
from schemas.form_settings import AskAgainDays
from schemas.links import Language, Link, LinkKind, NewLink
from schemas.patient import READABLE, KnownPatient
from scoring.catalogue import Catalogue, UnknownRulebookError, catalogue

HERE = "/v1/links"
router = APIRouter(prefix=HERE, tags=["links"], route_class=guarded("screenings:write"))
A_LINK = "6f6f6f6f-0000-4000-8000-000000000005"
LinkId = Annotated[str, Path(alias="link", pattern=r"^[0-9a-f-]{36}$", examples=[A_LINK])]
After = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9a-f-]{36}$",
        description="The id of the link after which to go on.",
        examples=[A_LINK],
    ),
]
Limit = Annotated[int, Query(ge=1, le=100, examples=[50])]
Days = Annotated[int, Field(ge=1, le=90)]


def _spoken(language: str) -> str:
    if language not in languages():
        raise ValueError(f"must be one of {', '.join(languages())}")
    return language


Spoken = Annotated[
    Language, Field(json_schema_extra={"enum": list(languages())}), AfterValidator(_spoken)
]


def _named(schema: dict[str, Any]) -> None:
    """Say in the description which rulebooks there are."""
    every = catalogue().scored()
    instruments = dict.fromkeys(each.rulebook.rulebook.instrument for each in every)
    schema["enum"] = [*instruments, *(each.name for each in every)]


def _born(patient: KnownPatient) -> KnownPatient:
    refuse_days({("birth_date",): patient.birth_date})
    return patient


class LinkWanted(Frozen):
    """For whom a link is, and how it may be used."""

    patient: Annotated[KnownPatient, AfterValidator(_born)]
    rulebook: Annotated[str, Field(max_length=60, pattern=READABLE)] = Field(
        default="nociplastic",
        description="An instrument, or one version of it.",
        json_schema_extra=_named,
    )
    kind: LinkKind = "until_submitted"
    expires_in_days: Days = 14
    language: Spoken | None = Field(
        default=None, description="Shown first; left out, the browser's language is."
    )
    ask_again_days: AskAgainDays | None = Field(
        default=None, description="Left out, as the organisation chose."
    )


class ListOfLinks(Frozen):
    """Links, newest first; before all, those with a red flag in answers that were not sent yet."""

    urgent: Many[Link]
    links: Many[Link]
    next: str | None


@router.post(
    "",
    operation_id="make_link",
    status_code=201,
    responses=refusals(*TAKING),
    summary="Make a link for a patient",
)
def make_link(wanted: LinkWanted, acts: Acting, rulebooks: Rulebooks, settings: Chosen) -> NewLink:
    """Give the address, or its QR code, to the patient. It is shown this once."""
    rulebook = _rulebook(rulebooks, wanted.rulebook)
    with acts.transaction() as work:
        days = wanted.ask_again_days or form_settings.own(work).ask_again_days
        made, secret = links.make(
            work,
            links.Wanted(
                wanted.patient,
                rulebook,
                days,
                wanted.kind,
                wanted.language,
                wanted.expires_in_days,
            ),
        )
        work.audit("create", "link", made.id)
    return shown_once(made, secret, settings.public_url)


@router.get(
    "",
    operation_id="list_links",
    responses=refusals(*GUARDED, 404),
    summary="List links",
)
def list_links(acts: Acting, limit: Limit = 50, after: After = None) -> ListOfLinks:
    """Every link with its state. What is urgent is not sent yet and needs to be looked at first."""
    with acts.transaction() as work:
        page = links.page(work, limit, after)
        urgent = links.urgent(work)
        work.audit("list", "link", count=max(len(page.links), 1))
    following = f"{HERE}?limit={limit}&after={page.next}" if page.next else None
    return ListOfLinks(urgent=urgent, links=page.links, next=following)


@router.delete(
    "/{link}",
    operation_id="revoke_link",
    status_code=204,
    responses=refusals(*GUARDED, 404, 409),
    summary="Revoke a link",
)
def revoke_link(link: LinkId, acts: Acting) -> Response:
    """Nobody can answer under it any more; what was answered stays in sight until it expires."""
    with acts.transaction() as work:
        links.revoke(work, link)
        work.audit("revoke", "link", link)
    return Response(status_code=204)


def _rulebook(rulebooks: Catalogue, name: str) -> str:
    """The name of the active rulebook, with its version: a link stays with it."""
    try:
        return rulebooks.active(name).name
    except UnknownRulebookError:
        names = ", ".join(each.name for each in rulebooks.scored())
        wrong = FieldError(pointer="/rulebook", code="literal_error", detail=f"must be of {names}")
        raise Problem("wrong_shape", errors=[wrong]) from None
