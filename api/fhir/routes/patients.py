"""Routes that read and search Patients, as the screenings describe them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from api.auth.request_context import RequestContext
from api.dependencies import RequestContextDep
from api.fhir.elements import ID_PATTERN
from api.fhir.http import RequireJson, guarded_fhir_route, read_responses, send_resource
from api.fhir.parameters import CanonicalUrlsDep, PagePosition, PageSize, id_query
from api.fhir.resources.patient import build_patient, derive_patient_id
from api.fhir.search import send_matching
from api.fhir.search_query import refuse
from api.fhir.search_routing import add_search_routes
from api.problems import Problem
from api.store.errors import NotFoundError
from api.store.patients.known_patients import (
    PatientRecord,
    find_record_of_screening,
    list_patient_records,
)
from api.store.patients.patient_lookup import PatientSelector
from api.store.transaction import Transaction
from schemas.text import READABLE

router = APIRouter(
    prefix="/fhir",
    tags=["FHIR"],
    route_class=guarded_fhir_route("screenings:read"),
    dependencies=[RequireJson],
)
PatientId = Annotated[
    str,
    Path(
        alias="patient",
        pattern=f"^{ID_PATTERN}$",
        description="The id in `Patient/…` of a response, or the id of the first screening.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
]
PatientIdFilter = Annotated[
    str | None, id_query("6f6f6f6f-0000-4000-8000-000000000001", "The id of the Patient.")
]
PatientNumberFilter = Annotated[
    str | None,
    Query(
        alias="identifier",
        max_length=400,
        pattern=READABLE,
        description="`system|value`, `|value` for a number without a system, or a value in any "
        "system. URLs are often logged: prefer the form of `_search`.",
        examples=["urn:oid:1.2.3|MRN-0042"],
    ),
]
Summary = Annotated[
    Literal["true", "false", "data", "count"],
    Query(alias="_summary", description="`count` for the total alone.", examples=["false"]),
]


@add_search_routes(
    router,
    "/Patient",
    "patients",
    scope="screenings:read",
    summary="Search Patients",
)
def search_patients(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    context: RequestContextDep,
    urls: CanonicalUrlsDep,
    *,
    patient_id: PatientIdFilter = None,
    identifier: PatientNumberFilter = None,
    summary: Summary = "false",
    count: PageSize = 100,
    after: PagePosition = 0,
) -> Response:
    """Find a patient by id or number: patients are never listed."""
    if patient_id is None and identifier is None:
        refuse("identifier", "is required, or _id: patients are never listed")
    with context.transaction() as work:
        records = _find_records(work, patient_id, identifier)
        work.audit("list", "patient", count=max(len(records), 1))
    parameters = {"_id": patient_id, "identifier": identifier, "_count": count, "_page": after}
    if summary == "count":
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(records)}
        return send_resource(bundle)
    return send_matching(records, build_patient, urls, "Patient", parameters)


@router.get(
    "/Patient/{patient}",
    operation_id="read_patient_resource",
    response_class=Response,
    responses=read_responses("Patient"),
    summary="Read a Patient",
)
def read_patient_resource(patient: PatientId, context: RequestContextDep) -> Response:
    """Return the patient's number, name and birth date, as sent with the screenings."""
    return send_resource(build_patient(_read_record(context, patient)))


def _read_record(context: RequestContext, patient_id: str) -> PatientRecord:
    with context.transaction() as work:
        records = _find_records(work, patient_id, None)
        if not records:
            raise Problem("not_found")
        work.audit("read", "patient", records[0].first.id)
    return records[0]


def _find_records(
    work: Transaction, patient_id: str | None, identifier: str | None
) -> list[PatientRecord]:
    """Return the patients with this id and number, where they are given."""
    if identifier is None:
        records = _list_candidates(work, patient_id or "")
    else:
        system, bar, value = identifier.rpartition("|")
        without_system = bool(bar) and not system
        records = list_patient_records(work, PatientSelector(value, system or None, without_system))
    return [it for it in records if patient_id in (None, derive_patient_id(it))]


def _list_candidates(work: Transaction, patient_id: str) -> list[PatientRecord]:
    """Return the patients that may have this id: named by it, or with a screening of this id."""
    candidates = list_patient_records(work, PatientSelector(patient_id, None, without_system=True))
    try:
        return [*candidates, find_record_of_screening(work, patient_id)]
    except NotFoundError:
        return candidates
