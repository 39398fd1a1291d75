"""Routes that read and search QuestionnaireResponses and their versions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.dependencies import CatalogueDep, RequestContextDep
from api.fhir.elements import Resource
from api.fhir.http import (
    RequireJson,
    guarded_fhir_route,
    outcome_responses,
    read_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import (
    CanonicalUrlsDep,
    FormsDep,
    IfNoneMatch,
    ReportTypeDep,
    ScreeningId,
    VersionNumber,
)
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.bundle import build_history_bundle
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
from api.fhir.versions import (
    build_response_resource,
    build_version,
    form_of_version,
    read_history,
    read_version,
)
from api.http.errors.error_responses import GUARDED_ERRORS
from api.store.transaction import Transaction
from schemas.patients.screening import Screening

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)

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
    """Return the newest version of each matching response, newest first."""

    def build_resource(versions: list[Screening]) -> Resource:
        return build_response_resource(build_version(versions, rulebooks, urls), rulebooks)

    def find_results(work: Transaction, search: ScreeningSearch) -> SearchResults:
        forms = list_searched_forms(all_forms, search.questionnaire)
        if search.identifier is not None:
            system, _, value = search.identifier.rpartition("|")
            screening_id = derive_screening_id(work, system or None, value)
            if search.ids is not None and screening_id not in search.ids:
                return SearchResults([], None)
            search = search._replace(ids=(screening_id,))
        if forms is None:
            return find_lineages(work, search)
        if not forms:
            return SearchResults([], None)
        names = {form.loaded.name for form in forms}
        name = names.pop() if len(names) == 1 else forms[0].entry.instrument
        filters = search.filters.model_copy(update={"rulebook": name})
        results = find_lineages(work, search._replace(filters=filters))
        canonicals = {form.canonical for form in forms}
        lineages = [it for it in results.lineages if find_canonical(it) in canonicals]
        return SearchResults(lineages, results.next_cursor)

    def find_canonical(versions: list[Screening]) -> str:
        return form_of_version(build_version(versions, rulebooks, urls), rulebooks).canonical

    included = build_included(rulebooks, urls, report_type)
    return run_search(context, search, urls, SearchSource(find_results, build_resource, included))


def list_searched_forms(
    forms: list[QuestionnaireForm], questionnaire: str | None
) -> list[QuestionnaireForm] | None:
    """Return the forms that a canonical URL names, in all versions without one; None for no URL."""
    if questionnaire is None:
        return None
    url, bar, version = questionnaire.partition("|")
    versions = [form for form in forms if url.removesuffix("/") in form.spellings]
    return [form for form in versions if not bar or form.entry.version == version]


@router.get(
    "/{screening}",
    operation_id="read_response",
    response_class=Response,
    responses=read_responses(RESPONSE_TYPE),
    summary="Read a response",
)
def read_response(
    screening: ScreeningId,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return the newest version. The id is that of the first version."""
    version = read_version(context, rulebooks, urls, screening)
    return send_resource(build_response_resource(version, rulebooks), if_none_match=if_none_match)


@router.get(
    "/{screening}/_history",
    operation_id="read_response_history",
    response_class=Response,
    responses=resource_response("Bundle") | outcome_responses(*GUARDED_ERRORS, 404, 406),
    summary="Read the history of a response",
)
def read_response_history(
    screening: ScreeningId,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
) -> Response:
    """Return every version, the newest first: corrections, merges of the patient, withdrawal."""
    versions = read_history(context, rulebooks, urls, screening)
    resources = [build_response_resource(version, rulebooks) for version in versions]
    self_url = f"{urls.fhir_url}/{RESPONSE_TYPE}/{screening}/_history"
    return send_resource(build_history_bundle(resources, urls.fhir_url, self_url))


@router.get(
    "/{screening}/_history/{number}",
    operation_id="read_response_version",
    response_class=Response,
    responses=read_responses(RESPONSE_TYPE),
    summary="Read one version of a response",
)
def read_response_version(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    number: VersionNumber,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return one version. Versions never change."""
    version = read_version(context, rulebooks, urls, screening, int(number))
    return send_resource(build_response_resource(version, rulebooks), if_none_match=if_none_match)
