"""Stores new screenings, and amendments that replace earlier ones."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response

from api.auth.route_guard import guarded
from api.dependencies import Creating, Rulebooks, ScreeningId
from api.http.error_responses import TAKING, refusals
from api.intakes import reader
from api.intakes.models import Intake, KeptIntake, any_intake
from api.screenings.models import HERE, KeptScreening, created, unkept
from api.store.idempotency import Answer
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.patient import KnownPatient
from schemas.screening import Screening
from scoring.catalogue import Catalogue

_StoreParameter = Annotated[
    Literal["true", "false"], Query(alias="store", description="`false` stores nothing.")
]


def router(catalogue: Catalogue) -> APIRouter:
    """Return the router; its bodies are typed by the rulebooks in use."""
    routes = APIRouter(prefix=HERE, tags=["screenings"], route_class=guarded("screenings:write"))
    stored_intake_type: Any = Annotated[any_intake(catalogue.scored(), KeptIntake), Body()]
    intake_type: Any = Annotated[any_intake(catalogue.scored()), Body()]

    @routes.post(
        "",
        operation_id="keep_screening",
        status_code=201,
        response_model=KeptScreening,
        responses={
            200: {"description": "Scored, but not stored", "model": KeptScreening},
            **refusals(*TAKING, 409),
        },
        summary="Score an intake and store it",
    )
    def create(
        intake: stored_intake_type,
        rulebooks: Rulebooks,
        idempotent_request: Creating,
        store: _StoreParameter = "true",
    ) -> Response:
        """Stores the answers as sent, the assessment, the rulebook with its hash, and the time,
        actor and means.
        """
        scored = reader.kept(rulebooks, intake, intake.patient)
        if store == "false":
            return Response(
                unkept(scored).model_dump_json(by_alias=True), media_type="application/json"
            )

        def add_screening(work: Transaction) -> Answer:
            screening = screenings.add(work, scored)
            work.audit("create", "screening", screening.id)
            return created(screening)

        return idempotent_request.once(add_screening)

    @routes.post(
        "/{screening}/amendments",
        operation_id="amend_screening",
        status_code=201,
        response_model=KeptScreening,
        responses=refusals(*TAKING, 404, 409),
        summary="Amend a screening",
    )
    def amend(
        screening: ScreeningId,
        intake: intake_type,
        rulebooks: Rulebooks,
        idempotent_request: Creating,
    ) -> Response:
        """Stores a new screening that replaces this one. The original is kept and links to its
        replacement.
        """

        def add_amendment(work: Transaction) -> Answer:
            original = screenings.found(work, screening)
            patient = _amended_patient(intake, original)
            amended = screenings.amend(work, original, reader.kept(rulebooks, intake, patient))
            work.audit("amend", "screening", amended.id)
            return created(amended)

        return idempotent_request.once(add_amendment)

    return routes


def _amended_patient(intake: Intake, original: Screening) -> KnownPatient:
    """Return the patient of the amendment; what it leaves out comes from the original."""
    if intake.patient is None:
        return original.patient
    patient = intake.patient.model_dump()
    reference = patient["reference"] or original.patient.reference
    return KnownPatient(**patient | {"reference": reference})
