"""Kept screenings: an intake in, its assessment kept; corrected by another that replaces it."""

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

Store_ = Annotated[
    Literal["true", "false"], Query(alias="store", description="`false` keeps nothing.")
]


def router(catalogue: Catalogue) -> APIRouter:
    """The routes, typed by the rulebooks in use."""
    routes = APIRouter(prefix=HERE, tags=["screenings"], route_class=guarded("screenings:write"))
    kept_type: Any = Annotated[any_intake(catalogue.scored(), KeptIntake), Body()]
    intake_type: Any = Annotated[any_intake(catalogue.scored()), Body()]

    @routes.post(
        "",
        operation_id="keep_screening",
        status_code=201,
        response_model=KeptScreening,
        responses={
            200: {"description": "Scored, and nothing kept", "model": KeptScreening},
            **refusals(*TAKING, 409),
        },
        summary="Score an intake and keep it",
    )
    def keep(
        intake: kept_type,
        rulebooks: Rulebooks,
        creating: Creating,
        store: Store_ = "true",
    ) -> Response:
        """Kept whole: the answers as sent, the assessment, rulebook and hash, who, when, how."""
        scored = reader.kept(rulebooks, intake, intake.patient)
        if store == "false":
            return Response(
                unkept(scored).model_dump_json(by_alias=True), media_type="application/json"
            )

        def made(work: Transaction) -> Answer:
            screening = screenings.add(work, scored)
            work.audit("create", "screening", screening.id)
            return created(screening)

        return creating.once(made)

    @routes.post(
        "/{screening}/amendments",
        operation_id="amend_screening",
        status_code=201,
        response_model=KeptScreening,
        responses=refusals(*TAKING, 404, 409),
        summary="Correct a screening by a new one",
    )
    def amend(
        screening: ScreeningId,
        intake: intake_type,
        rulebooks: Rulebooks,
        creating: Creating,
    ) -> Response:
        """A new screening that replaces this one, which stays as it is and says so."""

        def made(work: Transaction) -> Answer:
            original = screenings.found(work, screening)
            patient = _amended_patient(intake, original)
            amended = screenings.amend(work, original, reader.kept(rulebooks, intake, patient))
            work.audit("amend", "screening", amended.id)
            return created(amended)

        return creating.once(made)

    return routes


def _amended_patient(intake: Intake, original: Screening) -> KnownPatient:
    """The patient as the correction names them; left out, as they were named before."""
    if intake.patient is None:
        return original.patient
    given = intake.patient.model_dump()
    return KnownPatient(**given | {"reference": given["reference"] or original.patient.reference})
