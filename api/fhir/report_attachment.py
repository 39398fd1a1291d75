"""Renders the report that FHIR routes return: the clinician's PDF, in English."""

from api.auth.request_context import Acts
from api.documents import issuance
from api.documents.document_builder import Printed, paper_of_screening
from api.documents.render_pool import Layout
from api.documents.request import Chosen
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_REQUEST = Chosen("pdf", "clinician", "en")


def report_of(
    context: Acts,
    rulebooks: Catalogue,
    print_settings: Printed,
    renderer: Layout,
    screening: Screening,
) -> bytes:
    """Render the PDF and record it as issued.

    Raises Problem `not_found` if the screening was erased in the meantime.
    """
    source = issuance.told(context, screening.id)
    rendered = paper_of_screening(rulebooks, print_settings, renderer, source, _REQUEST)
    return issuance.issue(context, screening.id, rendered).content
