"""Dependencies shared by the routes, as named `Annotated` parameters."""

from typing import Annotated

from fastapi import Depends, Header, Path, Request

from api.auth.request_context import Acts, Creates
from api.auth.route_guard import actor_of
from api.documents import issuance
from api.documents.document_builder import Printed
from api.documents.render_pool import Renderer
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.accounts.callers import Caller
from scoring.catalogue import Catalogue


async def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


async def _renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _current_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _request_context(request: Request) -> Acts:
    return Acts(request.app.state.store, actor_of(request, request.state.caller))


def is_known(tag: str, known: str | None) -> bool:
    """Return whether `If-None-Match` names this ETag or `*`, compared weakly (RFC 9110, 13.1.2)."""
    tags = [part.strip().removeprefix("W/") for part in (known or "").split(",")]
    return tag in tags or tags == ["*"]


def peer_of(request: Request) -> str:
    """Return the IP address of the client that sent the request."""
    return request.client.host if request.client else "unknown"


def _print_settings(context: "Acting", caller: "Calling") -> Printed:
    with context.store.reading_on(context.actor) as work:
        return issuance.printed_in(work, test=caller.test)


ScreeningId = Annotated[
    str,
    Path(
        alias="screening",
        pattern=r"^[0-9a-f-]{36}$",
        description="The id from creating it.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
]
BatchId = Annotated[
    str,
    Path(
        alias="batch",
        pattern=r"^[0-9a-f-]{36}$",
        description="The id from creating it.",
        examples=["6f6f6f6f-0000-4000-8000-000000000007"],
    ),
]
Rulebooks = Annotated[Catalogue, Depends(_catalogue)]
Reports = Annotated[Renderer, Depends(_renderer)]
Chosen = Annotated[Settings, Depends(_settings)]
Calling = Annotated[Caller, Depends(_current_caller)]
Acting = Annotated[Acts, Depends(_request_context)]
Printing = Annotated[Printed, Depends(_print_settings)]
_IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=257,
        pattern=r'^[\x21\x23-\x7e][\x20\x21\x23-\x7e]*$|^"[\x20\x21\x23-\x7e]+"$',
        description="Identifies the request: sent again within a day, it is carried out once and "
        "gets the same answer. Quoted and unquoted keys are equal.",
    ),
]


async def _idempotent_request(
    request: Request, context: Acting, key: _IdempotencyKey = None
) -> Creates:
    if len(request.headers.getlist("idempotency-key")) > 1:
        error = FieldError(
            pointer="/Idempotency-Key", code="doubled_name", detail="must not be given twice"
        )
        raise Problem("wrong_shape", errors=[error])
    return Creates(context, request, key)


Creating = Annotated[Creates, Depends(_idempotent_request)]
