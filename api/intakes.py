"""Intake files: the text of a request body, or of a flat object of answers, as a checked intake."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from api import strict_json
from api.bodies import any_intake
from api.problems import wrong_shape
from scoring.catalogue import Catalogue


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
