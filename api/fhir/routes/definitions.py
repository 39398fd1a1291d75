"""Public routes of definitions: capabilities, questionnaires and the `$score` operation."""

from importlib.metadata import version as find_package_version

from fastapi import APIRouter, Depends, Request, Response

from api.auth.route_guard import check_query
from api.fhir.http import (
    NOT_MODIFIED,
    RequireJson,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import (
    CanonicalUrlsDep,
    FormId,
    FormIdFilter,
    FormsDep,
    FormStatusFilter,
    FormUrlFilter,
    FormVersion,
    FormVersionFilter,
    IfNoneMatch,
    OperationId,
    PagePosition,
    PageSize,
)
from api.fhir.questionnaire_catalogue import QuestionnaireForm, find_newest_form
from api.fhir.resources.capability_statement import (
    SCORE_OPERATION_ID,
    build_capability_statement,
    build_score_definition,
)
from api.fhir.resources.questionnaire import build_questionnaire
from api.fhir.search import send_page
from api.fhir.search_routing import add_search_routes
from api.http.public_route import PublicRoute
from api.problems import Problem

router = APIRouter(
    prefix="/fhir", tags=["FHIR"], dependencies=[RequireJson], route_class=PublicRoute
)
RELEASED_ON = "2026-11-24"
_SEARCH_PARAMETERS = frozenset({"_id", "url", "version", "status", "_count", "_page", "_format"})


async def _check_parameters(request: Request) -> None:
    check_query(request, _SEARCH_PARAMETERS)


@router.get(
    "/metadata",
    operation_id="read_capabilities",
    response_class=Response,
    responses=resource_response("CapabilityStatement") | outcome_responses(406, 422),
    summary="Read the capabilities of the FHIR server",
)
def read_capabilities(urls: CanonicalUrlsDep) -> Response:
    """Return the CapabilityStatement: FHIR R4, JSON."""
    return send_resource(
        build_capability_statement(urls, find_package_version("nociscreen"), RELEASED_ON)
    )


@router.get(
    "/OperationDefinition/{definition}",
    operation_id="read_operation_definition",
    response_class=Response,
    responses=resource_response("OperationDefinition") | outcome_responses(404, 406, 422),
    summary="Read the $score operation definition",
)
def read_operation_definition(definition: OperationId, urls: CanonicalUrlsDep) -> Response:
    """Return the definition of `$score`, the only operation that no standard defines."""
    if definition != SCORE_OPERATION_ID:
        raise Problem("not_found")
    return send_resource(build_score_definition(urls, find_package_version("nociscreen")))


@add_search_routes(
    router,
    "/Questionnaire",
    "questionnaires",
    scope=None,
    summary="Search questionnaires",
    dependencies=[Depends(_check_parameters)],
)
def search_questionnaires(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    all_forms: FormsDep,
    urls: CanonicalUrlsDep,
    *,
    name: FormIdFilter = None,
    url: FormUrlFilter = None,
    version: FormVersionFilter = None,
    status: FormStatusFilter = None,
    count: PageSize = 100,
    after: PagePosition = 0,
) -> Response:
    """Search the questionnaires: one per rulebook version for clinicians, and one for patients."""
    options = {"_id": name, "url": url, "version": version, "status": status, "_count": count}
    parameters = {key: value for key, value in options.items() if value is not None}
    matching = [
        form
        for form in all_forms
        if name in (None, form.id)
        and url in (None, form.url, form.canonical)
        and version in (None, form.entry.version)
        and status in (None, form.entry.status)
    ]
    end = after + count
    page = [build_questionnaire(form) for form in matching[after:end]]
    next_parameters = parameters | {"_page": end} if matching[end:] else None
    return send_page(page, urls, "Questionnaire", parameters | {"_page": after}, next_parameters)


@router.get(
    "/Questionnaire/{form}",
    operation_id="read_questionnaire",
    response_class=Response,
    responses=resource_response("Questionnaire") | NOT_MODIFIED | outcome_responses(404, 406, 422),
    summary="Read the newest version of a questionnaire",
)
def read_questionnaire(
    form: FormId, all_forms: FormsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Return the questions; the clinicians' form also shows the weight of each answer."""
    return _send_newest([item for item in all_forms if item.id == form], if_none_match)


@router.get(
    "/Questionnaire/{form}/_history/{version}",
    operation_id="read_questionnaire_version",
    response_class=Response,
    responses=resource_response("Questionnaire") | NOT_MODIFIED | outcome_responses(404, 406, 422),
    summary="Read one version of a questionnaire",
)
def read_questionnaire_version(
    form: FormId, version: FormVersion, all_forms: FormsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Return one version. Versions never change."""
    return _send_newest(
        [item for item in all_forms if (item.id, item.entry.version) == (form, version)],
        if_none_match,
    )


def _send_newest(candidates: list[QuestionnaireForm], if_none_match: str | None) -> Response:
    form = find_newest_form(candidates)
    if form is None:
        raise Problem("not_found")
    return send_resource(build_questionnaire(form), if_none_match=if_none_match)
