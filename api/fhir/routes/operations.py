"""Routes of `$score` and `$extract`, for a sent or a stored response, and of `$populate`."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from api.dependencies import CatalogueDep, MeteredRendererDep, PrintSettingsDep, RequestContextDep
from api.fhir.definitions.populated_response import build_populated_response
from api.fhir.elements import CanonicalUrls, Resource, ResourceVersion
from api.fhir.http import (
    RequireJson,
    guarded_fhir_route,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import (
    CanonicalUrlsDep,
    FormId,
    FormsDep,
    ParametersBody,
    ReportTypeDep,
    ResourceBody,
    ScreeningId,
)
from api.fhir.parsing.client_scores import compare_client_scores
from api.fhir.parsing.response_to_intake import (
    RESPONSE_TYPE,
    ParsedResponse,
    parse_response,
    parse_subject,
)
from api.fhir.questionnaire_catalogue import find_newest_form
from api.fhir.report_attachment import render_pdf_report
from api.fhir.resources.bundle import build_transaction_bundle
from api.fhir.resources.document_reference import build_document_reference
from api.fhir.resources.observation import build_observation
from api.fhir.resources.operation_outcome import OutcomeIssue, build_operation_outcome
from api.fhir.resources.risk_assessment import build_risk_assessment
from api.fhir.versions import build_response_resource, build_single_version, read_version
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS
from api.problems import Problem
from api.store.screenings.latest_screening import find_latest_screening
from api.store.screenings.screenings import SOFTWARE_VERSION
from schemas.assessments.assessment import Assessment
from schemas.patients.patient import KnownPatient, PatientNumber
from schemas.patients.screening import Screening, ScreeningOrigin
from scoring.catalogue import Catalogue
from scoring.engine import assess

scoring_router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("score"),
    dependencies=[RequireJson],
)
screening_router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)
report_router = APIRouter(
    prefix=f"/fhir/{RESPONSE_TYPE}",
    tags=["FHIR"],
    route_class=guarded_fhir_route("reports:read"),
    dependencies=[RequireJson],
)
questionnaire_router = APIRouter(
    prefix="/fhir/Questionnaire",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)
_UNKNOWN_PATIENT = KnownPatient(reference="-")
_STORED_ELEMENTS = ("id", "meta", "identifier", "derivedFrom")


@scoring_router.post(
    "/$score",
    operation_id="score_response",
    response_class=Response,
    responses={**resource_response("Parameters"), **outcome_responses(*BODY_ERRORS, 406)},
    summary="Score a response without storing it",
)
def score_response(
    resource: ResourceBody, all_forms: FormsDep, rulebooks: CatalogueDep, urls: CanonicalUrlsDep
) -> Response:
    """Send the response itself, or Parameters with it as `questionnaire-response`."""
    intake = parse_response(_unwrap_response(resource), all_forms, is_patient_required=False)
    version, issues = _score_unstored(intake, rulebooks, urls)
    result = {
        name: element
        for name, element in build_observation(version).items()
        if name not in _STORED_ELEMENTS and (name != "subject" or intake.patient is not None)
    }
    return send_resource(_build_parameters(result, issues))


@screening_router.get(
    "/{screening}/$score",
    operation_id="read_score_of_response",
    response_class=Response,
    responses={**resource_response("Parameters"), **outcome_responses(*GUARDED_ERRORS, 404, 406)},
    summary="Read the score of a stored response by GET",
)
@screening_router.post(
    "/{screening}/$score",
    operation_id="score_of_response",
    response_class=Response,
    responses={**resource_response("Parameters"), **outcome_responses(*GUARDED_ERRORS, 404, 406)},
    summary="Read the score of a stored response",
)
def read_score(
    screening: ScreeningId,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
) -> Response:
    """Return the result that was computed when the response was stored."""
    version = read_version(context, rulebooks, urls, screening)
    return send_resource(_build_parameters(build_observation(version), []))


@scoring_router.post(
    "/$extract",
    operation_id="extract_response",
    response_class=Response,
    responses={**resource_response("Parameters"), **outcome_responses(*BODY_ERRORS, 406)},
    summary="Extract the results of a response as a transaction",
)
def extract_response(
    resource: ResourceBody, all_forms: FormsDep, rulebooks: CatalogueDep, urls: CanonicalUrlsDep
) -> Response:
    """Return response, Observation and RiskAssessment. Nothing is stored, so there is no report."""
    intake = parse_response(_unwrap_response(resource), all_forms, is_patient_required=True)
    version, issues = _score_unstored(intake, rulebooks, urls)
    return send_resource(
        _build_parameters(
            build_transaction_bundle(version, _list_results(version, rulebooks)), issues
        )
    )


@report_router.post(
    "/{screening}/$extract",
    operation_id="extract_of_response",
    response_class=Response,
    responses={**resource_response("Parameters"), **outcome_responses(*GUARDED_ERRORS, 404, 406)},
    summary="Extract a stored response and its report as a transaction",
)
def extract_screening(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    screening: ScreeningId,
    *,
    context: RequestContextDep,
    rulebooks: CatalogueDep,
    urls: CanonicalUrlsDep,
    renderer: MeteredRendererDep,
    print_settings: PrintSettingsDep,
    report_type: ReportTypeDep,
) -> Response:
    """Return a transaction for an EHR. It can be sent repeatedly: nothing is created twice."""
    version = read_version(context, rulebooks, urls, screening)
    pdf = render_pdf_report(context, rulebooks, print_settings, renderer, version.screening)
    document = build_document_reference(version, report_type, pdf)
    return send_resource(
        _build_parameters(
            build_transaction_bundle(version, [*_list_results(version, rulebooks), document]), []
        )
    )


@questionnaire_router.post(
    "/{form}/$populate",
    operation_id="populate_questionnaire",
    response_class=Response,
    responses={**resource_response("Parameters"), **outcome_responses(*BODY_ERRORS, 404, 406)},
    summary="Fill a questionnaire with what is known of a patient",
)
def populate_questionnaire(
    form: FormId,
    resource: ParametersBody,
    context: RequestContextDep,
    all_forms: FormsDep,
) -> Response:
    """Send Parameters with the patient as `subject`; the response is not stored.

    The answers of the patient's latest screening under the same version are filled in, and the age
    from the date of birth. Questions of red flags stay open.
    """
    newest = find_newest_form([item for item in all_forms if item.id == form])
    if newest is None:
        raise Problem("not_found")
    subject = _find_parameter(resource, "subject").get("valueReference")
    patient = parse_subject(subject)
    number = PatientNumber(patient.reference, patient.system)
    with context.transaction() as work:
        latest = find_latest_screening(work, [number], newest.entry.instrument)
        work.audit("list", "screening", count=1)
    today = datetime.now(UTC).date()
    response, issues = build_populated_response(newest, subject or {}, latest, today)
    parameters = [
        {"name": "response", "resource": response},
        {"name": "issues", "resource": build_operation_outcome(issues)},
    ]
    return send_resource({"resourceType": "Parameters", "parameter": parameters})


def _list_results(version: ResourceVersion, rulebooks: Catalogue) -> list[Resource]:
    response = build_response_resource(version, rulebooks)
    return [response, build_observation(version), build_risk_assessment(version)]


def _unwrap_response(resource: Resource) -> Any:
    """Return the response in a Parameters resource, or any other resource unchanged."""
    if resource.get("resourceType") != "Parameters":
        return resource
    return _find_parameter(resource, "questionnaire-response").get("resource")


def _find_parameter(resource: Resource, name: str) -> Resource:
    """Return a parameter of a Parameters resource; empty if there is none of this name."""
    parameters = resource.get("parameter")
    for parameter in parameters if isinstance(parameters, list) else []:
        if isinstance(parameter, dict) and parameter.get("name") == name:
            return parameter
    return {}


def _build_parameters(result: Resource, issues: list[OutcomeIssue]) -> Resource:
    parameters: list[Resource] = [{"name": "return", "resource": result}]
    if issues:
        parameters.append({"name": "issues", "resource": build_operation_outcome(issues)})
    return {"resourceType": "Parameters", "parameter": parameters}


def _score_unstored(
    intake: ParsedResponse, rulebooks: Catalogue, urls: CanonicalUrls
) -> tuple[ResourceVersion, list[OutcomeIssue]]:
    """Score a response without storing it; return it as a version, with warnings."""
    assessment = assess(intake.form.loaded, intake.answers, attested=intake.is_attested)
    differences = compare_client_scores(intake.claims, intake.form.loaded, assessment)
    issues = [*intake.warnings, *differences]
    return build_single_version(_unstored_screening(intake, assessment), rulebooks, urls), issues


def _unstored_screening(intake: ParsedResponse, assessment: Assessment) -> Screening:
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
        origin=ScreeningOrigin(actor="", means="fhir", software_version=SOFTWARE_VERSION),
        context=intake.context,
        answers=intake.answers_as_sent,
    )
