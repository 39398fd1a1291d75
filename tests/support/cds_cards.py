"""CDS cards of a screening whose answers and assessment a test chooses."""

from support.interop.screening_events import AT, build_screening

from api.cds_hooks.cards import ChartContext, build_cards
from api.fhir.elements import CanonicalUrls
from schemas.assessments.assessment import Assessment
from scoring.compiled_rulebook import LoadedRulebook


def list_cards(loaded: LoadedRulebook, answers: dict, assessment: Assessment) -> list[dict]:
    """Return the cards that an EHR is shown of the screening."""
    chart = ChartContext("p1", loaded, 90, CanonicalUrls("https://nociscreen.example"), AT)
    screening = build_screening().model_copy(update={"assessment": assessment, "answers": answers})
    return build_cards(chart, screening, loaded)
