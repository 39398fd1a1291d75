"""The report of a screening as FHIR routes send it: the clinician's, in English, as PDF."""

from api.auth.request_context import Acts
from api.documents import issuance
from api.documents.document_builder import Printed, paper_of_screening
from api.documents.render_pool import Layout
from api.documents.request import Chosen
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_CHOSEN = Chosen("pdf", "clinician", "en")


def report_of(
    acts: Acts, rulebooks: Catalogue, printed: Printed, reports: Layout, screening: Screening
) -> bytes:
    """The report, kept as it is sent. Raises Problem `not_found` where it was erased meanwhile."""
    told = issuance.told(acts, screening.id)
    made = paper_of_screening(rulebooks, printed, reports, told, _CHOSEN)
    return issuance.issue(acts, screening.id, made).content
