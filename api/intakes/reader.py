"""Reads intakes from JSON text, and scores them for storage."""

from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from api.http.bodies.json_body import parse_json
from api.intakes.models import intake_union
from api.problems import build_body_problem
from api.store.screenings.scored_intake import ScoredIntake
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import ScreeningContext, ScreeningSource
from scoring.answer_model import find_answer_model
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.versions.answer_changes import load_carrier
from scoring.versions.carried_answers import CarriedAnswers


def read_intake(text: bytes, rulebook: str, catalogue: Catalogue) -> Any:
    """Parse and validate an intake; a flat object holds answers to `rulebook`. Raises Problem."""
    value = parse_json(text)
    if isinstance(value, dict) and "answers" not in value:
        value = {"rulebook": rulebook, "answers": value}
    intake: Any = intake_union(catalogue.list_active())
    try:
        return TypeAdapter(intake).validate_python(value)
    except ValidationError as error:
        raise build_body_problem(error, value, intake) from error


def score_intake(
    rulebooks: Catalogue, intake: Any, patient: KnownPatient, means: ScreeningSource = "api"
) -> ScoredIntake:
    """Score a validated intake and return it for storage: answers as sent, and assessment."""
    return score_answers(
        rulebooks.find_active(intake.rulebook),
        intake.answers,
        Submission(patient, intake.context, means, attested=intake.attested),
    )


def rescore_intake(
    old: LoadedRulebook, new: LoadedRulebook, intake: Any, means: ScreeningSource
) -> tuple[ScoredIntake, CarriedAnswers]:
    """Score an intake of an earlier version under a new one; return what was carried as well.

    Raises UnknownChangesError if no file carries answers between the two versions.
    """
    answers = intake.answers.model_dump(exclude_none=True)
    carried_answers = load_carrier(old, new).carry_answers(answers)
    scored = score_answers(
        new,
        find_answer_model(new).model_validate(carried_answers.answers),
        Submission(intake.patient, intake.context, means, attested=intake.attested),
    )
    return scored, carried_answers


class Submission(NamedTuple):
    """The data that accompany answers, and the means by which they arrived."""

    patient: KnownPatient
    context: ScreeningContext
    means: ScreeningSource
    attested: bool = False


def score_answers(
    loaded: LoadedRulebook, answers: BaseModel, submission: Submission
) -> ScoredIntake:
    """Score validated answers to one version of a rulebook and return them for storage."""
    assessment = assess(loaded, answers.model_dump(exclude_none=True), attested=submission.attested)
    as_sent = answers.model_dump(mode="json", exclude_unset=True)
    return ScoredIntake(
        submission.patient, submission.context, as_sent, assessment, submission.means
    )
