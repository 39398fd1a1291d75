"""Searches screenings for FHIR: matching lineages, pages of results."""

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from api.auth.request_context import RequestContext
from api.fhir.elements import CanonicalUrls, Resource
from api.fhir.http import send_resource
from api.fhir.resources.bundle import build_searchset
from api.fhir.search_parameters import PARAMETERS
from api.fhir.search_query import (
    IDENTIFIER_NAMES,
    NEWEST_FIRST,
    PATIENT_NAMES,
    REPEATABLE,
    SHOWN_BY,
    ScreeningSearch,
    read_search,
    refuse,
    restore_search,
)
from api.fhir.search_result import is_match, list_included_types, show_part, sort_resources
from api.store.errors import NotFoundError
from api.store.screenings import screenings
from api.store.screenings import search as screening_search
from api.store.screenings.versions import find_first_version_id, list_versions
from api.store.transaction import Transaction
from schemas.patients.screening import Screening
from schemas.text import READABLE

MAX_SEALED_PREFIX = 1000
"""How many screenings a search reads at most that the store cannot filter or sort by itself."""
MAX_COUNTED = 100_000
_COUNTED_PAGE = 1000
_TOO_MANY = "would read too many screenings: narrow the search, best by patient"
_SEALED_PREFIX = "~"
"""What a cursor begins with that continues a search by its parameters."""
_PAGE = 100
_COMMON = {
    "_id": "Ids, separated by commas.",
    **dict.fromkeys(
        PATIENT_NAMES,
        "An id, or a literal reference to a Patient. URLs are often logged: to search for a "
        "patient by identifier, prefer the form of `_search`.",
    ),
    **dict.fromkeys(IDENTIFIER_NAMES, "`system|value`, or a value in any system."),
    "_count": "The maximum number of matches on a page, up to 1000; 0 for the total alone.",
    "_page": "The cursor from the `next` link of a page. No other filter may be given.",
    "_sort": "The element to sort by, with `-` in front for the latest first.",
    "_summary": "`true`, `text`, `data`, `count` or `false`.",
    "_elements": "The elements to show, separated by commas.",
    "_total": "`accurate`, `estimate` (the same here) or `none`.",
    "_include": "A reference to follow, such as `Observation:derived-from`.",
    "_revinclude": "A reference to this type to follow back, such as `Provenance:target`.",
    "_pretty": "Has no effect.",
    "_totalMethod": "Has no effect.",
}
_TOKEN_KINDS = {
    "token": "`code`, `system|code` or `|code`",  # nosec B105 - no password
    "reference": "`Type/id` or an id",
    "date": "a date with a prefix such as `ge`",
}


_EXAMPLES_BY_KIND = {
    "token": "final",  # nosec B105 - no password
    "reference": "Encounter/e1",
    "date": "ge2026-11-01",
}
_EXAMPLES = {
    "_id": "6f6f6f6f-0000-4000-8000-000000000001",
    **dict.fromkeys(PATIENT_NAMES, "Patient/p1"),
    **dict.fromkeys((*IDENTIFIER_NAMES, "identifier"), "urn:oid:1.2.3|MRN-0042"),
    "questionnaire": "http://127.0.0.1:8000/fhir/Questionnaire/nociplastic|1.0.0",
    "_count": "20",
    "_sort": NEWEST_FIRST,
    "_summary": "false",
    "_elements": "status,subject",
    "_total": "accurate",
    "_include": "Observation:derived-from",
    "_revinclude": "Provenance:target",
    "_pretty": "true",
    "_totalMethod": "count",
}


