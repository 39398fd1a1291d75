"""Delivery profiles: kinds of receivers, read from TOML and adapted by a destination's options."""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.problems import FieldError, Problem
from schemas.organisations.profile import Profile

PROFILE_FOLDER = Path(__file__).parent / "profiles"
_OVERRIDABLE = {
    "document": ("form", "how", "code", "display", "most_bytes"),
    "v2": None,
    "fhir": None,
}
"""Options that a destination may override, by section; None allows all of them."""
_EDITION = "edition"


@cache
def load_profiles() -> Mapping[str, Profile]:
    """Load every profile, by name."""
    loaded = map(_read_profile, sorted(PROFILE_FOLDER.glob("*.toml")))
    return {profile.name: profile for profile in loaded}


def find_profile(name: str) -> Profile:
    """Return the profile of this name. Raises Problem `invalid_request` if there is none."""
    if name not in load_profiles():
        detail = "must be one of " + ", ".join(load_profiles())
        error = FieldError(pointer="/profile", code="unknown", detail=detail)
        raise Problem("invalid_request", errors=[error])
    return load_profiles()[name]


def apply_options(name: str, options: Mapping[str, Any]) -> Profile:
    """Return the profile with a destination's options. Raises Problem `invalid_request`."""
    base = find_profile(name)
    merged = base.model_dump()
    merged |= {name: value for name, value in options.items() if name == _EDITION}
    for section, section_options in options.items():
        if section == _EDITION:
            continue
        is_known = section in _OVERRIDABLE and isinstance(section_options, dict)
        names = _OVERRIDABLE.get(section)
        if not is_known or (names is not None and not {*section_options} <= {*names}):
            raise _wrong_option(section, "expected options of document, v2 or fhir, or edition")
        merged[section] |= section_options
    try:
        merged_profile = Profile.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        raise Problem(
            "invalid_request",
            errors=[
                FieldError(
                    pointer="/options/" + "/".join(map(str, fault["loc"])),
                    code=str(fault["type"]),
                    detail=str(fault["msg"]).replace("Input should be", "must be"),
                )
                for fault in error.errors()
            ],
        ) from None
    return _check_document_options(merged_profile)


def _check_document_options(merged_profile: Profile) -> Profile:
    document = merged_profile.document
    if document.how == "inline" and document.form not in document.forms:
        raise _wrong_option("document/form", "must be one of " + ", ".join(document.forms))
    if document.how not in document.hows:
        raise _wrong_option("document/how", "must be one of " + ", ".join(document.hows))
    if (
        document.how == "none"
        and merged_profile.v2.message == "MDM"
        and merged_profile.transport == "mllp"
    ):
        raise _wrong_option("document/how", "an MDM message requires a document")
    return merged_profile


def _wrong_option(place: str, detail: str) -> Problem:
    error = FieldError(pointer=f"/options/{place}", code="not_possible", detail=detail)
    return Problem("invalid_request", errors=[error])


def _read_profile(file: Path) -> Profile:
    return Profile.model_validate_json(json.dumps(tomllib.loads(file.read_text("utf-8"))))
