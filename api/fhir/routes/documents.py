"""The report of a kept response: DocumentReference, Binary, and a document of it all."""

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
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report, or the resource that holds it",
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
    search: Searching, acts: Acting, rulebooks: Rulebooks, base: AtBase, filed: Filed
) -> Response:
    """Newest first; those that were superseded too."""

    def tell(found: list[Screening]) -> Resource:
        return document_reference(_with(told(found[0], rulebooks, base), found[1:]), filed)

    return searched(acts, search, base, "DocumentReference", find=each_alone, tell=tell)


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
    acts: Acting,
    rulebooks: Rulebooks,
    base: AtBase,
    filed: Filed,
    known: Known = None,
) -> Response:
    """It has the id of its screening; the report itself is the Binary that it points to."""
    with acts.transaction() as work:
        found, *after = with_successor(work, screening)
        first = first_of(work, screening)
        work.audit("read", "screening", screening)
    version = _with(told(found, rulebooks, base), after)._replace(first=first)
    return sent(document_reference(version, filed), known=known)


@router.get(
    "/Binary/{screening}",
    operation_id="read_binary",
    response_class=Response,
    responses=_BYTES | outcomes(*GUARDED, 404, 406),
    summary="The report of a screening",
)
def read_binary(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    acts: Acting,
    rulebooks: Rulebooks,
    base: AtBase,
    reports: Reports,
    printed: Printing,
    accept: Accept = None,
) -> Response:
    """The PDF, or for whoever accepts `application/fhir+json` alone the resource around it."""
    as_resource = _as_resource(accept)
    found = _found(acts, screening)
    pdf = report_of(acts, rulebooks, printed, reports, found)
    if as_resource:
        whole = sent(binary(told(found, rulebooks, base), pdf), Vary="Accept")
        whole.headers["Repr-Digest"] = repr_digest(bytes(whole.body))
        return whole
    named = 'attachment; filename="nociscreen-report.pdf"'
    headers = {"Content-Disposition": named, "Vary": "Accept", "Repr-Digest": repr_digest(pdf)}
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
    acts: Acting,
    rulebooks: Rulebooks,
    base: AtBase,
    filed: Filed,
    known: Known = None,
) -> Response:
    """What heads the document of a response."""
    version = version_of(_lineage(acts, screening), rulebooks, base)
    return sent(composition(version, filed), known=known)


@router.get(
    "/Composition/{screening}/$document",
    operation_id="read_document",
    response_class=Response,
    responses=resources("Bundle") | outcomes(*GUARDED, 404, 406),
    summary="A response and all that was computed of it, as one document",
    dependencies=[InJson],
)
def read_document(
    screening: ScreeningId, acts: Acting, rulebooks: Rulebooks, base: AtBase, filed: Filed
) -> Response:
    """Composition, response, Observation, RiskAssessment and Provenance."""
    version = version_of(_lineage(acts, screening), rulebooks, base)
    whole = [
        composition(version, filed),
        questionnaire_response(version, form_of(version, rulebooks)),
        observation(version),
        risk_assessment(version),
        provenance(version),
    ]
    return sent(document(version, whole))


def _with(version: Version, after: list[Screening]) -> Version:
    return version._replace(successor=after[0] if after else None)


def _found(acts: Acts, screening: str) -> Screening:
    with acts.transaction() as work:
        found = screenings.found(work, screening)
        work.audit("read", "screening", screening)
    return found


def _lineage(acts: Acts, screening: str) -> list[Screening]:
    with acts.transaction() as work:
        found = lineage(work, screening)
        work.audit("read", "screening", screening)
    return found


def _as_resource(accept: str | None) -> bool:
    """Whether the resource is asked for: by its type, and not the PDF or anything beside it."""
    kinds = [each.partition(";")[0].strip().lower() for each in (accept or "*/*").split(",")]
    if any(each in ("*/*", "application/*", PDF) for each in kinds):
        return False
    if FHIR_JSON in kinds or "application/json" in kinds:
        return True
    raise Problem("not_acceptable", "A report comes as application/pdf or application/fhir+json.")