def build_search_reader(
    resource_type: str, *more: str
) -> Callable[..., Coroutine[Any, Any, ScreeningSearch]]:
    """Return a dependency that reads a search of this type, with its parameters declared."""

    async def read(request: Request, **_: Any) -> ScreeningSearch:
        return read_search(resource_type, request.query_params.multi_items())

    descriptions = _COMMON | {
        name: f"By `{it.element}`: {_TOKEN_KINDS[it.kind]}; alternatives separated by commas."
        for name, it in PARAMETERS[resource_type].items()
    }
    descriptions |= dict.fromkeys(more, "`system|value`, or a canonical URL.")
    declared = [
        Parameter(
            f"parameter_{number}",
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_declare(name, description),
        )
        for number, (name, description) in enumerate(descriptions.items())
    ]
    request = next(iter(signature(read).parameters.values()))
    read.__signature__ = signature(read).replace(  # type: ignore[attr-defined]
        parameters=[request.replace(annotation=Request), *declared]
    )
    return read


def _find_kind(name: str) -> str:
    """Return the type of a parameter of the table, which is the same wherever it has this name."""
    return next((it[name].kind for it in PARAMETERS.values() if name in it), "")


def _declare(name: str, description: str) -> Any:
    """Return the annotation of a query parameter; one that is repeatable is a list."""
    text = Annotated[str, Field(max_length=4000 if name == "_page" else 400, pattern=READABLE)]
    example = _EXAMPLES.get(name, _EXAMPLES_BY_KIND.get(_find_kind(name), ""))
    examples = [[example] if name in REPEATABLE else example]
    query = Query(alias=name, description=description, examples=examples)
    return Annotated[(list[text] if name in REPEATABLE else text) | None, query]


class SearchResults(NamedTuple):
    """One page of results: lineages of screenings, or drafts, and the cursor of the next page."""

    lineages: list[list[Any]]
    next_cursor: str | None


def find_lineages(work: Transaction, search: ScreeningSearch) -> SearchResults:
    """Return each lineage whose newest screening is on this page."""
    if search.ids is not None:
        candidates = [_find_lineage(work, name) for name in search.ids]
        return SearchResults([it for it in candidates if it and _matches(it[-1], search)], None)
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
    if search.ids is not None:
        candidates = [_find_with_successor(work, name) for name in search.ids]
        return SearchResults([it for it in candidates if it and _matches(it[0], search)], None)
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
    return screening_search.list_first_page(work, search.filters, search.page_size or 1)


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


class SearchSource(NamedTuple):
    """Where the matches of a type come from: the store, and how each becomes a resource."""

    find_results: Callable[[Transaction, ScreeningSearch], SearchResults]
    build_resource: Callable[[list[Any]], Resource]
    build_included: Callable[[str, list[Screening]], Resource]
    counts_corrected: bool = False


def run_search(
    context: RequestContext, search: ScreeningSearch, urls: CanonicalUrls, source: SearchSource
) -> Response:
    """Run the search and return a page of its results."""
    included_types = list_included_types(search)
    with context.transaction() as work:
        page = _find_page(work, search, source)
        lineages = [
            _load_lineage(work, it)
            for _, it in page.entries
            if included_types and isinstance(it[0], Screening)
        ]
        work.audit("list", "screening", count=max(len(page.entries), 1))
    resources = [show_part(resource, page.search) for resource, _ in page.entries]
    included = [
        source.build_included(kind, lineage) for lineage in lineages for kind in included_types
    ]
    endpoint = f"{urls.fhir_url}/{search.resource_type}"
    self_url = f"{endpoint}?{urlencode(search.pairs)}" if search.pairs else endpoint
    next_url = None
    if page.next_cursor is not None:
        shown_by = [pair for pair in search.pairs if pair[0] in SHOWN_BY]
        next_url = f"{endpoint}?{urlencode([('_page', page.next_cursor), *shown_by])}"
    bundle = build_searchset(resources, urls.fhir_url, self_url, next_url)
    if page.total is not None:
        bundle["total"] = page.total
    if unique := list({(it["resourceType"], it["id"]): it for it in included}.values()):
        entries = build_searchset(unique, urls.fhir_url, self_url)["entry"]
        bundle["entry"] += [entry | {"search": {"mode": "include"}} for entry in entries]
    return send_resource(bundle)


