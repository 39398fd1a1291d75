"""Routes that read and search QuestionnaireResponses and their versions."""

from fastapi import APIRouter, Response

from api.dependencies import CatalogueDep, RequestContextDep
from api.fhir.elements import Resource
from api.fhir.http import RequireJson, guarded_fhir_route, read_responses, send_resource
from api.fhir.parameters import (
    CanonicalUrlsDep,
    FormsDep,
    IdentifierFilter,
    IfNoneMatch,
    QuestionnaireFilter,
    ScreeningId,
    VersionNumber,
)
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.search import (
    ScreeningSearch,
    ScreeningSearchDep,
    SearchResults,
    derive_screening_id,
    find_lineages,
    run_search,
)
from api.fhir.search_routing import add_search_routes
from api.fhir.versions import build_response_resource, build_version, form_of_version, read_version
from api.store.transaction import Transaction
from schemas.screening import Screening

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)


@add_search_routes(
    router,
    "",
    "responses",
    scope="screenings:read",
    summary="Search responses",
)
def search_responses(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    search: ScreeningSearchDep,
    *,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    all_forms: FormsDep,
    urls: CanonicalUrlsDep,
    identifier: IdentifierFilter = None,
    questionnaire: QuestionnaireFilter = None,
) -> Response:
    """Return the newest version of each matching response, newest first."""

    def build_resource(versions: list[Screening]) -> Resource:
        return build_response_resource(build_version(versions, rulebooks, urls), rulebooks)

    def has_questionnaire(versions: list[Screening]) -> bool:
        form = form_of_version(build_version(versions, rulebooks, urls), rulebooks)
        return questionnaire in (form.canonical, form.url)

    def find_results(work: Transaction, search: ScreeningSearch) -> SearchResults:
        if questionnaire is not None:
            matching = [form for form in all_forms if questionnaire in (form.canonical, form.url)]
            if not matching:
                return SearchResults([], None)
            names = {form.loaded.name for form in matching}
            name = names.pop() if len(names) == 1 else matching[0].entry.instrument
            filters = search.filters.model_copy(update={"rulebook": name})
            search = search._replace(filters=filters)
        if identifier is not None:
            system, _, value = identifier.rpartition("|")
            screening_id = derive_screening_id(work, system or None, value)
            if search.id not in (None, screening_id):
                return SearchResults([], None)
            search = search._replace(id=screening_id)
        results = find_lineages(work, search)
        if questionnaire is None:
            return results
        return SearchResults(list(filter(has_questionnaire, results.lineages)), results.next_cursor)

    return run_search(
        context,
        search,
        urls,
        RESPONSE_TYPE,
        find_results=find_results,
        build_resource=build_resource,
    )


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
