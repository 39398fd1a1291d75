"""Shortens an assessment for a caller that prefers `return=minimal`."""

import json
from typing import Annotated, Any

from fastapi import Header, Response

from api.http.preferences import MINIMAL, PREFERENCE_APPLIED, read_return_preference
from schemas.assessments.short_assessment import ShortAssessment
from schemas.base import FrozenModel
from schemas.text import READABLE

MINIMAL_MEDIA_TYPE = "application/vnd.nociscreen.minimal+json"
"""The media type of every short answer, so that each type has one schema."""

Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        max_length=200,
        pattern=READABLE,
        description="`return=minimal` answers in short, as `application/vnd.nociscreen.minimal+"
        "json`: status, tier, red flags, totals with range and band, and the points of each "
        "criterion. Other preferences are ignored.",
        examples=["return=representation"],
    ),
]


def minimal_response(model: type[FrozenModel], status: int = 200) -> dict[int | str, Any]:
    """Return the OpenAPI response of a route that can also answer in short."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {status: {"content": {MINIMAL_MEDIA_TYPE: {"schema": schema}}}}


def prefers_minimal(prefer: str | None) -> bool:
    """Return whether the caller prefers a short answer."""
    return read_return_preference(prefer) == MINIMAL


def shorten_assessment(full: dict[str, Any]) -> ShortAssessment:
    """Return the short form of an assessment that was read from JSON."""
    totals, criteria = full["totals"], full["criteria"]
    members = {name: full[name] for name in ("rulebook", "rulebook_sha256", "status")} | {
        "tier": full["safety"]["tier"],
        "all_asked": full["safety"]["all_asked"],
        "flags": [flag["id"] for flag in full["safety"]["flags"]],
        "totals": totals and {name: _shorten(total) for name, total in totals.items()},
        "criteria": criteria and {one["id"]: one["points"] for one in criteria},
    }
    return ShortAssessment.model_validate_json(json.dumps(members))


def _shorten(total: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in total.items() if name != "meaning"}


def send_minimal(
    body: FrozenModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a short answer, which says so."""
    return Response(
        body.model_dump_json(by_alias=True),
        status_code=status,
        headers=(headers or {}) | {PREFERENCE_APPLIED: "return=minimal"},
        media_type=MINIMAL_MEDIA_TYPE,
    )
