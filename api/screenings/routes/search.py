"""Kept screenings found again: one by its id, or a page of many; nothing is scored again."""

import re
from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query, Response
from pydantic import AfterValidator, BeforeValidator, Field

from api.auth.request_context import Acts
from api.auth.route_guard import guarded
from api.dependencies import Acting, ScreeningId, is_known
from api.http.error_responses import GUARDED, TAKING, refusals
from api.problems import FieldError, Problem
from api.screenings.models import HERE, WholeScreening, whole
from api.store.screenings import screenings
from api.store.screenings import search as screening_search
from api.store.screenings.search import Page
from schemas.assessment import Status
from schemas.base import Frozen, Many
from schemas.screening import ScreeningFilters, ScreeningLine, Word
from scoring.catalogue import catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.safety import NO_TIER

router = APIRouter(prefix=HERE, tags=["screenings"], route_class=guarded("screenings:read"))


def _counted(text: Any) -> Any:
    """A whole number written in plain digits."""
    return int(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else text


_DIGITS = re.compile(r"[0-9]{1,3}")


class ListOfScreenings(Frozen):
    """A page of screenings, newest first; `next` is the address of the page after it."""

    screenings: Many[ScreeningLine]
    next: str | None


def _one_of(words: Callable[[], tuple[str, ...]]) -> Any:
    """A word that some rulebook knows, in use or not: another would find nothing, and look well."""

    def known(word: str) -> str:
        if word not in words():
            raise ValueError(f"must be one of {', '.join(words())}")
        return word

    def described(schema: dict[str, Any]) -> None:
        schema["enum"] = list(words())

    return Annotated[Word, AfterValidator(known), Field(json_schema_extra=described)]


def _every() -> list[LoadedRulebook]:
    rulebooks = catalogue()
    return [rulebooks.any_status(each.instrument, each.version) for each in rulebooks.entries]


def _rulebooks() -> tuple[str, ...]:
    instruments = (each.rulebook.rulebook.instrument for each in _every())
    return tuple(dict.fromkeys([*instruments, *(each.name for each in _every())]))


def _tiers() -> tuple[str, ...]:
    return *sorted({each.id for book in _every() for each in book.rulebook.tier}), NO_TIER


def _bands() -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.id for book in _every() for each in book.rulebook.band))


def _statuses() -> tuple[str, ...]:
    return get_args(Status)


class Listing(ScreeningFilters):
    """What to list: the filters and how many at once, or the cursor that a page gave."""

    rulebook: _one_of(_rulebooks) | None = None  # type: ignore[valid-type]
    status: _one_of(_statuses) | None = None  # type: ignore[valid-type]
    tier: _one_of(_tiers) | None = None  # type: ignore[valid-type]
    band: _one_of(_bands) | None = None  # type: ignore[valid-type]
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=4000)] | None = None


class ListingInAddress(Listing):
    """The same in an address, where a number comes as text."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_counted)] = 50


@router.get(
    "",
    operation_id="list_screenings",
    response_model=ListOfScreenings,
    responses=refusals(*GUARDED),
    summary="List screenings",
)
def list_screenings(listing: Annotated[ListingInAddress, Query()], acts: Acting) -> Response:
    """Newest first. An address is often logged: to look for a patient, prefer the search."""
    return _listed(acts, listing)


@router.post(
    "/search",
    operation_id="search_screenings",
    response_model=ListOfScreenings,
    responses=refusals(*TAKING),
    summary="Search screenings",
)
def search(listing: Listing, acts: Acting) -> Response:
    """The same list, asked for in a body, so that no address carries a patient's number."""
    return _listed(acts, listing)


@router.get(
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
        body = whole(found).model_dump_json(by_alias=True).encode()
        tag = f'"{work.fingerprint(body)[:32]}"'
        work.audit("read", "screening", screening)
    if is_known(tag, known):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag}, media_type="application/json")


def _listed(acts: Acts, listing: Listing) -> Response:
    filters = ScreeningFilters(
        **{name: getattr(listing, name) for name in ScreeningFilters.model_fields}
    )
    if listing.cursor is not None and listing.model_fields_set != {"cursor"}:
        alone = FieldError(pointer="/cursor", code="cursor", detail="must stand alone")
        raise Problem("wrong_shape", errors=[alone])
    with acts.transaction() as work:
        page = (
            screening_search.first_page(work, filters, listing.limit)
            if listing.cursor is None
            else screening_search.next_page(work, listing.cursor)
        )
        work.audit("list", "screening", count=max(len(page.lines), 1))
    return _page(page)


def _page(page: Page) -> Response:
    following = f"{HERE}?cursor={page.next}" if page.next else None
    response = Response(
        ListOfScreenings(screenings=page.lines, next=following).model_dump_json(by_alias=True),
        media_type="application/json",
    )
    if following:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
