"""Reads stored screenings as versions of FHIR resources."""

from datetime import datetime
from typing import Any

from api.auth.request_context import RequestContext
from api.fhir.elements import CanonicalUrls, Resource, ResourceVersion
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.draft_response import build_draft_response
from api.fhir.resources.questionnaire_response import build_questionnaire_response
from api.problems import Problem
from api.store.errors import NotFoundError
from api.store.forms import response_drafts
from api.store.screenings.versions import list_versions
from schemas.patients.screening import Screening
from scoring.catalogue import Catalogue


def read_version(
    context: RequestContext,
    rulebooks: Catalogue,
    urls: CanonicalUrls,
    first: str,
    number: int | None = None,
) -> ResourceVersion:
    """Return the newest version of a screening, or the one with this number; audit the read.

    `first` is the id of the original screening. Raises Problem `not_found` if there is no such
    version.
    """
    with context.transaction() as work:
        lineage = list_versions(work, first)
        work.audit("read", "screening", first)
    return build_version(lineage, rulebooks, urls, number)


def read_response_resource(
    context: RequestContext, rulebooks: Catalogue, urls: CanonicalUrls, response_id: str
) -> Resource:
    """Return a response, or a draft of the caller; audit the read. Raises NotFoundError."""
    with context.transaction() as work:
        try:
            versions = list_versions(work, response_id)
        except NotFoundError:
            draft = response_drafts.find_draft(work, response_id)
            work.audit("read", "response_draft", response_id)
            return build_draft_response(draft, urls)
        work.audit("read", "screening", response_id)
    return build_response_resource(build_version(versions, rulebooks, urls), rulebooks)


def read_history(
    context: RequestContext, rulebooks: Catalogue, urls: CanonicalUrls, first: str
) -> list[ResourceVersion]:
    """Return every version of a screening, the newest first; audit the read.

    Raises Problem `not_found`.
    """
    with context.transaction() as work:
        lineage = list_versions(work, first)
        work.audit("read", "screening", first)
    newest = build_version(lineage, rulebooks, urls)
    numbers = range(newest.number, 0, -1)
    return [build_version(lineage, rulebooks, urls, number) for number in numbers]


def build_version(
    screenings: list[Screening],
    rulebooks: Catalogue,
    urls: CanonicalUrls,
    number: int | None = None,
) -> ResourceVersion:
    """Return a version of a lineage: the newest, or the one with this number.

    `screenings` are the lineage, oldest first. Each correction, merge of the patient and entry in
    error makes a version. Raises Problem `not_found` if there is no such version.
    """
    changes = _list_changes(screenings)
    number = len(changes) if number is None else number
    if not 1 <= number <= len(changes):
        raise Problem("not_found")
    at = changes[number - 1]
    screening = next(it for it in reversed(screenings) if it.created_at <= at)
    version = build_single_version(_restore_state(screening, at), rulebooks, urls)
    return version._replace(logical_id=screenings[0].id, number=number, changed_at=at)


def _list_changes(screenings: list[Screening]) -> list[datetime]:
    """Return the instants at which the content of the resources changed, oldest first."""
    error = screenings[-1].entered_in_error
    instants = {screening.created_at for screening in screenings}
    instants |= {move.at for screening in screenings for move in screening.moves}
    return sorted(instants | ({error.at} if error else set()))


def _restore_state(screening: Screening, at: datetime) -> Screening:
    """Return the screening as it was at this instant: not yet in error, its patient not moved."""
    later_moves = [move for move in screening.moves if move.at > at]
    error = screening.entered_in_error
    changes: dict[str, Any] = {
        "moves": tuple(move for move in screening.moves if move.at <= at),
        "entered_in_error": error if error and error.at <= at else None,
    }
    if later_moves:
        first = later_moves[0]
        number = {"reference": first.from_reference, "system": first.from_system}
        changes["patient"] = screening.patient.model_copy(update=number)
    return screening.model_copy(update=changes)


def build_single_version(
    screening: Screening, rulebooks: Catalogue, urls: CanonicalUrls
) -> ResourceVersion:
    """Return a screening as the only version of its resources."""
    loaded = rulebooks.find_version(screening.assessment.rulebook)
    return ResourceVersion(screening, screening.id, 1, loaded, urls)


def form_of_version(version: ResourceVersion, rulebooks: Catalogue) -> QuestionnaireForm:
    """Return the questionnaire that the screening answers."""
    fhir = version.screening.context.fhir
    entry = rulebooks.find_entry(version.loaded)
    return QuestionnaireForm(version.loaded, entry, bool(fhir and fhir.for_patient), version.urls)


def build_response_resource(version: ResourceVersion, rulebooks: Catalogue) -> Resource:
    """Return the QuestionnaireResponse of this version."""
    return build_questionnaire_response(version, form_of_version(version, rulebooks))
