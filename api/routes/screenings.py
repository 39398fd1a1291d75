"""Kept screenings: an intake in, its assessment kept; read, listed, corrected, reported.

Nothing is ever changed: a correction is a screening that replaces another, an error is a state.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BeforeValidator, Field

from api.acts import Acts
from api.bodies import Intake, KeptIntake, any_intake
from api.deps import (
    GUARDED,
    TAKING,
    Acting,
    Creating,
    Rulebooks,
    ScreeningId,
    guarded,
    is_known,
    refusals,
)
from api.problems import FieldError, Problem
from api.store import screening_list, screenings
from api.store.idempotency import Answer
from api.store.screening_list import Page
from api.store.transaction import Transaction
from schemas.assessment import Assessment
from schemas.base import Frozen, Many
from schemas.patient import READABLE, KnownPatient, Note, Reference
from schemas.screening import (
    Acknowledgement,
    Context,
    EnteredInError,
    Origin,
    Screening,
    ScreeningFilters,
    ScreeningLine,
    State,
)
from scoring.catalogue import Catalogue
from scoring.engine import assess

HERE = "/v1/screenings"
Word = Annotated[str, Field(max_length=60, pattern=READABLE)]
Store_ = Annotated[
    Literal["true", "false"], Query(alias="store", description="`false` keeps nothing.")
]


def _counted(text: Any) -> Any:
    """A whole number written in plain digits."""
    return int(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else text


_DIGITS = re.compile(r"[0-9]{1,3}")


class KeptScreening(Frozen):
    """A screening as it was kept; `not_kept`, with nulls, where nothing was to be kept."""

    id: str | None
    created_at: datetime | None
    replaces: str | None
    state: State | Literal["not_kept"]
    patient: KnownPatient
    assessment: Assessment
    links: dict[str, str]


class WholeScreening(KeptScreening):
    """A screening with what was sent, whence it came, and what became of it."""

    replaced_by: str | None
    entered_in_error: EnteredInError | None
    acknowledgements: Many[Acknowledgement]
    origin: Origin
    context: Context
    answers: dict[str, Any]


class ListOfScreenings(Frozen):
    """A page of screenings, newest first; `next` is the address of the page after it."""

    screenings: Many[ScreeningLine]
    next: str | None


class Listing(ScreeningFilters):
    """What to list: the filters and how many at once, or the cursor that a page gave."""

    rulebook: Word | None = None
    status: Word | None = None
    tier: Word | None = None
    band: Word | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=4000)] | None = None


class ListingInAddress(Listing):
    """The same in an address, where a number comes as text."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_counted)] = 50


class Reason(Frozen):
    """Why a screening must not be relied on."""

    reason: Note


class Seen(Frozen):
    """Who acknowledges the red flags, and what was done."""

    practitioner: Reference
    done: Note


def router(catalogue: Catalogue) -> APIRouter:
    """The routes, typed by the rulebooks in use."""
    routes = APIRouter(tags=["screenings"])
    for part in (_reading(), _writing(catalogue)):
        routes.include_router(part)
    return routes


