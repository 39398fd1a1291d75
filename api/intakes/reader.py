"""Reads intakes from JSON text, and scores them for storage."""

from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from api.http import strict_json
from api.intakes.models import any_intake
from api.problems import wrong_shape
from api.store.screenings.screenings import Kept
from schemas.patient import KnownPatient
from schemas.screening import Context, Means
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess


def read_intake(text: bytes, rulebook: str, catalogue: Catalogue) -> Any:
    """Parse and validate an intake; a flat object holds answers to `rulebook`. Raises Problem."""
    value = strict_json.parse(text)
    if isinstance(value, dict) and "answers" not in value:
        value = {"rulebook": rulebook, "answers": value}
    try:
        return TypeAdapter(any_intake(catalogue.scored())).validate_python(value)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise wrong_shape(faults, value) from error


def kept(rulebooks: Catalogue, intake: Any, patient: KnownPatient, means: Means = "api") -> Kept:
    """Score a validated intake and return it for storage: answers as sent, and assessment."""
    return kept_of(
        rulebooks.active(intake.rulebook),
        intake.answers,
        Sent(patient, intake.context, means, attested=intake.attested),
    )


class Sent(NamedTuple):
    """The data that accompany answers, and the means by which they arrived."""

    patient: KnownPatient
    context: Context
    means: Means
    attested: bool = False


def kept_of(loaded: LoadedRulebook, answers: BaseModel, sent: Sent) -> Kept:
    """Score validated answers to one version of a rulebook and return them for storage."""
    assessment = assess(loaded, answers.model_dump(exclude_none=True), attested=sent.attested)
    as_sent = answers.model_dump(mode="json", exclude_unset=True)
    return Kept(sent.patient, sent.context, as_sent, assessment, sent.means)
