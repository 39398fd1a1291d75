"""Routes that read and search QuestionnaireResponses and their versions."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth.request_context import RequestContext
from api.dependencies import CatalogueDep, RequestContextDep
from api.fhir.elements import Resource
from api.fhir.http import (
    NOT_MODIFIED,
    CanonicalUrlsDep,
    FormsDep,
    IfNoneMatch,
    RequireJson,
    ScreeningId,
    VersionNumber,
    build_response_resource,
    build_version,
    form_of_version,
    guarded_fhir_route,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.search import (
    IDENTIFIER_PATTERN,
    ScreeningSearch,
    ScreeningSearchDep,
    SearchResults,
    derive_screening_id,
    find_lineages,
    run_search,
)
from api.fhir.search_routing import add_search_routes
from api.http.error_responses import GUARDED_ERRORS
from api.store.screenings.versions import list_versions
from api.store.transaction import Transaction
from schemas.patient import READABLE
from schemas.screening import Screening

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)
IdentifierFilter = Annotated[
    str | None,
    Query(
        max_length=401,
        pattern=IDENTIFIER_PATTERN,
        description="`system|value`, or `|value` for an identifier without a system.",
        examples=["urn:oid:1.2.3.4|response-1"],
    ),
]
QuestionnaireFilter = Annotated[
    str | None,
    Query(
        max_length=400,
        pattern=READABLE,
        description="`url|version` of a questionnaire, or its `url` for all versions.",
        examples=["http://127.0.0.1:8000/fhir/Questionnaire/nociplastic|1.0.0"],
    ),
]


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
    """Return the newest version of each, newest first."""

    def tell(versions: list[Screening]) -> Resource:
        return build_response_resource(build_version(versions, rulebooks, urls), rulebooks)

    def has_questionnaire(versions: list[Screening]) -> bool:
        form = form_of_version(build_version(versions, rulebooks, urls), rulebooks)
        return questionnaire in (form.canonical, form.url)

    def find(work: Transaction, search: ScreeningSearch) -> SearchResults:
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

    return run_search(context, search, urls, RESPONSE_TYPE, find_results=find, build_resource=tell)


@router.get(
    "/{screening}",
    operation_id="read_response",
    response_class=Response,
    responses=resource_response(RESPONSE_TYPE)
    | NOT_MODIFIED
    | outcome_responses(*GUARDED_ERRORS, 404, 406),
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
    version = build_version(_read_lineage(context, screening), rulebooks, urls)
    return send_resource(build_response_resource(version, rulebooks), if_none_match=if_none_match)


@router.get(
    "/{screening}/_history/{number}",
    operation_id="read_response_version",
    response_class=Response,
    responses=resource_response(RESPONSE_TYPE)
    | NOT_MODIFIED
    | outcome_responses(*GUARDED_ERRORS, 404, 406),
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
    version = build_version(_read_lineage(context, screening), rulebooks, urls, int(number))
    return send_resource(build_response_resource(version, rulebooks), if_none_match=if_none_match)


def _read_lineage(context: RequestContext, screening: str) -> list[Screening]:
    with context.transaction() as work:
        versions = list_versions(work, screening)
        work.audit("read", "screening", screening)
    return versions
