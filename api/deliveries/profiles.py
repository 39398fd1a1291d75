"""Profiles: the kinds of receivers there are, read from TOML, and one made a destination's own."""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.problems import FieldError, Problem
from schemas.profile import Profile

FOLDER = Path(__file__).parent / "profiles"
_OWN = {"document": ("form", "how", "code", "display", "most_bytes"), "v2": None, "fhir": None}
"""What a destination may say for itself; None for every option."""


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile by its name."""
    read = [_read(file) for file in sorted(FOLDER.glob("*.toml"))]
    return {each.name: each for each in read}


def profile(name: str) -> Profile:
    """A profile. Raises Problem `wrong_shape` where there is none of this name."""
    if name not in profiles():
        expected = "must be one of " + ", ".join(profiles())
        raise Problem(
            "wrong_shape", errors=[FieldError(pointer="/profile", code="unknown", detail=expected)]
        )
    return profiles()[name]


def own(name: str, options: Mapping[str, Any]) -> Profile:
    """The profile with a destination's own options. Raises Problem `wrong_shape` by their place."""
    base = profile(name)
    whole = base.model_dump()
    for part, given in options.items():
        known = part in _OWN and isinstance(given, dict)
        if not known or (_OWN[part] is not None and not set(given) <= set(_OWN[part] or ())):
            raise _wrong(part, "expected options of document, v2 or fhir")
        whole[part] |= given
    try:
        made = Profile.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        raise Problem(
            "wrong_shape",
            errors=[
                FieldError(
                    pointer="/options/" + "/".join(map(str, each["loc"])),
                    code=str(each["type"]),
                    detail=str(each["msg"]).replace("Input should be", "must be"),
                )
                for each in error.errors()
            ],
        ) from None
    return _possible(made)


def _possible(made: Profile) -> Profile:
    document = made.document
    if document.how == "inline" and document.form not in document.forms:
        raise _wrong("document/form", "must be one of " + ", ".join(document.forms))
    if document.how not in document.hows:
        raise _wrong("document/how", "must be one of " + ", ".join(document.hows))
    if document.how == "none" and made.v2.message == "MDM" and made.transport == "mllp":
        raise _wrong("document/how", "an MDM message is nothing without its document")
    return made


def _wrong(place: str, detail: str) -> Problem:
    error = FieldError(pointer=f"/options/{place}", code="not_possible", detail=detail)
    return Problem("wrong_shape", errors=[error])


def _read(file: Path) -> Profile:
    return Profile.model_validate_json(json.dumps(tomllib.loads(file.read_text("utf-8"))))
