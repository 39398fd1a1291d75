"""Operations on responses: `$score` and `$extract`, of one that is sent or of one that is kept."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from api.dependencies import Acting, Printing, Reports, Rulebooks
from api.fhir.elements import Base, Resource, Version
from api.fhir.http import (
    AtBase,
    Filed,
    Forms,
    InJson,
    ResourceIn,
    ScreeningId,
    fhir_guarded,
    form_of,
    outcomes,
    resources,
    sent,
    version_of,
)
from api.fhir.parsing.client_scores import differences
from api.fhir.parsing.response_to_intake import HERE, Received, received
from api.fhir.report_attachment import report_of
from api.fhir.resources.bundle import transaction
from api.fhir.resources.document_reference import document_reference
from api.fhir.resources.observation import observation
from api.fhir.resources.operation_outcome import Issue, operation_outcome
from api.fhir.resources.questionnaire_response import questionnaire_response
from api.fhir.resources.risk_assessment import risk_assessment
from api.http.error_responses import GUARDED, TAKING
from api.store.screenings.screenings import SOFTWARE_VERSION
from api.store.screenings.versions import lineage
from schemas.assessment import Assessment
from schemas.patient import KnownPatient
from schemas.screening import Origin, Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess

SENT = APIRouter(
    prefix=f"/fhir/{HERE}",
    tags=["FHIR"],
    route_class=fhir_guarded("score"),
    dependencies=[InJson],
)
KEPT = APIRouter(
    prefix=f"/fhir/{HERE}",
    tags=["FHIR"],
    route_class=fhir_guarded("screenings:read"),
    dependencies=[InJson],
)
PRINTED = APIRouter(
    prefix=f"/fhir/{HERE}",
    tags=["FHIR"],
    route_class=fhir_guarded("reports:read"),
    dependencies=[InJson],
)
_NOBODY = KnownPatient(reference="-")
_OF_WHAT_IS_KEPT = ("id", "meta", "identifier", "derivedFrom")


@SENT.post(
    "/$score",
    operation_id="score_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*TAKING, 406)},
    summary="Score a response and keep nothing",
)
def score(resource: ResourceIn, all_forms: Forms, rulebooks: Rulebooks, base: AtBase) -> Response:
    """Takes the response itself, or Parameters that hold it as `questionnaire-response`."""
    given = received(_inside(resource), all_forms, patient_needed=False)
    version, issues = _unkept(given, rulebooks, base)
    told = {
        name: each
        for name, each in observation(version).items()
        if name not in _OF_WHAT_IS_KEPT and (name != "subject" or given.patient is not None)
    }
    return sent(_parameters(told, issues))


@KEPT.post(
    "/{screening}/$score",
    operation_id="score_of_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*GUARDED, 404, 406)},
    summary="What a kept response scored",
)
def score_of(screening: ScreeningId, acts: Acting, rulebooks: Rulebooks, base: AtBase) -> Response:
    """As it was scored when it was kept: nothing is scored again."""
    with acts.transaction() as work:
        found = lineage(work, screening)
        work.audit("read", "screening", screening)
    return sent(_parameters(observation(version_of(found, rulebooks, base)), []))


@SENT.post(
    "/$extract",
    operation_id="extract_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*TAKING, 406)},
    summary="What a response comes to, as a transaction",
)
def extract(resource: ResourceIn, all_forms: Forms, rulebooks: Rulebooks, base: AtBase) -> Response:
    """Nothing is kept, and so there is no report: response, Observation and RiskAssessment."""
    given = received(_inside(resource), all_forms, patient_needed=True)
    version, issues = _unkept(given, rulebooks, base)
    return sent(_parameters(transaction(version, _results(version, rulebooks)), issues))


@PRINTED.post(
    "/{screening}/$extract",
    operation_id="extract_of_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*GUARDED, 404, 406)},
    summary="A kept response with its report, as a transaction",
)
def extract_of(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    acts: Acting,
    rulebooks: Rulebooks,
    base: AtBase,
    reports: Reports,
    printed: Printing,
    filed: Filed,
) -> Response:
    """To be sent to an EHR as often as you like: whatever is there already is not made again."""
    with acts.transaction() as work:
        found = lineage(work, screening)
        work.audit("read", "screening", screening)
    version = version_of(found, rulebooks, base)
    pdf = report_of(acts, rulebooks, printed, reports, version.screening)
    document = document_reference(version, filed, pdf)
    return sent(_parameters(transaction(version, [*_results(version, rulebooks), document]), []))


def _results(version: Version, rulebooks: Catalogue) -> list[Resource]:
    response = questionnaire_response(version, form_of(version, rulebooks))
    return [response, observation(version), risk_assessment(version)]


def _inside(resource: Resource) -> Any:
    """The response, where it comes inside of Parameters."""
    if resource.get("resourceType") != "Parameters":
        return resource
    parameters = resource.get("parameter")
    for each in parameters if isinstance(parameters, list) else []:
        if isinstance(each, dict) and each.get("name") == "questionnaire-response":
            return each.get("resource")
    return None


def _parameters(returned: Resource, issues: list[Issue]) -> Resource:
    told: list[Resource] = [{"name": "return", "resource": returned}]
    if issues:
        told.append({"name": "issues", "resource": operation_outcome(issues)})
    return {"resourceType": "Parameters", "parameter": told}


def _unkept(given: Received, rulebooks: Catalogue, base: Base) -> tuple[Version, list[Issue]]:
    """What is sent, scored, as a version that nobody keeps."""
    assessment = assess(given.form.loaded, given.answers, attested=given.attested)
    issues = differences(given.claims, given.form.loaded, assessment)
    return version_of([_passing(given, assessment)], rulebooks, base), issues


def _passing(given: Received, assessment: Assessment) -> Screening:
    return Screening(
        id=str(uuid4()),
        created_at=datetime.now(UTC),
        replaces=None,
        state="final",
        patient=given.patient or _NOBODY,
        assessment=assessment,
        replaced_by=None,
        entered_in_error=None,
        acknowledgements=(),
        origin=Origin(actor="", means="fhir", software_version=SOFTWARE_VERSION),
        context=given.context,
        answers=given.answers_as_sent,
    )
