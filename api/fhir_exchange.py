"""What FHIR routes share: how they are asked and how they answer, and screenings as versions."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Body, Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute

from api.deps import Acting, Chosen, Rulebooks, is_known
from api.fhir.base import FHIR_JSON, ID, Base, Resource, Version
from api.fhir.bundle import searchset
from api.fhir.document import Kind
from api.fhir.forms import Form, forms
from api.guard import guarded
from api.problems import FieldError, Problem
from api.refused import refusals
from api.store import screening_list, screenings
from api.store.lineage import first_of, lineage
from api.store.transaction import Transaction
from schemas.patient import READABLE
from schemas.screening import PatientFilters, Screening
from scoring.catalogue import Catalogue

_CHARSET = r"(\s*;\s*(charset=\"?utf-8\"?|fhirVersion=\"?4\.0\"?))*\s*"
_TAKES = re.compile(rf"application/(fhir\+json|json){_CHARSET}", re.IGNORECASE)
_NO_BAR = f"[^|{READABLE.removeprefix('^[^').removesuffix(']*$')}]"
TOKEN = rf"^({_NO_BAR}*\|)?{_NO_BAR}+$"
"""`system|value` or a value alone, in readable characters."""
IN_A_SYSTEM = rf"^{_NO_BAR}*\|{_NO_BAR}+$"
"""`system|value`, or `|value` of no system."""
_ACCEPTED = {
    *("*/*", "application/*", "application/json", "text/json"),
    *(FHIR_JSON, "application/json+fhir"),
}
_BEFORE_ALL_ROUTES = 431  # told as everywhere: no address is known yet
_FORMATS = ("json", "application/json", "application/fhir+json")
_OUTCOME: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {"resourceType": {"const": "OperationOutcome"}},
}


def fhir_guarded(scope: str) -> type[APIRoute]:
    """A class of FHIR routes whose callers need this scope."""
    return guarded(scope, _TAKES)


def outcomes(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a FHIR route for what it refuses, for the API's description."""
    told = {FHIR_JSON: {"schema": _OUTCOME}}
    return {
        status: each if status == _BEFORE_ALL_ROUTES else each | {"content": told}
        for status, each in refusals(*statuses).items()
    }


def resources(resource_type: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The response of a FHIR route that answers by a resource of this type."""
    schema = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"const": resource_type}},
    }
    return {status: {"description": resource_type, "content": {FHIR_JSON: {"schema": schema}}}}


NOT_CHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Not changed"}}


async def _base(settings: Chosen) -> Base:
    return Base(settings.public_url)


async def _kind(settings: Chosen) -> Kind:
    return Kind(settings.report_loinc_code, settings.report_loinc_display)


_Format = Annotated[
    str | None,
    Query(
        alias="_format",
        max_length=60,
        json_schema_extra={"enum": list(_FORMATS)},
        description="JSON is what there is.",
        examples=["json"],
    ),
]


async def _in_json(request: Request, asked: _Format = None) -> None:
    """Refuse whoever takes no JSON. `_format` outweighs `Accept`."""
    if asked is not None:
        good = asked.replace(" ", "+").lower() in _FORMATS
    else:
        good = any(map(_is_json, request.headers.get("accept", "*/*").split(",")))
    if not good:
        raise Problem("not_acceptable", "Resources come in application/fhir+json, version 4.0.")


def _is_json(media_range: str) -> bool:
    kind, *given = (part.strip().lower() for part in media_range.split(";"))
    versions = [each for each in given if each.startswith("fhirversion=")]
    four = all(each.partition("=")[2].strip('"') == "4.0" for each in versions)
    return four and kind in _ACCEPTED and "q=0" not in given


InJson = Depends(_in_json)
AtBase = Annotated[Base, Depends(_base)]
Filed = Annotated[Kind, Depends(_kind)]
Known = Annotated[str | None, Header(alias="If-None-Match", max_length=200, examples=['W/"7"'])]
ResourceIn = Annotated[
    dict[str, Any],
    Body(
        media_type=FHIR_JSON,
        json_schema_extra={"required": ["resourceType"]},
        description="A resource; see the questionnaires that are published.",
    ),
]


def sent(
    resource: Resource, *, status: int = 200, known: str | None = None, **headers: str
) -> Response:
    """The resource as a response, with its version; 304 where the caller has it already."""
    meta = resource.get("meta", {})
    if "versionId" in meta:
        headers["ETag"] = f'W/"{meta["versionId"]}"'
        if is_known(f'"{meta["versionId"]}"', known):
            return Response(status_code=304, headers=headers)
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)


def version_of(
    found: list[Screening], rulebooks: Catalogue, base: Base, number: int | None = None
) -> Version:
    """A version of a lineage: the newest, or the one of this number.

    Raises Problem `not_found` where there is no such version.
    """
    in_error = found[-1].entered_in_error is not None
    last = len(found) + in_error
    number = last if number is None else number
    if not 1 <= number <= last:
        raise Problem("not_found")
    screening = found[min(number, len(found)) - 1]
    if number == len(found) and in_error:
        screening = screening.model_copy(update={"entered_in_error": None})
    return told(screening, rulebooks, base)._replace(first=found[0].id, number=number)


def told(screening: Screening, rulebooks: Catalogue, base: Base) -> Version:
    """A screening on its own."""
    instrument, _, version = screening.assessment.rulebook.partition("@")
    loaded = rulebooks.any_status(instrument, version)
    return Version(screening, screening.id, 1, loaded, base)


def form_of(version: Version, rulebooks: Catalogue) -> Form:
    """The questionnaire that the screening answers."""
    fhir = version.screening.context.fhir
    entry = rulebooks.entry(version.loaded)
    return Form(version.loaded, entry, bool(fhir and fhir.for_patient), version.base)


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
        "look for a patient by number, prefer `POST /v1/screenings/search`.",
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
    """Every screening on this page, those that were corrected too."""
    if search.id is not None:
        found = _one(work, search.id)
        return Found([found] if found and _fits(found[0], search) else [], None)
    page = _page(work, search)
    return Found([[screenings.found(work, line.id)] for line in page.lines], page.next)


def _page(work: Transaction, search: Search) -> screening_list.Page:
    if search.page is not None:
        return screening_list.next_page(work, search.page)
    return screening_list.first_page(work, search.filters, search.most)


def _by_id(work: Transaction, first: str) -> list[list[Screening]]:
    try:
        return [lineage(work, first)]
    except Problem:
        return []


def _one(work: Transaction, screening: str) -> list[Screening]:
    try:
        return [screenings.found(work, screening)]
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
    acts: Acting,
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
    return paged(
        [tell(each) for each in found.lineages], base, resource_type, search.given, found.next
    )


def paged(
    told_: Iterable[Resource],
    base: Base,
    resource_type: str,
    given: dict[str, str],
    following: str | None = None,
) -> Response:
    """A searchset, with the links to itself and to the next page."""
    here = f"{base.url}/{resource_type}"
    itself = f"{here}?{urlencode(given)}" if given else here
    later = f"{here}?{urlencode({'_page': following})}" if following else None
    return sent(searchset(told_, base.url, itself, later))


async def _all_forms(rulebooks: Rulebooks, base: AtBase) -> list[Form]:
    return forms(rulebooks, base)


Forms = Annotated[list[Form], Depends(_all_forms)]
