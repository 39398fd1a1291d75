"""Searches screenings for FHIR: filters, matching lineages, pages of results."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Request, Response

from api.auth.request_context import RequestContext
from api.fhir.elements import CanonicalUrls, Resource
from api.fhir.http import send_resource
from api.fhir.parameters import (
    PageCursor,
    PageSize,
    PatientFilter,
    PatientIdentifierFilter,
    ScreeningIdFilter,
)
from api.fhir.resources.bundle import build_searchset
from api.problems import FieldError, Problem
from api.store.errors import NotFoundError
from api.store.screenings import screenings
from api.store.screenings import search as screening_search
from api.store.screenings.versions import find_first_version_id, list_versions
from api.store.transaction import Transaction
from schemas.screening import PatientFilters, Screening


class ScreeningSearch(NamedTuple):
    """A search: its filters, page size and cursor, and the parameters as the client sent them."""

    filters: PatientFilters
    id: str | None
    page_size: int
    cursor: str | None
    parameters: dict[str, str]


async def _search(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    request: Request,
    *,
    patient: PatientFilter = None,
    patient_identifier: PatientIdentifierFilter = None,
    screening: ScreeningIdFilter = None,
    count: PageSize = 20,
    cursor: PageCursor = None,
) -> ScreeningSearch:
    parameters = dict(request.query_params)
    parameters.pop("_format", None)
    if cursor is not None and set(parameters) != {"_page"}:
        detail = "must not be combined with other parameters"
        error = FieldError(pointer="/_page", code="cursor", detail=detail)
        raise Problem("invalid_request", errors=[error])
    filters = _patient_filters(patient, patient_identifier)
    return ScreeningSearch(filters, screening, count, cursor, parameters)


def _patient_filters(patient: str | None, identifier: str | None) -> PatientFilters:
    if identifier is not None:
        if patient is not None:
            detail = "must not be combined with patient"
            raise Problem(
                "invalid_request",
                errors=[FieldError(pointer="/patient:identifier", code="both", detail=detail)],
            )
        system, bar, value = identifier.rpartition("|")
        return _build_filters(value, system, without_system=bool(bar))
    if patient is None:
        return PatientFilters()
    system, _, patient_id = patient.removesuffix("/").rpartition("/")
    system = system.removesuffix("Patient").removesuffix("/")
    return _build_filters(patient_id, system, without_system=True)


def _build_filters(reference: str, system: str, *, without_system: bool) -> PatientFilters:
    """Filter by the system, or if it is empty and `without_system`, by its absence.

    An id without a system must not match the same number assigned by another authority.
    """
    return PatientFilters(
        patient=reference,
        patient_system=system or None,
        without_system=without_system and not system,
    )


ScreeningSearchDep = Annotated[ScreeningSearch, Depends(_search)]


class SearchResults(NamedTuple):
    """One page of results: lineages of screenings, and the cursor of the next page."""

    lineages: list[list[Screening]]
    next_cursor: str | None


def find_lineages(work: Transaction, search: ScreeningSearch) -> SearchResults:
    """Return each lineage whose newest screening is on this page."""
    if search.id is not None:
        versions = _find_lineage(work, search.id)
        return SearchResults(
            [versions] if versions and _matches(versions[-1], search) else [], None
        )
    page = _load_page(work, search)
    page_ids = {line.id for line in page.lines}
    lineages = [
        list_versions(work, find_first_version_id(work, line.id))
        for line in page.lines
        if line.state != "amended"
    ]
    return SearchResults(
        [versions for versions in lineages if versions[-1].id in page_ids], page.next_cursor
    )


def find_screenings_with_successor(work: Transaction, search: ScreeningSearch) -> SearchResults:
    """Return each screening on this page, including corrected ones, with its successor."""
    if search.id is not None:
        pair = _find_with_successor(work, search.id)
        return SearchResults([pair] if pair and _matches(pair[0], search) else [], None)
    page = _load_page(work, search)
    return SearchResults(
        [load_with_successor(work, line.id) for line in page.lines], page.next_cursor
    )


def load_with_successor(work: Transaction, screening: str) -> list[Screening]:
    """Return the screening, followed by the screening that corrects it, if any."""
    original = screenings.find_screening(work, screening)
    if original.replaced_by is None:
        return [original]
    return [original, screenings.find_screening(work, original.replaced_by)]


def _load_page(work: Transaction, search: ScreeningSearch) -> screening_search.ScreeningPage:
    if search.cursor is not None:
        return screening_search.list_next_page(work, search.cursor)
    return screening_search.list_first_page(work, search.filters, search.page_size)


def _find_lineage(work: Transaction, first: str) -> list[Screening]:
    try:
        return list_versions(work, first)
    except NotFoundError:
        return []


def _find_with_successor(work: Transaction, screening: str) -> list[Screening]:
    try:
        return load_with_successor(work, screening)
    except NotFoundError:
        return []


def _matches(screening: Screening, search: ScreeningSearch) -> bool:
    filters = search.filters
    if filters.without_system and screening.patient.system is not None:
        return False
    return all(
        filter_value in (None, actual)
        for filter_value, actual in (
            (filters.patient, screening.patient.reference),
            (filters.patient_system, screening.patient.system),
            (filters.rulebook, screening.assessment.rulebook),
        )
    )


def run_search(  # noqa: PLR0913 - each part of a search
    context: RequestContext,
    search: ScreeningSearch,
    urls: CanonicalUrls,
    resource_type: str,
    *,
    find_results: Callable[[Transaction, ScreeningSearch], SearchResults],
    build_resource: Callable[[list[Screening]], Resource],
) -> Response:
    """Run the search and return a page of its results, each converted to a resource."""
    with context.transaction() as work:
        results = find_results(work, search)
        work.audit("list", "screening", count=max(len(results.lineages), 1))
    next_parameters = {"_page": results.next_cursor} if results.next_cursor else None
    resources = [build_resource(versions) for versions in results.lineages]
    return send_page(resources, urls, resource_type, search.parameters, next_parameters)


def send_page(
    resources: Iterable[Resource],
    urls: CanonicalUrls,
    resource_type: str,
    parameters: Mapping[str, object],
    next_parameters: Mapping[str, object] | None = None,
) -> Response:
    """Return a searchset with links to this page and, if there is one, the next."""
    endpoint = f"{urls.fhir_url}/{resource_type}"
    self_url = f"{endpoint}?{urlencode(parameters)}" if parameters else endpoint
    next_url = f"{endpoint}?{urlencode(next_parameters)}" if next_parameters else None
    return send_resource(build_searchset(resources, urls.fhir_url, self_url, next_url))


def derive_screening_id(work: Transaction, system: str | None, value: str) -> str:
    """Return the screening id that belongs to this identifier, whether it exists or not."""
    name = json.dumps(["fhir identifier", system, value]).encode()
    return str(UUID(work.compute_fingerprint(name)[:32], version=5))
