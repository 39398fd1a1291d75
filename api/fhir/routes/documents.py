"""Routes that read and search reports: DocumentReference, Binary, Composition, document."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from api.auth.request_context import RequestContext
from api.dependencies import CatalogueDep, MeteredRendererDep, PrintSettingsDep, RequestContextDep
from api.documents.document_builder import build_file_name, format_repr_digest
from api.fhir.elements import FHIR_JSON, Resource, ResourceVersion
from api.fhir.http import (
    RequireJson,
    guarded_fhir_route,
    outcome_responses,
    read_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import CanonicalUrlsDep, IfNoneMatch, ReportTypeDep, ScreeningId
from api.fhir.report_attachment import render_pdf_report
from api.fhir.resources.bundle import build_document_bundle
from api.fhir.resources.document_reference import (
    PDF,
    build_binary,
    build_composition,
    build_document_reference,
)
from api.fhir.resources.observation import build_observation
from api.fhir.resources.provenance import build_provenance
from api.fhir.resources.risk_assessment import build_risk_assessment
from api.fhir.search import (
    SearchSource,
    build_search_reader,
    find_screenings_with_successor,
    load_with_successor,
    run_search,
)
from api.fhir.search_included import build_included
from api.fhir.search_query import ScreeningSearch
from api.fhir.search_routing import add_search_routes
from api.fhir.versions import build_response_resource, build_single_version, read_version
from api.http.content_negotiation import negotiate_media_type
from api.http.errors.error_responses import GUARDED_ERRORS
from api.problems import Problem
from api.store.screenings import screenings
from api.store.screenings.versions import find_first_version_id
from schemas.patients.screening import Screening

router = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=guarded_fhir_route("reports:read"))
_BINARY_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report, or the Binary resource that contains it",
        "content": {
            PDF: {"schema": {"type": "string", "format": "binary"}},
            **resource_response("Binary")[200]["content"],
        },
    }
}
_read_search = build_search_reader("DocumentReference")
Accept = Annotated[
    str | None,
    Header(max_length=1000, include_in_schema=False),
]


@add_search_routes(
    router,
    "/DocumentReference",
    "document_references",
    scope="reports:read",
    summary="Search DocumentReferences",
    dependencies=[RequireJson],
)
def search_document_references(
    search: Annotated[ScreeningSearch, Depends(_read_search)],
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    report_type: ReportTypeDep,
) -> Response:
    """Return the DocumentReferences, newest first, including superseded ones."""

    def build_resource(pair: list[Screening]) -> Resource:
        version = _with_successor(build_single_version(pair[0], rulebooks, urls), pair[1:])
        return build_document_reference(version, report_type)

    source = SearchSource(
        find_screenings_with_successor,
        build_resource,
        build_included(rulebooks, urls, report_type),
        counts_corrected=True,
    )
    return run_search(context, search, urls, source)


@router.get(
    "/DocumentReference/{screening}",
    operation_id="read_document_reference",
    response_class=Response,
    responses=read_responses("DocumentReference"),
    summary="Read a DocumentReference",
    dependencies=[RequireJson],
)
def read_document_reference(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    report_type: ReportTypeDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return the DocumentReference of a screening; it links to the report as a Binary."""
    with context.transaction() as work:
        original, *successors = load_with_successor(work, screening)
        first = find_first_version_id(work, screening)
        work.audit("read", "screening", screening)
    version = _with_successor(build_single_version(original, rulebooks, urls), successors)._replace(
        logical_id=first
    )
    return send_resource(
        build_document_reference(version, report_type), if_none_match=if_none_match
    )


@router.get(
    "/Binary/{screening}",
    operation_id="read_binary",
    response_class=Response,
    responses=_BINARY_RESPONSE | outcome_responses(*GUARDED_ERRORS, 404, 406),
    summary="Read the report of a screening",
)
def read_binary(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    renderer: MeteredRendererDep,
    print_settings: PrintSettingsDep,
    accept: Accept = None,
) -> Response:
    """Return the PDF, or if only `application/fhir+json` is accepted, the Binary resource."""
    wants_resource = _wants_resource(accept)
    current = _read_screening(context, screening)
    pdf = render_pdf_report(context, rulebooks, print_settings, renderer, current)
    if wants_resource:
        response = send_resource(
            build_binary(build_single_version(current, rulebooks, urls), pdf), Vary="Accept"
        )
        response.headers["Repr-Digest"] = format_repr_digest(bytes(response.body))
        return response
    file_name = build_file_name(".pdf", screening=current)
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Vary": "Accept",
        "Repr-Digest": format_repr_digest(pdf),
    }
    return Response(pdf, headers=headers, media_type=PDF)


@router.get(
    "/Composition/{screening}",
    operation_id="read_composition",
    response_class=Response,
    responses=read_responses("Composition"),
    summary="Read a Composition",
    dependencies=[RequireJson],
)
def read_composition(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    report_type: ReportTypeDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return the Composition that heads the document of a response."""
    version = read_version(context, rulebooks, urls, screening)
    return send_resource(build_composition(version, report_type), if_none_match=if_none_match)


@router.get(
    "/Composition/{screening}/$document",
    operation_id="read_document",
    response_class=Response,
    responses=resource_response("Bundle") | outcome_responses(*GUARDED_ERRORS, 404, 406),
    summary="Read a response and its results as one document",
    dependencies=[RequireJson],
)
def read_document(
    screening: ScreeningId,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    report_type: ReportTypeDep,
) -> Response:
    """Return Composition, response, Observation, RiskAssessment and Provenance as a Bundle."""
    version = read_version(context, rulebooks, urls, screening)
    content = [
        build_composition(version, report_type),
        build_response_resource(version, rulebooks),
        build_observation(version),
        build_risk_assessment(version),
        build_provenance(version),
    ]
    return send_resource(build_document_bundle(version, content))


def _with_successor(version: ResourceVersion, successors: list[Screening]) -> ResourceVersion:
    return version._replace(successor=successors[0] if successors else None)


def _read_screening(context: RequestContext, screening: str) -> Screening:
    with context.transaction() as work:
        current = screenings.find_screening(work, screening)
        work.audit("read", "screening", screening)
    return current


def _wants_resource(accept: str | None) -> bool:
    """Return whether FHIR JSON is preferred; plain JSON means it only if nothing else is accepted.

    Raises Problem `not_acceptable`.
    """
    offered = (PDF, f"{FHIR_JSON}; fhirVersion=4.0")
    media_type = negotiate_media_type(accept, offered) or negotiate_media_type(
        accept, offered, {"application/json": FHIR_JSON}
    )
    if media_type is None:
        raise Problem(
            "not_acceptable", "A report is available as application/pdf or application/fhir+json."
        )
    return media_type != PDF
