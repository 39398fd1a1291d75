"""The report of a screening as FHIR routes send it: the clinician's, in English, as PDF."""

from api import issuing
from api.acts import Acts
from api.choosing import Chosen
from api.papers import Printed, paper_of_screening
from api.rendering import Layout
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_CHOSEN = Chosen("pdf", "clinician", "en")


def report_of(
    acts: Acts, rulebooks: Catalogue, printed: Printed, reports: Layout, screening: Screening
) -> bytes:
    """The report, kept as it is sent. Raises Problem `not_found` where it was erased meanwhile."""
    told = issuing.told(acts, screening.id)
    made = paper_of_screening(rulebooks, printed, reports, told, _CHOSEN)
    return issuing.issue(acts, screening.id, made).content
