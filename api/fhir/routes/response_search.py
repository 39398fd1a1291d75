"""Route that searches QuestionnaireResponses, and the caller's drafts by their status."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.dependencies import CatalogueDep, RequestContextDep
from api.fhir.elements import CanonicalUrls, Resource
from api.fhir.http import RequireJson, guarded_fhir_route
from api.fhir.parameters import CanonicalUrlsDep, FormsDep, ReportTypeDep
from api.fhir.parsing.response_to_intake import IN_PROGRESS, RESPONSE_TYPE
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.draft_response import build_draft_response
from api.fhir.search import (
    SearchResults,
    SearchSource,
    build_search_reader,
    derive_screening_id,
    find_lineages,
    run_search,
)
from api.fhir.search_included import build_included
from api.fhir.search_query import ScreeningSearch
from api.fhir.search_routing import add_search_routes
from api.fhir.versions import build_response_resource, build_version, form_of_version
from api.store.forms import response_drafts
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.response_drafts import ResponseDraft
from schemas.patients.screening import PatientFilters
from scoring.catalogue import Catalogue

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)
MAX_DRAFTS = 1000
"""How many drafts a search finds at most, the latest changed first."""

_read_search = build_search_reader(RESPONSE_TYPE, "identifier", "questionnaire")


@add_search_routes(
    router,
    "",
    "responses",
    scope="screenings:read",
    summary="Search responses",
)
def search_responses(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    search: Annotated[ScreeningSearch, Depends(_read_search)],
    *,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    all_forms: FormsDep,
    urls: CanonicalUrlsDep,
    report_type: ReportTypeDep,
) -> Response:
    """Return the newest version of each matching response, newest first.

    Your own drafts are found by the status `in-progress`, and only by it.
    """

    def build_resource(versions: list[Any]) -> Resource:
        if isinstance(versions[0], ResponseDraft):
            return build_draft_response(versions[0], urls)
        return build_response_resource(build_version(versions, rulebooks, urls), rulebooks)

    def find_results(work: Transaction, search: ScreeningSearch) -> SearchResults:
        forms = list_searched_forms(all_forms, search.questionnaire)
        search = _find_identified(work, search)
        statuses = _list_statuses(search)
        drafts: list[list[Any]] = []
        if IN_PROGRESS in statuses and search.cursor is None:
            drafts = [[draft] for draft in _find_drafts(work, search, forms, urls)]
        if statuses == {IN_PROGRESS}:
            return SearchResults(drafts, None)
        results = _find_completed(work, search, forms, rulebooks, urls)
        return SearchResults([*drafts, *results.lineages], results.next_cursor)

    included = build_included(rulebooks, urls, report_type)
    return run_search(context, search, urls, SearchSource(find_results, build_resource, included))


def list_searched_forms(
    forms: list[QuestionnaireForm], questionnaire: str | None
) -> list[QuestionnaireForm] | None:
    """Return the forms that a canonical URL names, in all versions without one; None for no URL."""
    if questionnaire is None:
        return None
    url, bar, version = questionnaire.partition("|")
    versions = [form for form in forms if form.is_named_by(url)]
    return [form for form in versions if not bar or form.entry.version == version]


def _find_identified(work: Transaction, search: ScreeningSearch) -> ScreeningSearch:
    """Return the search by the id that belongs to the identifier, if it names one."""
    if search.identifier is None:
        return search
    system, _, value = search.identifier.rpartition("|")
    response_id = derive_screening_id(work, system or None, value)
    is_wanted = search.ids is None or response_id in search.ids
    return search._replace(ids=(response_id,) if is_wanted else ())


def _find_completed(
    work: Transaction,
    search: ScreeningSearch,
    forms: list[QuestionnaireForm] | None,
    rulebooks: Catalogue,
    urls: CanonicalUrls,
) -> SearchResults:
    if forms is None:
        return find_lineages(work, search)
    if not forms:
        return SearchResults([], None)
    names = {form.loaded.name for form in forms}
    name = names.pop() if len(names) == 1 else forms[0].entry.instrument
    filters = search.filters.model_copy(update={"rulebook": name})
    results = find_lineages(work, search._replace(filters=filters))
    canonicals = {form.canonical for form in forms}
    lineages = [
        versions
        for versions in results.lineages
        if form_of_version(build_version(versions, rulebooks, urls), rulebooks).canonical
        in canonicals
    ]
    return SearchResults(lineages, results.next_cursor)


def _list_statuses(search: ScreeningSearch) -> set[str]:
    """Return the statuses that a search names; none if it names no status."""
    texts = [text for name, text in search.pairs if name == "status"]
    return {word.rpartition("|")[2] for text in texts for word in text.split(",")}


def _find_drafts(
    work: Transaction,
    search: ScreeningSearch,
    forms: list[QuestionnaireForm] | None,
    urls: CanonicalUrls,
) -> list[ResponseDraft]:
    canonicals = None if forms is None else {form.canonical for form in forms}
    return [
        draft
        for draft in response_drafts.list_own_drafts(work, MAX_DRAFTS)
        if (search.ids is None or draft.id in search.ids)
        and (canonicals is None or urls.resolve_alias(draft.canonical) in canonicals)
        and _is_of_patient(draft.patient, search.filters)
    ]


def _is_of_patient(patient: KnownPatient, filters: PatientFilters) -> bool:
    if filters.patient not in (None, patient.reference):
        return False
    if filters.without_system:
        return patient.system is None
    return filters.patient_system in (None, patient.system)
