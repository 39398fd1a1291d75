"""Renders the report that FHIR routes return: the clinician's PDF, in English."""

from api.auth.request_context import RequestContext
from api.auth.services import PdfRenderer
from api.documents import issuance
from api.documents.document_builder import PrintSettings, render_screening
from api.documents.request import DocumentRequest
from schemas.patients.screening import Screening
from scoring.catalogue import Catalogue

_REQUEST = DocumentRequest("pdf", "clinician", "en")


def render_pdf_report(
    context: RequestContext,
    rulebooks: Catalogue,
    print_settings: PrintSettings,
    renderer: PdfRenderer,
    screening: Screening,
) -> bytes:
    """Render the PDF and record it as issued.

    Raises Problem `not_found` if the screening was erased in the meantime.
    """
    source = issuance.load_report_source(context, screening.id)
    document = render_screening(rulebooks, print_settings, renderer, source, _REQUEST)
    return issuance.record_issued(context, screening.id, document).content
