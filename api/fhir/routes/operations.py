"""Routes of `$score` and `$extract`, for a response in the request or a stored one."""

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
_UNKNOWN_PATIENT = KnownPatient(reference="-")
_STORED_ELEMENTS = ("id", "meta", "identifier", "derivedFrom")


@SENT.post(
    "/$score",
    operation_id="score_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*TAKING, 406)},
    summary="Score a response without storing it",
)
def score(resource: ResourceIn, all_forms: Forms, rulebooks: Rulebooks, urls: AtBase) -> Response:
    """Send the response itself, or Parameters with it as `questionnaire-response`."""
    intake = received(_unwrap_response(resource), all_forms, patient_needed=False)
    version, issues = _score_unstored(intake, rulebooks, urls)
    result = {
        name: element
        for name, element in observation(version).items()
        if name not in _STORED_ELEMENTS and (name != "subject" or intake.patient is not None)
    }
    return sent(_build_parameters(result, issues))


@KEPT.post(
    "/{screening}/$score",
    operation_id="score_of_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*GUARDED, 404, 406)},
    summary="Read the score of a stored response",
)
def score_of(
    screening: ScreeningId, context: Acting, rulebooks: Rulebooks, urls: AtBase
) -> Response:
    """Return the result that was computed when the response was stored."""
    with context.transaction() as work:
        versions = lineage(work, screening)
        work.audit("read", "screening", screening)
    return sent(_build_parameters(observation(version_of(versions, rulebooks, urls)), []))


@SENT.post(
    "/$extract",
    operation_id="extract_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*TAKING, 406)},
    summary="Extract the results of a response as a transaction",
)
def extract(resource: ResourceIn, all_forms: Forms, rulebooks: Rulebooks, urls: AtBase) -> Response:
    """Return response, Observation and RiskAssessment. Nothing is stored, so there is no report."""
    intake = received(_unwrap_response(resource), all_forms, patient_needed=True)
    version, issues = _score_unstored(intake, rulebooks, urls)
    return sent(_build_parameters(transaction(version, _list_results(version, rulebooks)), issues))


@PRINTED.post(
    "/{screening}/$extract",
    operation_id="extract_of_response",
    response_class=Response,
    responses={**resources("Parameters"), **outcomes(*GUARDED, 404, 406)},
    summary="Extract a stored response and its report as a transaction",
)
def extract_of(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    context: Acting,
    rulebooks: Rulebooks,
    urls: AtBase,
    renderer: Reports,
    print_settings: Printing,
    report_type: Filed,
) -> Response:
    """Return a transaction for an EHR. It can be sent repeatedly: nothing is created twice."""
    with context.transaction() as work:
        versions = lineage(work, screening)
        work.audit("read", "screening", screening)
    version = version_of(versions, rulebooks, urls)
    pdf = report_of(context, rulebooks, print_settings, renderer, version.screening)
    document = document_reference(version, report_type, pdf)
    return sent(
        _build_parameters(transaction(version, [*_list_results(version, rulebooks), document]), [])
    )


def _list_results(version: Version, rulebooks: Catalogue) -> list[Resource]:
    response = questionnaire_response(version, form_of(version, rulebooks))
    return [response, observation(version), risk_assessment(version)]


def _unwrap_response(resource: Resource) -> Any:
    """Return the response in a Parameters resource, or any other resource unchanged."""
    if resource.get("resourceType") != "Parameters":
        return resource
    parameters = resource.get("parameter")
    for parameter in parameters if isinstance(parameters, list) else []:
        if isinstance(parameter, dict) and parameter.get("name") == "questionnaire-response":
            return parameter.get("resource")
    return None


def _build_parameters(result: Resource, issues: list[Issue]) -> Resource:
    parameters: list[Resource] = [{"name": "return", "resource": result}]
    if issues:
        parameters.append({"name": "issues", "resource": operation_outcome(issues)})
    return {"resourceType": "Parameters", "parameter": parameters}


def _score_unstored(
    intake: Received, rulebooks: Catalogue, urls: Base
) -> tuple[Version, list[Issue]]:
    """Score a response without storing it; return it as a version, with warnings."""
    assessment = assess(intake.form.loaded, intake.answers, attested=intake.attested)
    issues = differences(intake.claims, intake.form.loaded, assessment)
    return version_of([_unstored_screening(intake, assessment)], rulebooks, urls), issues


def _unstored_screening(intake: Received, assessment: Assessment) -> Screening:
    return Screening(
        id=str(uuid4()),
        created_at=datetime.now(UTC),
        replaces=None,
        state="final",
        patient=intake.patient or _UNKNOWN_PATIENT,
        assessment=assessment,
        replaced_by=None,
        entered_in_error=None,
        acknowledgements=(),
        origin=Origin(actor="", means="fhir", software_version=SOFTWARE_VERSION),
        context=intake.context,
        answers=intake.answers_as_sent,
    )