class _Page(NamedTuple):
    """Matches with the screenings they are made of, the next cursor, and the total if known."""

    search: ScreeningSearch
    entries: Sequence[tuple[Resource, list[Screening]]]
    next_cursor: str | None
    total: int | None


def _find_page(work: Transaction, search: ScreeningSearch, source: SearchSource) -> _Page:
    if search.cursor is not None and search.cursor.startswith(_SEALED_PREFIX):
        sealed_pairs, start = screening_search.open_search(work, search.cursor[1:])
        return _collect(work, restore_search(search, sealed_pairs), source, start)
    if search.must_collect:
        return _collect(work, search, source, 0)
    results = source.find_results(work, search)
    entries = _build_entries(results.lineages, search, source)
    total = None
    if search.wants_total and search.ids is None:
        total = _count(work, search, source)
    elif search.wants_total or search.ids is not None:
        total = len(entries)
    if search.page_size == 0:
        return _Page(search, (), None, total)
    return _Page(search, entries, results.next_cursor, total)


def _count(work: Transaction, search: ScreeningSearch, source: SearchSource) -> int:
    """Count the matches by the store's own filters. Raises Problem if there are too many."""
    total = 0
    page = screening_search.list_first_page(work, search.filters, _COUNTED_PAGE)
    while True:
        total += sum(source.counts_corrected or it.state != "amended" for it in page.lines)
        if page.next_cursor is None:
            return total
        if total > MAX_COUNTED:
            refuse("_total", _TOO_MANY)
        page = screening_search.list_next_page(work, page.next_cursor)


def _collect(work: Transaction, search: ScreeningSearch, source: SearchSource, start: int) -> _Page:
    """Read all matches to filter and sort them. Raises Problem if there are too many to read."""
    lineages: list[list[Screening]] = []
    page_search = search._replace(page_size=_PAGE, cursor=None)
    while True:
        results = source.find_results(work, page_search)
        lineages += results.lineages
        if len(lineages) > MAX_SEALED_PREFIX:
            refuse("_sort" if not search.post_filters else "_count", _TOO_MANY)
        if results.next_cursor is None:
            break
        page_search = page_search._replace(cursor=results.next_cursor)
    entries = _build_entries(lineages, search, source)
    if search.sort != NEWEST_FIRST:
        entries = sort_resources(entries, search)
    end = start + search.page_size
    cursor = None
    if search.page_size and len(entries) > end:
        cursor = _SEALED_PREFIX + screening_search.seal_search(work, json.dumps(search.pairs), end)
    return _Page(search, entries[start:end], cursor, len(entries))


def _build_entries(
    lineages: Iterable[list[Screening]], search: ScreeningSearch, source: SearchSource
) -> list[tuple[Resource, list[Screening]]]:
    pairs = ((source.build_resource(it), it) for it in lineages)
    return [(resource, it) for resource, it in pairs if is_match(resource, search)]


def _load_lineage(work: Transaction, versions: list[Screening]) -> list[Screening]:
    return list_versions(work, find_first_version_id(work, versions[0].id))


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


def send_matching(
    matching: Sequence[Any],
    build_resource: Callable[[Any], Resource],
    urls: CanonicalUrls,
    resource_type: str,
    parameters: Mapping[str, str | int | None],
) -> Response:
    """Return the page of all matches that `_page` and `_count` ask for, and its links."""
    parameters = {name: value for name, value in parameters.items() if value is not None}
    start = int(parameters["_page"] or 0)
    end = start + int(parameters["_count"] or 0)
    following = {**parameters, "_page": end} if matching[end:] else None
    resources = map(build_resource, matching[start:end])
    return send_page(resources, urls, resource_type, parameters, following)


def derive_screening_id(work: Transaction, system: str | None, value: str) -> str:
    """Return the screening id that belongs to this identifier, whether it exists or not."""
    name = json.dumps(["fhir identifier", system, value]).encode()
    return str(UUID(work.compute_fingerprint(name)[:32], version=5))
