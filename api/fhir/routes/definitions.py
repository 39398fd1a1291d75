"""Public routes of definitions: capabilities, the device and questionnaires."""

from fastapi import APIRouter, Response

from api.dependencies import CatalogueDep
from api.fhir.definitions.capability_statement import build_capability_statement
from api.fhir.definitions.device import build_device, build_device_id
from api.fhir.definitions.questionnaire import build_questionnaire
from api.fhir.elements import Resource
from api.fhir.http import (
    NOT_MODIFIED,
    RequireJson,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import (
    CanonicalUrlsDep,
    DeviceId,
    FormId,
    FormIdFilter,
    FormsDep,
    FormStatusFilter,
    FormUrlFilter,
    FormVersion,
    FormVersionFilter,
    IfNoneMatch,
    PagePosition,
    PageSize,
)
from api.fhir.questionnaire_catalogue import QuestionnaireForm, find_newest_form
from api.fhir.search import send_matching
from api.fhir.search_routing import add_search_routes
from api.http.public_route import PublicRoute
from api.problems import Problem
from api.store.screenings.screenings import SOFTWARE_VERSION

router = APIRouter(
    prefix="/fhir", tags=["FHIR"], dependencies=[RequireJson], route_class=PublicRoute
)
RELEASED_ON = "2026-11-24"


@router.get(
    "/metadata",
    operation_id="read_capabilities",
    response_class=Response,
    responses=resource_response("CapabilityStatement") | outcome_responses(406, 422),
    summary="Read the capabilities of the FHIR server",
)
def read_capabilities(urls: CanonicalUrlsDep) -> Response:
    """Return the CapabilityStatement: FHIR R4, JSON."""
    return send_resource(build_capability_statement(urls, SOFTWARE_VERSION, RELEASED_ON))


@router.get(
    "/Device/{device}",
    operation_id="read_device",
    response_class=Response,
    responses=resource_response("Device") | outcome_responses(404, 406, 422),
    summary="Read the software that scores",
)
def read_device(device: DeviceId, rulebooks: CatalogueDep, urls: CanonicalUrlsDep) -> Response:
    """Return the running version of the service, with the hash of every released rulebook."""
    if device != build_device_id(SOFTWARE_VERSION):
        raise Problem("not_found")
    return send_resource(build_device(urls, rulebooks, SOFTWARE_VERSION))


@add_search_routes(
    router,
    "/Questionnaire",
    "questionnaires",
    scope=None,
    summary="Search questionnaires",
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
    matching = [
        form
        for form in all_forms
        if name in (None, form.id)
        and url in (None, form.url, form.canonical)
        and version in (None, form.entry.version)
        and status in (None, form.entry.status)
    ]
    parameters: dict[str, str | int | None] = {"_id": name, "url": url, "version": version}
    parameters |= {"status": status, "_count": count, "_page": after}
    return send_matching(matching, build_questionnaire, urls, "Questionnaire", parameters)


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
    resource = _build_newest([item for item in all_forms if item.id == form])
    return send_resource(resource, if_none_match=if_none_match)


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
    """Return one version, by its version alone or by the `versionId` of its content."""
    number, _, content = version.partition("-")
    candidates = [item for item in all_forms if (item.id, item.entry.version) == (form, number)]
    resource = _build_newest(candidates)
    if content and resource["meta"]["versionId"] != version:
        raise Problem("not_found")
    return send_resource(resource, if_none_match=if_none_match)


def _build_newest(candidates: list[QuestionnaireForm]) -> Resource:
    form = find_newest_form(candidates)
    if form is None:
        raise Problem("not_found")
    return build_questionnaire(form)
