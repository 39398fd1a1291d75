"""Chooses the edition of a screening that a destination receives.

By default answers about the person (safety, self-harm, adversity, trauma) and what was concluded
from them are left out. The first generation of scoring rules marks no answers, so such a screening
has one edition.
"""

from pydantic import MISSING

from api.deliveries.compose_request import ComposeContext, ComposeRequest
from reports.view.editions import Edition, leave_out_person
from reports.view.intake import AssessedIntake


def choose_edition(request: ComposeRequest) -> Edition:
    """Return the edition for the destination."""
    if request.snapshot.screening.assessment.confidential is MISSING:
        return "full"
    return request.profile.edition


def apply_edition(context: ComposeContext, request: ComposeRequest) -> ComposeRequest:
    """Return the request with its screening as the destination may know it."""
    if choose_edition(request) == "full":
        return request
    snapshot = request.snapshot
    screening = snapshot.screening
    rulebook = context.find_rulebook(snapshot).rulebook
    shared = leave_out_person(rulebook, AssessedIntake(screening.assessment, screening.answers))
    changes = {
        "assessment": shared.assessment,
        "answers": dict(shared.answers),
        "acknowledgements": (),
    }
    source = snapshot.report_source._replace(screening=screening.model_copy(update=changes))
    return request._replace(snapshot=snapshot._replace(report_source=source))