def _writing(catalogue: Catalogue) -> APIRouter:
    routes = APIRouter(prefix=HERE, route_class=guarded("screenings:write"))
    kept_type: Any = Annotated[any_intake(catalogue.scored(), KeptIntake), Body()]
    intake_type: Any = Annotated[any_intake(catalogue.scored()), Body()]

    @routes.post(
        "",
        operation_id="keep_screening",
        status_code=201,
        response_model=KeptScreening,
        responses={
            200: {"description": "Scored, and nothing kept", "model": KeptScreening},
            **refusals(*TAKING, 409),
        },
        summary="Score an intake and keep it",
    )
    def keep(
        intake: kept_type,
        rulebooks: Rulebooks,
        creating: Creating,
        store: Store_ = "true",
    ) -> Response:
        """Kept whole: the answers as sent, the assessment, rulebook and hash, who, when, how."""
        scored = _scored(rulebooks, intake, intake.patient)
        if store == "false":
            return _json(_unkept(scored))

        def made(work: Transaction) -> Answer:
            screening = screenings.add(work, scored)
            work.audit("create", "screening", screening.id)
            return _created(screening)

        return creating.once(made)

    @routes.post(
        "/{screening}/amendments",
        operation_id="amend_screening",
        status_code=201,
        response_model=KeptScreening,
        responses=refusals(*TAKING, 404, 409),
        summary="Correct a screening by a new one",
    )
    def amend(
        screening: ScreeningId,
        intake: intake_type,
        rulebooks: Rulebooks,
        creating: Creating,
    ) -> Response:
        """A new screening that replaces this one, which stays as it is and says so."""

        def made(work: Transaction) -> Answer:
            original = screenings.found(work, screening)
            patient = _amended_patient(intake, original)
            amended = screenings.amend(work, original, _scored(rulebooks, intake, patient))
            work.audit("amend", "screening", amended.id)
            return _created(amended)

        return creating.once(made)

    @routes.post(
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

    @routes.post(
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

    return routes


def _reading() -> APIRouter:
    routes = APIRouter(prefix=HERE, route_class=guarded("screenings:read"))

    @routes.get(
        "",
        operation_id="list_screenings",
        response_model=ListOfScreenings,
        responses=refusals(*GUARDED),
        summary="List screenings",
    )
    def list_screenings(listing: Annotated[ListingInAddress, Query()], acts: Acting) -> Response:
        """Newest first. An address is often logged: to look for a patient, prefer the search."""
        return _listed(acts, listing)

    @routes.post(
        "/search",
        operation_id="search_screenings",
        response_model=ListOfScreenings,
        responses=refusals(*TAKING),
        summary="Search screenings",
    )
    def search(listing: Listing, acts: Acting) -> Response:
        """The same list, asked for in a body, so that no address carries a patient's number."""
        return _listed(acts, listing)

    @routes.get(
        "/{screening}",
        operation_id="read_screening",
        response_model=WholeScreening,
        responses={304: {"description": "Not changed"}, **refusals(*GUARDED, 404)},
        summary="Read a screening",
    )
    def read(
        screening: ScreeningId,
        acts: Acting,
        known: Annotated[str | None, Header(alias="If-None-Match", max_length=200)] = None,
    ) -> Response:
        """All that was kept, and what became of it."""
        with acts.transaction() as work:
            found = screenings.found(work, screening)
            body = _whole(found).model_dump_json(by_alias=True).encode()
            tag = f'"{work.fingerprint(body)[:32]}"'
            work.audit("read", "screening", screening)
        if is_known(tag, known):
            return Response(status_code=304, headers={"ETag": tag})
        return Response(body, headers={"ETag": tag}, media_type="application/json")

    return routes


def _scored(rulebooks: Catalogue, intake: Any, patient: KnownPatient) -> screenings.Kept:
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(rulebooks.active(intake.rulebook), answers, attested=intake.attested)
    as_sent = intake.answers.model_dump(mode="json", exclude_unset=True)
    return screenings.Kept(patient, intake.context, as_sent, assessment)


def _amended_patient(intake: Intake, original: Screening) -> KnownPatient:
    """The patient as the correction names them; left out, as they were named before."""
    if intake.patient is None:
        return original.patient
    given = intake.patient.model_dump()
    return KnownPatient(**given | {"reference": given["reference"] or original.patient.reference})


def _created(screening: Screening) -> Answer:
    body = _kept(screening).model_dump_json(by_alias=True).encode()
    return Answer(201, body, f"{HERE}/{screening.id}", screening.id)


def _kept(screening: Screening) -> KeptScreening:
    return KeptScreening(
        id=screening.id,
        created_at=screening.created_at,
        replaces=screening.replaces,
        state=screening.state,
        patient=screening.patient,
        assessment=screening.assessment,
        links=_links(screening),
    )


def _unkept(scored: screenings.Kept) -> KeptScreening:
    return KeptScreening(
        id=None,
        created_at=None,
        replaces=None,
        state="not_kept",
        patient=scored.patient,
        assessment=scored.assessment,
        links={},
    )


def _whole(screening: Screening) -> WholeScreening:
    parts = {name: getattr(screening, name) for name in Screening.model_fields}
    return WholeScreening(**parts, links=_links(screening))


def _links(screening: Screening) -> dict[str, str]:
    here = f"{HERE}/{screening.id}"
    links = {
        "self": here,
        "report": f"{here}/report",
        "note": f"{here}/note",
        "amendments": f"{here}/amendments",
        "entered_in_error": f"{here}/entered-in-error",
        "acknowledgements": f"{here}/acknowledgements",
    }
    others = {"replaces": screening.replaces, "replaced_by": screening.replaced_by}
    return links | {name: f"{HERE}/{each}" for name, each in others.items() if each}


def _listed(acts: Acts, listing: Listing) -> Response:
    filters = ScreeningFilters(
        **{name: getattr(listing, name) for name in ScreeningFilters.model_fields}
    )
    if listing.cursor is not None and listing.model_fields_set != {"cursor"}:
        alone = FieldError(pointer="/cursor", code="cursor", detail="must stand alone")
        raise Problem("wrong_shape", errors=[alone])
    with acts.transaction() as work:
        page = (
            screening_list.first_page(work, filters, listing.limit)
            if listing.cursor is None
            else screening_list.next_page(work, listing.cursor)
        )
        work.audit("list", "screening", count=max(len(page.lines), 1))
    return _page(page)


def _page(page: Page) -> Response:
    following = f"{HERE}?cursor={page.next}" if page.next else None
    response = _json(ListOfScreenings(screenings=page.lines, next=following))
    if following:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def _json(content: Frozen) -> Response:
    return Response(content.model_dump_json(by_alias=True), media_type="application/json")
