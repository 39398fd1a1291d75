"""Stores new screenings, and amendments that replace earlier ones."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response

from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep, IdempotentRequestDep, ScreeningId
from api.http.error_responses import BODY_ERRORS, error_responses
from api.intakes import reader
from api.intakes.models import Intake, StorableIntake, intake_union
from api.intakes.urgency import needs_alert
from api.screenings.models import (
    SCREENINGS_PATH,
    ScreeningResponse,
    created_response,
    not_stored_response,
)
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.patient import KnownPatient
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_StoreParameter = Annotated[
    Literal["true", "false"], Query(alias="store", description="`false` stores nothing.")
]


def build_router(catalogue: Catalogue) -> APIRouter:
    """Return the router; its bodies are typed by the rulebooks in use."""
    routes = APIRouter(
        prefix=SCREENINGS_PATH, tags=["screenings"], route_class=require_scope("screenings:write")
    )
    stored_intake_type: Any = Annotated[
        intake_union(catalogue.list_active(), StorableIntake), Body()
    ]
    intake_type: Any = Annotated[intake_union(catalogue.list_active()), Body()]

    @routes.post(
        "",
        operation_id="create_screening",
        status_code=201,
        response_model=ScreeningResponse,
        responses={
            200: {"description": "Scored, but not stored", "model": ScreeningResponse},
            **error_responses(*BODY_ERRORS, 409),
        },
        summary="Score an intake and store it",
    )
    def create(
        intake: stored_intake_type,
        rulebooks: CatalogueDep,
        idempotent_request: IdempotentRequestDep,
        store: _StoreParameter = "true",
    ) -> Response:
        """Stores the answers as sent, the assessment, the rulebook with its hash, and the time,
        actor and means.
        """
        scored = reader.score_intake(rulebooks, intake, intake.patient)
        if store == "false":
            return Response(
                not_stored_response(scored).model_dump_json(by_alias=True),
                media_type="application/json",
            )

        def add_screening(work: Transaction) -> IdempotentResponse:
            screening = screenings.add_screening(work, scored)
            if needs_alert(rulebooks, screening):
                occasions.announce_screening(work, screening, is_urgent=True)
            work.audit("create", "screening", screening.id)
            return created_response(screening)

        return idempotent_request.run_once(add_screening)

    @routes.post(
        "/{screening}/amendments",
        operation_id="amend_screening",
        status_code=201,
        response_model=ScreeningResponse,
        responses=error_responses(*BODY_ERRORS, 404, 409),
        summary="Amend a screening",
    )
    def amend(
        screening: ScreeningId,
        intake: intake_type,
        rulebooks: CatalogueDep,
        idempotent_request: IdempotentRequestDep,
    ) -> Response:
        """Stores a new screening that replaces this one. The original is kept and links to its
        replacement.
        """

        def add_amendment(work: Transaction) -> IdempotentResponse:
            original = screenings.find_screening(work, screening)
            patient = _amended_patient(intake, original)
            amended = screenings.amend_screening(
                work, original, reader.score_intake(rulebooks, intake, patient)
            )
            work.audit("amend", "screening", amended.id)
            return created_response(amended)

        return idempotent_request.run_once(add_amendment)

    return routes


def _amended_patient(intake: Intake, original: Screening) -> KnownPatient:
    """Return the patient of the amendment; what it leaves out comes from the original."""
    if intake.patient is None:
        return original.patient
    patient = intake.patient.model_dump()
    reference = patient["reference"] or original.patient.reference
    return KnownPatient(**patient | {"reference": reference})
