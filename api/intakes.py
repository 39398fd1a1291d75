"""Intakes: a text as a checked intake; a checked intake as what is kept of it."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from api import strict_json
from api.bodies import any_intake
from api.problems import wrong_shape
from api.store.screenings import Kept
from schemas.patient import KnownPatient
from schemas.screening import Means
from scoring.catalogue import Catalogue
from scoring.engine import assess


def read_intake(text: bytes, rulebook: str, catalogue: Catalogue) -> Any:
    """The intake in the text. A flat object is taken as answers to `rulebook`. Raises Problem."""
    value = strict_json.parse(text)
    if isinstance(value, dict) and "answers" not in value:
        value = {"rulebook": rulebook, "answers": value}
    try:
        return TypeAdapter(any_intake(catalogue.scored())).validate_python(value)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise wrong_shape(faults, value) from error


def kept(rulebooks: Catalogue, intake: Any, patient: KnownPatient, means: Means = "api") -> Kept:
    """What is kept of a checked intake: its answers as sent, and its assessment."""
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(rulebooks.active(intake.rulebook), answers, attested=intake.attested)
    as_sent = intake.answers.model_dump(mode="json", exclude_unset=True)
    return Kept(patient, intake.context, as_sent, assessment, means)
