"""Parameters, types and helpers shared by the administration routes."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, Field

from api.security.scopes import SCOPES, sort_known_scopes
from api.store.idempotency import IdempotentResponse
from schemas.base import FrozenModel, Many

ClientId = Annotated[
    str,
    Path(
        alias="client",
        pattern=r"^c-[0-9a-f-]{36}$",
        examples=["c-6f6f6f6f-0000-4000-8000-000000000001"],
    ),
]


def _known_scope(scope: str) -> str:
    sort_known_scopes([scope])
    return scope


Scope = Annotated[
    str, Field(json_schema_extra={"enum": list(SCOPES)}), AfterValidator(_known_scope)
]
Scopes = Annotated[Many[Scope], Field(min_length=1, max_length=len(SCOPES))]


def collect_changes(change: FrozenModel, nullable: str = "") -> dict[str, Any]:
    """Return the members that were sent; a null counts only for the `nullable` member."""
    sent_members = change.model_dump(exclude_unset=True)
    return {
        name: value for name, value in sent_members.items() if value is not None or name == nullable
    }


def build_created_response(created: FrozenModel, location: str | None = None) -> IdempotentResponse:
    """Return a 201 response with this body."""
    return IdempotentResponse(201, created.model_dump_json().encode(), location)
