"""Routes that read and search reports: DocumentReference, Binary, Composition, document."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from api.auth.request_context import Acts
from api.dependencies import Acting, Printing, Reports, Rulebooks
from api.documents.document_builder import repr_digest
from api.fhir.elements import FHIR_JSON, Resource, Version
from api.fhir.http import (
    NOT_CHANGED,
    AtBase,
    Filed,
    InJson,
    Known,
    ScreeningId,
    fhir_guarded,
    form_of,
    outcomes,
    resources,
    sent,
    told,
    version_of,
)
from api.fhir.report_attachment import report_of
from api.fhir.resources.bundle import document
from api.fhir.resources.document_reference import PDF, binary, composition, document_reference
from api.fhir.resources.observation import observation
from api.fhir.resources.provenance import provenance
from api.fhir.resources.questionnaire_response import questionnaire_response
from api.fhir.resources.risk_assessment import risk_assessment
from api.fhir.search import Searching, each_alone, searched, with_successor
from api.fhir.search_routing import search_routes
from api.http.error_responses import GUARDED
from api.problems import Problem
from api.store.screenings import screenings
from api.store.screenings.versions import first_of, lineage
from schemas.screening import Screening

router = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=fhir_guarded("reports:read"))
_BINARY_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report, or the Binary resource that contains it",
        "content": {
            PDF: {"schema": {"type": "string", "format": "binary"}},
            **resources("Binary")[200]["content"],
        },
    }
}
Accept = Annotated[
    str | None,
    Header(max_length=1000, include_in_schema=False),
]


@search_routes(
    router,
    "/DocumentReference",
    "document_references",
    scope="reports:read",
    summary="Search DocumentReferences",
    dependencies=[InJson],
)
def search_document_references(
    search: Searching, context: Acting, rulebooks: Rulebooks, urls: AtBase, report_type: Filed
) -> Response:
    """Return the DocumentReferences, newest first, including superseded ones."""

    def tell(pair: list[Screening]) -> Resource:
        version = _with_successor(told(pair[0], rulebooks, urls), pair[1:])
        return document_reference(version, report_type)

    return searched(context, search, urls, "DocumentReference", find=each_alone, tell=tell)


@router.get(
    "/DocumentReference/{screening}",
    operation_id="read_document_reference",
    response_class=Response,
    responses=resources("DocumentReference") | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
    summary="Read a DocumentReference",
    dependencies=[InJson],
)
def read_document_reference(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    context: Acting,
    rulebooks: Rulebooks,
    urls: AtBase,
    report_type: Filed,
    if_none_match: Known = None,
) -> Response:
    """Return the DocumentReference of a screening; it links to the report as a Binary."""
    with context.transaction() as work:
        original, *successors = with_successor(work, screening)
        first = first_of(work, screening)
        work.audit("read", "screening", screening)
    version = _with_successor(told(original, rulebooks, urls), successors)._replace(first=first)
    return sent(document_reference(version, report_type), known=if_none_match)


@router.get(
    "/Binary/{screening}",
    operation_id="read_binary",
    response_class=Response,
    responses=_BINARY_RESPONSE | outcomes(*GUARDED, 404, 406),
    summary="Read the report of a screening",
)
def read_binary(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    context: Acting,
    rulebooks: Rulebooks,
    urls: AtBase,
    renderer: Reports,
    print_settings: Printing,
    accept: Accept = None,
) -> Response:
    """Return the PDF, or if only `application/fhir+json` is accepted, the Binary resource."""
    wants_resource = _wants_resource(accept)
    current = _read_screening(context, screening)
    pdf = report_of(context, rulebooks, print_settings, renderer, current)
    if wants_resource:
        response = sent(binary(told(current, rulebooks, urls), pdf), Vary="Accept")
        response.headers["Repr-Digest"] = repr_digest(bytes(response.body))
        return response
    headers = {
        "Content-Disposition": 'attachment; filename="nociscreen-report.pdf"',
        "Vary": "Accept",
        "Repr-Digest": repr_digest(pdf),
    }
    return Response(pdf, headers=headers, media_type=PDF)


@router.get(
    "/Composition/{screening}",
    operation_id="read_composition",
    response_class=Response,
    responses=resources("Composition") | NOT_CHANGED | outcomes(*GUARDED, 404, 406),
    summary="Read a Composition",
    dependencies=[InJson],
)
def read_composition(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    context: Acting,
    rulebooks: Rulebooks,
    urls: AtBase,
    report_type: Filed,
    if_none_match: Known = None,
) -> Response:
    """Return the Composition that heads the document of a response."""
    version = version_of(_read_lineage(context, screening), rulebooks, urls)
    return sent(composition(version, report_type), known=if_none_match)


@router.get(
    "/Composition/{screening}/$document",
    operation_id="read_document",
    response_class=Response,
    responses=resources("Bundle") | outcomes(*GUARDED, 404, 406),
    summary="Read a response and its results as one document",
    dependencies=[InJson],
)
def read_document(
    screening: ScreeningId, context: Acting, rulebooks: Rulebooks, urls: AtBase, report_type: Filed
) -> Response:
    """Return Composition, response, Observation, RiskAssessment and Provenance as a Bundle."""
    version = version_of(_read_lineage(context, screening), rulebooks, urls)
    content = [
        composition(version, report_type),
        questionnaire_response(version, form_of(version, rulebooks)),
        observation(version),
        risk_assessment(version),
        provenance(version),
    ]
    return sent(document(version, content))


def _with_successor(version: Version, successors: list[Screening]) -> Version:
    return version._replace(successor=successors[0] if successors else None)


def _read_screening(context: Acts, screening: str) -> Screening:
    with context.transaction() as work:
        current = screenings.found(work, screening)
        work.audit("read", "screening", screening)
    return current


def _read_lineage(context: Acts, screening: str) -> list[Screening]:
    with context.transaction() as work:
        versions = lineage(work, screening)
        work.audit("read", "screening", screening)
    return versions


def _wants_resource(accept: str | None) -> bool:
    """Return whether FHIR JSON is accepted but the PDF is not."""
    media_types = [part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    if any(media_type in ("*/*", "application/*", PDF) for media_type in media_types):
        return False
    if FHIR_JSON in media_types or "application/json" in media_types:
        return True
    raise Problem("not_acceptable", "A report comes as application/pdf or application/fhir+json.")
