"""Public routes of the definitions of operations."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.fhir.definitions.operations import (
    OPERATIONS,
    Operation,
    build_operation_definition,
    build_operation_url,
)
from api.fhir.elements import Resource
from api.fhir.http import RequireJson, outcome_responses, resource_response, send_resource
from api.fhir.parameters import CanonicalUrlsDep, PagePosition, PageSize, id_query, url_query
from api.fhir.search import send_matching
from api.fhir.search_routing import add_search_routes
from api.http.public_route import PublicRoute
from api.problems import Problem
from api.store.screenings.screenings import SOFTWARE_VERSION

router = APIRouter(
    prefix="/fhir", tags=["FHIR"], dependencies=[RequireJson], route_class=PublicRoute
)
OperationId = Annotated[str, Path(examples=["QuestionnaireResponse-score"])]
OperationIdFilter = Annotated[str | None, id_query("QuestionnaireResponse-score")]
OperationUrlFilter = Annotated[str | None, url_query("OperationDefinition/export")]
OperationCodeFilter = Annotated[
    str | None,
    Query(
        alias="code", max_length=60, description="The name of the operation.", examples=["score"]
    ),
]
OperationBaseFilter = Annotated[
    str | None,
    Query(
        alias="base",
        max_length=400,
        description="The canonical URL of the standard operation.",
        examples=["http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"],
    ),
]


@add_search_routes(
    router,
    "/OperationDefinition",
    "operation_definitions",
    scope=None,
    summary="Search operation definitions",
)
def search_operation_definitions(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    urls: CanonicalUrlsDep,
    *,
    name: OperationIdFilter = None,
    url: OperationUrlFilter = None,
    code: OperationCodeFilter = None,
    base: OperationBaseFilter = None,
    count: PageSize = 100,
    after: PagePosition = 0,
) -> Response:
    """Search the definitions of all operations that the CapabilityStatement names."""
    matching = [
        it
        for it in OPERATIONS
        if name in (None, it.id)
        and (url or "").partition("|")[0] in ("", build_operation_url(urls, it))
        and code in (None, it.code)
        and base in (None, it.base)
    ]
    parameters: dict[str, str | int | None] = {"_id": name, "url": url, "code": code, "base": base}
    parameters |= {"_count": count, "_page": after}

    def build_resource(operation: Operation) -> Resource:
        return build_operation_definition(operation, urls, SOFTWARE_VERSION)

    return send_matching(matching, build_resource, urls, "OperationDefinition", parameters)


@router.get(
    "/OperationDefinition/{definition}",
    operation_id="read_operation_definition",
    response_class=Response,
    responses=resource_response("OperationDefinition") | outcome_responses(404, 406, 422),
    summary="Read an operation definition",
)
def read_operation_definition(definition: OperationId, urls: CanonicalUrlsDep) -> Response:
    """Return the definition of an operation; `base` is the standard one, supported in part."""
    for operation in OPERATIONS:
        if operation.id == definition:
            return send_resource(build_operation_definition(operation, urls, SOFTWARE_VERSION))
    raise Problem("not_found")
