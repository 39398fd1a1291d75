"""Searching in FHIR: what is asked for, what is found, and a page of it."""

import json
from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.auth.request_context import Acts
from api.fhir.elements import ID, Base, Resource
from api.fhir.http import sent
from api.fhir.resources.bundle import searchset
from api.problems import FieldError, Problem
from api.store.screenings import screenings
from api.store.screenings import search as screening_search
from api.store.screenings.versions import first_of, lineage
from api.store.transaction import Transaction
from schemas.patient import READABLE
from schemas.screening import PatientFilters, Screening

_NO_BAR = f"[^|{READABLE.removeprefix('^[^').removesuffix(']*$')}]"
TOKEN = rf"^({_NO_BAR}*\|)?{_NO_BAR}+$"
"""`system|value` or a value alone, in readable characters."""
IN_A_SYSTEM = rf"^{_NO_BAR}*\|{_NO_BAR}+$"
"""`system|value`, or `|value` of no system."""


class Search(NamedTuple):
    """What is searched for, and the parameters as they were given."""

    filters: PatientFilters
    id: str | None
    most: int
    page: str | None
    given: dict[str, str]


_Patient = Annotated[
    str | None,
    Query(
        max_length=200,
        pattern=rf'^(https?://[!"$->@-~]+/)?(Patient/)?{ID}$',
        description="An id, or a literal reference to a Patient. An address is often logged: to "
        "look for a patient by number, prefer the form of `_search`.",
        examples=["Patient/p1"],
    ),
]
_PatientNumber = Annotated[
    str | None,
    Query(
        alias="patient:identifier",
        max_length=200,
        pattern=TOKEN,
        description="`system|value`, or a value of any system.",
        examples=["urn:oid:1.2.3|MRN-0042"],
    ),
]
_Id = Annotated[
    str | None,
    Query(
        alias="_id",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
]
_Count = Annotated[
    str,
    Query(
        alias="_count",
        pattern=r"^([1-9][0-9]?|100)$",
        description="At most so many at once, up to 100.",
        examples=["20"],
    ),
]
Page = Annotated[
    str | None,
    Query(
        alias="_page",
        min_length=1,
        max_length=4000,
        description="Only from the link `next` of a page; it stands alone.",
    ),
]


async def _search(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    request: Request,
    *,
    patient: _Patient = None,
    number: _PatientNumber = None,
    of: _Id = None,
    count: _Count = "20",
    page: Page = None,
) -> Search:
    given = dict(request.query_params)
    given.pop("_format", None)
    if page is not None and set(given) != {"_page"}:
        alone = FieldError(pointer="/_page", code="cursor", detail="must stand alone")
        raise Problem("wrong_shape", errors=[alone])
    filters = _filters(patient, number)
    return Search(filters, of, int(count), page, given)


def _filters(patient: str | None, number: str | None) -> PatientFilters:
    if number is not None:
        if patient is not None:
            both = "must not be given beside patient"
            raise Problem(
                "wrong_shape",
                errors=[FieldError(pointer="/patient:identifier", code="both", detail=both)],
            )
        system, bar, value = number.rpartition("|")
        return _of(value, system, without=bool(bar))
    if patient is None:
        return PatientFilters()
    system, _, name = patient.removesuffix("/").rpartition("/")
    system = system.removesuffix("Patient").removesuffix("/")
    return _of(name, system, without=True)


def _of(reference: str, system: str, *, without: bool) -> PatientFilters:
    """Of no system only who has none: an id of the house is no number of another authority."""
    return PatientFilters(
        patient=reference, patient_system=system or None, without_system=without and not system
    )


Searching = Annotated[Search, Depends(_search)]


class Found(NamedTuple):
    """What a search found: lineages, and the cursor of the next page."""

    lineages: list[list[Screening]]
    next: str | None


def newest_of_each(work: Transaction, search: Search) -> Found:
    """Every lineage whose newest screening is on this page."""
    if search.id is not None:
        return Found([each for each in _by_id(work, search.id) if _fits(each[-1], search)], None)
    page = _page(work, search)
    found = [
        lineage(work, first_of(work, line.id)) for line in page.lines if line.state != "amended"
    ]
    shown = {line.id for line in page.lines}
    return Found([each for each in found if each[-1].id in shown], page.next)


def each_alone(work: Transaction, search: Search) -> Found:
    """Every screening on this page, those that were corrected too, each with its successor."""
    if search.id is not None:
        found = _one(work, search.id)
        return Found([found] if found and _fits(found[0], search) else [], None)
    page = _page(work, search)
    return Found([with_successor(work, line.id) for line in page.lines], page.next)


def with_successor(work: Transaction, screening: str) -> list[Screening]:
    """The screening, and after it the one that corrects it, if there is one."""
    found = screenings.found(work, screening)
    after = [screenings.found(work, found.replaced_by)] if found.replaced_by else []
    return [found, *after]


def _page(work: Transaction, search: Search) -> screening_search.Page:
    if search.page is not None:
        return screening_search.next_page(work, search.page)
    return screening_search.first_page(work, search.filters, search.most)


def _by_id(work: Transaction, first: str) -> list[list[Screening]]:
    try:
        return [lineage(work, first)]
    except Problem:
        return []


def _one(work: Transaction, screening: str) -> list[Screening]:
    try:
        return with_successor(work, screening)
    except Problem:
        return []


def _fits(screening: Screening, search: Search) -> bool:
    wanted = search.filters
    if wanted.without_system and screening.patient.system is not None:
        return False
    return all(
        asked in (None, held)
        for asked, held in (
            (wanted.patient, screening.patient.reference),
            (wanted.patient_system, screening.patient.system),
            (wanted.rulebook, screening.assessment.rulebook),
        )
    )


def searched(  # noqa: PLR0913 - each part of a search
    acts: Acts,
    search: Search,
    base: Base,
    resource_type: str,
    *,
    find: Callable[[Transaction, Search], Found],
    tell: Callable[[list[Screening]], Resource],
) -> Response:
    """A page of what the search finds, each told as a resource."""
    with acts.transaction() as work:
        found = find(work, search)
        work.audit("list", "screening", count=max(len(found.lineages), 1))
    following = {"_page": found.next} if found.next else None
    told = [tell(each) for each in found.lineages]
    return paged(told, base, resource_type, search.given, following)


def paged(
    told_: Iterable[Resource],
    base: Base,
    resource_type: str,
    given: dict[str, str],
    following: dict[str, str] | None = None,
) -> Response:
    """A searchset, with the links to itself and to the next page."""
    here = f"{base.url}/{resource_type}"
    itself = f"{here}?{urlencode(given)}" if given else here
    later = f"{here}?{urlencode(following)}" if following else None
    return sent(searchset(told_, base.url, itself, later))


def id_named_by(work: Transaction, system: str | None, value: str) -> str:
    """The id of the response that has this identifier, or would have it."""
    told = json.dumps(["fhir identifier", system, value]).encode()
    return str(UUID(work.fingerprint(told)[:32], version=5))
