"""Parameters, types and helpers shared by the administration routes."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from api.auth.route_guard import require_scope
from api.dependencies import LOWER_CASE, build_id_parameter
from api.security.scopes import OLD_ADMIN_SCOPE, SCOPES, sort_known_scopes
from api.store.idempotency import IdempotentResponse
from schemas.base import FrozenModel, Many

OrganisationRoute = require_scope("organisation:admin")
ClientRoute = require_scope("clients:admin")
ClientId = Annotated[str, build_id_parameter("client", 1, prefix="c-"), LOWER_CASE]


Scope = Annotated[
    str,
    Field(json_schema_extra={"enum": [*SCOPES, OLD_ADMIN_SCOPE]}),
    AfterValidator(lambda scope: sort_known_scopes([scope]) and scope),
]
Scopes = Annotated[
    Many[Scope],
    Field(
        min_length=1,
        max_length=len(SCOPES),
        description="`admin` stands for the four scopes that end in `:admin`.",
    ),
]


def collect_changes(change: FrozenModel, nullable: str = "") -> dict[str, Any]:
    """Return the members that were sent; a null counts only for the `nullable` member."""
    members = change.model_dump(exclude_unset=True)
    return {k: v for k, v in members.items() if v is not None or k == nullable}


def build_created_response(created: FrozenModel, location: str | None = None) -> IdempotentResponse:
    """Return a 201 response with this body."""
    return IdempotentResponse(201, created.model_dump_json().encode(), location)
