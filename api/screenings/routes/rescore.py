"""Scores answers again under another version: stored answers, or answers in the request."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import Field

from api.auth.route_guard import require_scope
from api.dependencies import CatalogueDep, IdempotentRequestDep, ScreeningId
from api.http.errors.error_responses import BODY_ERRORS, error_responses
from api.intakes.models import Intake, intake_union
from api.intakes.rescoring import Rescoring, replay_assessment, rescore_answers
from api.problems import FieldError, Problem
from api.screenings.models import SCREENINGS_PATH, RescoredScreening, rescored_response
from api.store.idempotency import IdempotentResponse
from api.store.screenings import rescorings, screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.transaction import Transaction
from schemas.assessments.rescoring import RescoredAnswers
from schemas.base import FrozenModel
from schemas.patients.screening import Screening, ScreeningContext
from schemas.text import READABLE
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.versions.answer_changes import can_carry_answers

VersionName = Annotated[
    str,
    Field(
        max_length=60,
        pattern=READABLE,
        description="An instrument (its newest version), or one version of it.",
        examples=["nociplastic@2.0.0"],
    ),
]


class RescoringRequest(FrozenModel):
    """The version under which a stored screening is to be scored."""

    to: VersionName


class IntakeToRescore(Intake):
    """An intake of one version, and the version under which to score it."""

    to: VersionName


def build_routers(catalogue: Catalogue) -> tuple[APIRouter, ...]:
    """Return the routers; the body of answers is typed by every released version."""
    return _build_screening_router(), _build_answers_router(catalogue)


def _build_screening_router() -> APIRouter:
    routes = APIRouter(
        prefix=SCREENINGS_PATH, tags=["screenings"], route_class=require_scope("screenings:write")
    )

    @routes.post(
        "/{screening}/rescore",
        operation_id="rescore_screening",
        status_code=201,
        response_model=RescoredScreening,
        responses=error_responses(*BODY_ERRORS, 404, 409),
        summary="Score a screening under another version",
    )
    def rescore_screening(
        screening: ScreeningId,
        body: RescoringRequest,
        rulebooks: CatalogueDep,
        idempotent_request: IdempotentRequestDep,
    ) -> Response:
        """Stores a new screening with the answers carried to that version. The original stays in
        force: this is not an amendment. The response lists the questions to ask again.
        """

        def add_rescoring(work: Transaction) -> IdempotentResponse:
            original = screenings.find_screening(work, screening)
            rescorings.require_rescorable(original)
            rescoring = _rescore_screening(rulebooks, original, body.to)
            rescored = rescorings.add_rescoring(work, original, _as_intake(original, rescoring))
            work.audit("rescore", "screening", rescored.id)
            return rescored_response(rescored, rescoring)

        return idempotent_request.run_once(add_rescoring)

    return routes


def _build_answers_router(catalogue: Catalogue) -> APIRouter:
    routes = APIRouter(prefix="/v1/rescore", tags=["score"], route_class=require_scope("score"))
    intake_type: Any = Annotated[intake_union(catalogue.list_released(), IntakeToRescore), Body()]

    @routes.post(
        "",
        operation_id="rescore",
        response_model=RescoredAnswers,
        responses=error_responses(*BODY_ERRORS),
        summary="Score an intake under another version",
    )
    def rescore(intake: intake_type, rulebooks: CatalogueDep) -> Response:
        """Returns the assessment under that version, the carried answers, the questions to ask
        again, and what differs from the assessment under the version of the intake. Nothing is
        stored.
        """
        old = rulebooks.find_released(intake.rulebook)
        answers = intake.answers.model_dump(mode="json", exclude_none=True)
        before = replay_assessment(old, answers, attested=intake.attested)
        new = _find_other_version(rulebooks, old, intake.to)
        rescoring = rescore_answers(old, new, answers, before, attested=intake.attested)
        rescored = RescoredAnswers(
            assessment=rescoring.assessment,
            carried_intake=rescoring.carried_intake,
            differences=rescoring.differences,
        )
        return Response(rescored.model_dump_json(by_alias=True), media_type="application/json")

    return routes


def _rescore_screening(rulebooks: Catalogue, original: Screening, name: str) -> Rescoring:
    old = rulebooks.find_version(original.assessment.rulebook)
    return rescore_answers(
        old,
        _find_other_version(rulebooks, old, name),
        original.answers,
        original.assessment,
        attested=original.context.clinician is not None,
    )


def _find_other_version(rulebooks: Catalogue, old: LoadedRulebook, name: str) -> LoadedRulebook:
    """Return the active version that answers are carried to. Raises Problem."""
    new: LoadedRulebook | None
    try:
        new = rulebooks.find_active(name)
    except UnknownRulebookError:
        new = None
    if new is None or not can_carry_answers(old, new):
        names = [it.name for it in rulebooks.list_active() if can_carry_answers(old, it)]
        detail = (
            f"must be one of {', '.join(names)}"
            if names
            else (f"answers to {old.name} cannot be carried to any active version")
        )
        error = FieldError(pointer="/to", code="not_an_option", detail=detail)
        raise Problem("invalid_request", errors=[error])
    return new


def _as_intake(original: Screening, rescoring: Rescoring) -> ScoredIntake:
    """Return the rescored answers for storage; their day and clinician stay as they were."""
    context = original.context
    return ScoredIntake(
        original.patient,
        ScreeningContext(
            answered_on=context.answered_on or original.created_at.date(),
            answered_by=context.answered_by,
            clinician=context.clinician,
            note=context.note,
        ),
        rescoring.carried_intake.answers,
        rescoring.assessment,
        "rescoring",
    )
