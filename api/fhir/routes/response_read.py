"""Routes that read QuestionnaireResponses and their versions."""

from fastapi import APIRouter, Response

from api.dependencies import CatalogueDep, RequestContextDep
from api.fhir.http import (
    RequireJson,
    guarded_fhir_route,
    outcome_responses,
    read_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import CanonicalUrlsDep, IfNoneMatch, ScreeningId, VersionNumber
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.resources.bundle import build_history_bundle
from api.fhir.versions import (
    build_response_resource,
    read_history,
    read_response_resource,
    read_version,
)
from api.http.errors.error_responses import GUARDED_ERRORS

router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
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
    """Return the newest version. The id is that of the first version.

    A response in progress is returned to the client that stored it.
    """
    resource = read_response_resource(context, rulebooks, urls, screening)
    return send_resource(resource, if_none_match=if_none_match)


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
