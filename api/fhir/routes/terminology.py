"""Public routes of code systems and value sets, by id and by canonical URL."""

from fastapi import APIRouter, Response

from api.fhir.definitions.terminology import CodeList, TerminologyType, build_terminology
from api.fhir.elements import CanonicalUrls, Resource
from api.fhir.http import RequireJson, outcome_responses, resource_response, send_resource
from api.fhir.parameters import (
    CanonicalUrlsDep,
    CodeListId,
    CodeListIdFilter,
    CodeListInstrument,
    CodeListPart,
    CodeListsDep,
    CodeSystemUrlFilter,
    PagePosition,
    PageSize,
    ValueSetUrlFilter,
)
from api.fhir.search import send_matching
from api.fhir.search_routing import add_search_routes
from api.http.public_route import PublicRoute
from api.problems import Problem

router = APIRouter(
    prefix="/fhir", tags=["FHIR"], dependencies=[RequireJson], route_class=PublicRoute
)
_ERRORS = outcome_responses(404, 406, 422)


@add_search_routes(
    router,
    "/CodeSystem",
    "code_systems",
    scope=None,
    summary="Search code systems",
)
def search_code_systems(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    code_lists: CodeListsDep,
    urls: CanonicalUrlsDep,
    *,
    name: CodeListIdFilter = None,
    url: CodeSystemUrlFilter = None,
    count: PageSize = 100,
    after: PagePosition = 0,
) -> Response:
    """Search the service's own code systems: options of questions, bands and results."""
    parameters = {"_id": name, "url": url, "_count": count, "_page": after}
    return _send_matching(code_lists, urls, "CodeSystem", parameters)


@add_search_routes(
    router,
    "/ValueSet",
    "value_sets",
    scope=None,
    summary="Search value sets",
)
def search_value_sets(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    code_lists: CodeListsDep,
    urls: CanonicalUrlsDep,
    *,
    name: CodeListIdFilter = None,
    url: ValueSetUrlFilter = None,
    count: PageSize = 100,
    after: PagePosition = 0,
) -> Response:
    """Search the value sets: one for each code system, with all its codes."""
    parameters = {"_id": name, "url": url, "_count": count, "_page": after}
    return _send_matching(code_lists, urls, "ValueSet", parameters)


@router.get(
    "/CodeSystem/{code_list}",
    operation_id="read_code_system",
    response_class=Response,
    responses=resource_response("CodeSystem") | _ERRORS,
    summary="Read a code system",
)
def read_code_system(code_list: CodeListId, code_lists: CodeListsDep) -> Response:
    """Return a code system with the codes of all released versions of an instrument."""
    return _send_named(code_lists, "CodeSystem", code_list)


@router.get(
    "/ValueSet/{code_list}",
    operation_id="read_value_set",
    response_class=Response,
    responses=resource_response("ValueSet") | _ERRORS,
    summary="Read a value set",
)
def read_value_set(code_list: CodeListId, code_lists: CodeListsDep) -> Response:
    """Return a value set with the codes that it includes."""
    return _send_named(code_lists, "ValueSet", code_list)


@router.get(
    "/CodeSystem/{instrument}/{part}",
    operation_id="resolve_code_system",
    response_class=Response,
    responses=resource_response("CodeSystem") | _ERRORS,
    summary="Read a code system at its canonical URL",
)
def resolve_code_system(
    instrument: CodeListInstrument, part: CodeListPart, code_lists: CodeListsDep
) -> Response:
    """Return the code system that codings name by this URL."""
    return _send_named(code_lists, "CodeSystem", f"{instrument}/{part}")


@router.get(
    "/ValueSet/{instrument}/{part}",
    operation_id="resolve_value_set",
    response_class=Response,
    responses=resource_response("ValueSet") | _ERRORS,
    summary="Read a value set at its canonical URL",
)
def resolve_value_set(
    instrument: CodeListInstrument, part: CodeListPart, code_lists: CodeListsDep
) -> Response:
    """Return the value set of this URL."""
    return _send_named(code_lists, "ValueSet", f"{instrument}/{part}")


def _send_named(code_lists: list[CodeList], resource_type: TerminologyType, name: str) -> Response:
    for codes in code_lists:
        if name in (codes.id, codes.path):
            return send_resource(build_terminology(codes, resource_type))
    raise Problem("not_found")


def _send_matching(
    code_lists: list[CodeList],
    urls: CanonicalUrls,
    resource_type: TerminologyType,
    parameters: dict[str, str | int | None],
) -> Response:
    name, url = parameters["_id"], parameters["url"]
    matching = [
        codes
        for codes in code_lists
        if name in (None, codes.id)
        and url in (None, codes.url(resource_type), codes.canonical(resource_type))
    ]

    def build(codes: CodeList) -> Resource:
        return build_terminology(codes, resource_type)

    return send_matching(matching, build, urls, resource_type, parameters)
