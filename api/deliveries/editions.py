"""Prepares the edition of a screening that a destination receives.

By default answers about the person (safety, self-harm, adversity, trauma), what was concluded from
them, and the free note, which may repeat them, are left out.
"""

from functools import partial

from api.deliveries.compose_request import ComposeContext, ComposeRequest
from api.fhir.parsing.received import keep_links
from reports.view.editions import leave_out_person
from reports.view.intake import AssessedIntake
from schemas.patients.screening import ScreeningContext
from scoring.guidance import choose_guidance


def apply_edition(context: ComposeContext, request: ComposeRequest) -> ComposeRequest:
    """Return the request with its screening as the destination may know it."""
    if request.profile.edition == "full":
        return request
    snapshot = request.snapshot
    screening = snapshot.screening
    loaded = context.find_rulebook(snapshot)
    intake = AssessedIntake(
        screening.assessment,
        screening.answers,
        choose_guidance=partial(choose_guidance, loaded),
    )
    shared = leave_out_person(loaded.rulebook, intake)
    changes = {
        "assessment": shared.assessment,
        "answers": dict(shared.answers),
        "acknowledgements": (),
        "context": _leave_out_texts(screening.context),
    }
    source = snapshot.report_source._replace(screening=screening.model_copy(update=changes))
    return request._replace(snapshot=snapshot._replace(report_source=source))


def _leave_out_texts(context: ScreeningContext) -> ScreeningContext:
    """Return the context without the note and without the answers as a client sent them."""
    fhir = context.fhir
    if fhir is not None and fhir.received is not None:
        fhir = fhir.model_copy(update={"received": keep_links(fhir.received)})
    return context.model_copy(update={"note": None, "fhir": fhir})
