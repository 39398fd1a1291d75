"""Reads stored screenings: one by its id, or a page of a list."""

import re
from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query, Response
from pydantic import AfterValidator, BeforeValidator, Field

from api.auth.request_context import RequestContext
from api.auth.route_guard import require_scope
from api.dependencies import RequestContextDep, ScreeningId
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.http.preconditions import is_etag_match
from api.intakes.short_assessment import (
    Prefer,
    minimal_response,
    prefers_minimal,
    send_minimal,
)
from api.problems import FieldError, Problem
from api.screenings.models import (
    SCREENINGS_PATH,
    ScreeningDetail,
    ShortScreening,
    screening_detail,
    shorten_screening,
)
from api.store.screenings import screenings
from api.store.screenings import search as screening_search
from api.store.screenings.search import ScreeningPage
from schemas.assessments.assessment import Status
from schemas.base import FrozenModel, Many
from schemas.patients.screening import FilterValue, ScreeningFilters, ScreeningListItem
from scoring.catalogue import load_catalogue
from scoring.common_rules.safety import NO_TIER
from scoring.compiled_rulebook import LoadedRulebook

router = APIRouter(
    prefix=SCREENINGS_PATH, tags=["screenings"], route_class=require_scope("screenings:read")
)


def _parse_digits(text: Any) -> Any:
    """Convert plain digits to an int; leave anything else to pydantic."""
    return int(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else text


_DIGITS = re.compile(r"[0-9]{1,18}")


class ScreeningListResponse(FrozenModel):
    """A page of screenings, newest first; `next` is the URL of the next page."""

    screenings: Many[ScreeningListItem]
    next: str | None


def _one_of(words: Callable[[], tuple[str, ...]]) -> Any:
    """Return the type of a word of any rulebook, retired or not; others would match nothing."""

    def check_word(word: str) -> str:
        if word not in words():
            raise ValueError(f"must be one of {', '.join(words())}")
        return word

    def add_enum(schema: dict[str, Any]) -> None:
        schema["enum"] = list(words())

    return Annotated[FilterValue, AfterValidator(check_word), Field(json_schema_extra=add_enum)]


def _load_rulebooks() -> list[LoadedRulebook]:
    rulebooks = load_catalogue()
    return [rulebooks.find_version(entry.name) for entry in rulebooks.entries]


def _list_rulebooks() -> tuple[str, ...]:
    rulebooks = _load_rulebooks()
    instruments = (rulebook.instrument for rulebook in rulebooks)
    return tuple(dict.fromkeys([*instruments, *(rulebook.name for rulebook in rulebooks)]))


def _list_tiers() -> tuple[str, ...]:
    tiers = {tier.id for loaded in _load_rulebooks() for tier in loaded.rulebook.tier}
    return *sorted(tiers), NO_TIER


def _list_bands() -> tuple[str, ...]:
    bands = (band.id for loaded in _load_rulebooks() for band in loaded.rulebook.band)
    return tuple(dict.fromkeys(bands))


def _list_statuses() -> tuple[str, ...]:
    return get_args(Status)


class ScreeningListQuery(ScreeningFilters):
    """Parameters of a list: filters and page size, or the cursor of the previous page."""

    rulebook: _one_of(_list_rulebooks) | None = None  # type: ignore[valid-type]
    status: _one_of(_list_statuses) | None = None  # type: ignore[valid-type]
    tier: _one_of(_list_tiers) | None = None  # type: ignore[valid-type]
    band: _one_of(_list_bands) | None = None  # type: ignore[valid-type]
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=4000)] | None = None


class ScreeningListQueryString(ScreeningListQuery):
    """The parameters in a query string, where a number is text."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_parse_digits)] = 50


@router.get(
    "",
    operation_id="list_screenings",
    response_model=ScreeningListResponse,
    responses=error_responses(*GUARDED_ERRORS),
    summary="List screenings",
)
def list_screenings(
    listing: Annotated[ScreeningListQueryString, Query()], context: RequestContextDep
) -> Response:
    """Returns a page, newest first. URLs are often logged: use the search to find a patient."""
    return _list_page(context, listing)


@router.post(
    "/search",
    operation_id="search_screenings",
    response_model=ScreeningListResponse,
    responses=error_responses(*BODY_ERRORS),
    summary="Search screenings",
)
def search_screenings(listing: ScreeningListQuery, context: RequestContextDep) -> Response:
    """Returns the same list. The filters are in the body, so that no URL contains a patient's
    reference.
    """
    return _list_page(context, listing)


@router.get(
    "/{screening}",
    operation_id="read_screening",
    response_model=ScreeningDetail,
    responses={
        **minimal_response(ShortScreening),
        304: {"description": "Not changed"},
        **error_responses(*GUARDED_ERRORS, 404),
    },
    summary="Read a screening",
)
def read_screening(
    screening: ScreeningId,
    context: RequestContextDep,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", max_length=200)] = None,
    prefer: Prefer = None,
) -> Response:
    """Returns a screening with its answers, context and later events."""
    with context.transaction() as work:
        stored_screening = screenings.find_screening(work, screening)
        body = screening_detail(stored_screening).model_dump_json(by_alias=True).encode()
        tag = _tag(work.compute_fingerprint(body), is_short=prefers_minimal(prefer))
        work.audit("read", "screening", screening)
    headers = {"ETag": tag, "Vary": "Prefer"}
    if is_etag_match(tag, if_none_match):
        return Response(status_code=304, headers=headers)
    if prefers_minimal(prefer):
        return send_minimal(shorten_screening(body), headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _tag(fingerprint: str, *, is_short: bool) -> str:
    """Return the ETag of one representation of a screening (RFC 9110, 8.8.3)."""
    return f'"{fingerprint[:32]}{"-minimal" if is_short else ""}"'


def _list_page(context: RequestContext, listing: ScreeningListQuery) -> Response:
    filters = ScreeningFilters(
        **{name: getattr(listing, name) for name in ScreeningFilters.model_fields}
    )
    if listing.cursor is not None and listing.model_fields_set != {"cursor"}:
        error = FieldError(
            pointer="/cursor", code="cursor", detail="cannot be combined with other parameters"
        )
        raise Problem("invalid_request", errors=[error])
    with context.transaction() as work:
        page = (
            screening_search.list_first_page(work, filters, listing.limit)
            if listing.cursor is None
            else screening_search.list_next_page(work, listing.cursor)
        )
        work.audit("list", "screening", count=max(len(page.lines), 1))
    return _render_page(page)


def _render_page(page: ScreeningPage) -> Response:
    next_url = f"{SCREENINGS_PATH}?cursor={page.next_cursor}" if page.next_cursor else None
    response = Response(
        ScreeningListResponse(screenings=page.lines, next=next_url).model_dump_json(by_alias=True),
        media_type="application/json",
    )
    if next_url:
        response.headers["Link"] = f'<{next_url}>; rel="next"'
    return response
