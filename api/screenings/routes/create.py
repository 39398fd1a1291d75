"""Stores new screenings, and amendments that replace earlier ones."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Body, Query, Response
from starlette.concurrency import run_in_threadpool

from api.auth.request_context import IdempotentRequest
from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep, IdempotentRequestDep, ScreeningId
from api.http.errors.error_responses import BODY_ERRORS, error_responses
from api.intakes import reader
from api.intakes.models import Intake, StorableIntake, intake_union
from api.intakes.short_assessment import Prefer, minimal_response
from api.intakes.urgency import needs_alert
from api.screenings.models import (
    SCREENINGS_PATH,
    ScreeningResponse,
    ShortScreening,
    apply_preference,
    created_response,
    not_stored_response,
)
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.screenings.screenings import SealedScreening
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import Screening
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
            **minimal_response(ShortScreening, 201),
            200: {
                "description": "Scored, but not stored",
                "model": ScreeningResponse,
                **minimal_response(ShortScreening)[200],
            },
            **error_responses(*BODY_ERRORS, 409),
        },
        summary="Score an intake and store it",
    )
    async def create(
        intake: stored_intake_type,
        rulebooks: CatalogueDep,
        idempotent_request: IdempotentRequestDep,
        store: _StoreParameter = "true",
        prefer: Prefer = None,
    ) -> Response:
        """Stores the answers as sent, the assessment, the rulebook with its hash, and the time,
        actor and means.
        """
        scored = reader.score_intake(rulebooks, intake, intake.patient)
        if store == "false":
            body = not_stored_response(scored).model_dump_json(by_alias=True)
            return apply_preference(Response(body, media_type="application/json"), prefer)

        def announce(work: Transaction, screening: Screening) -> None:
            if needs_alert(rulebooks, screening):
                occasions.announce_screening(work, screening, is_urgent=True)
            work.audit("create", "screening", screening.id)

        def add_screening(work: Transaction) -> IdempotentResponse:
            screening = screenings.add_screening(work, scored)
            announce(work, screening)
            return created_response(screening)

        sealed_screening = _seal(idempotent_request, scored)
        if sealed_screening is None:
            response = await run_in_threadpool(idempotent_request.run_once, add_screening)
            return apply_preference(response, prefer)
        answer = created_response(sealed_screening.screening, sealed_screening.assessment_json)

        def add_sealed_screening(work: Transaction) -> IdempotentResponse:
            screenings.insert_sealed_screening(work, sealed_screening)
            announce(work, sealed_screening.screening)
            return answer

        response = await idempotent_request.run_grouped(add_sealed_screening, add_screening)
        return apply_preference(response, prefer)

    @routes.post(
        "/{screening}/amendments",
        operation_id="amend_screening",
        status_code=201,
        response_model=ScreeningResponse,
        responses={
            **minimal_response(ShortScreening, 201),
            **error_responses(*BODY_ERRORS, 404, 409),
        },
        summary="Amend a screening",
    )
    def amend(
        screening: ScreeningId,
        intake: intake_type,
        rulebooks: CatalogueDep,
        idempotent_request: IdempotentRequestDep,
        prefer: Prefer = None,
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

        return apply_preference(idempotent_request.run_once(add_amendment), prefer)

    return routes


def _seal(request: IdempotentRequest, scored: ScoredIntake) -> SealedScreening | None:
    """Return the screening as it will be stored; None before the organisation's keys are loaded."""
    store, actor = request.context
    keys = store.organisation_keys.find_cached_keys(actor.organisation)
    if keys is None:
        return None
    screening = screenings.build_screening(scored, str(uuid4()), actor.id, datetime.now(UTC))
    return screenings.seal_screening(keys.data.current, screening)


def _amended_patient(intake: Intake, original: Screening) -> KnownPatient:
    """Return the patient of the amendment; what it leaves out comes from the original."""
    if intake.patient is None:
        return original.patient
    patient = intake.patient.model_dump()
    reference = patient["reference"] or original.patient.reference
    return KnownPatient(**patient | {"reference": reference})
