"""What routes need: named parameters, each with what stands behind it."""

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
    held: Catalogue = request.app.state.catalogue
    return held


async def _renderer(request: Request) -> Renderer:
    held: Renderer = request.app.state.renderer
    return held


async def _settings(request: Request) -> Settings:
    held: Settings = request.app.state.settings
    return held


async def _known_caller(request: Request) -> Caller:
    held: Caller = request.state.caller
    return held


async def _acts(request: Request) -> Acts:
    return Acts(request.app.state.store, actor_of(request, request.state.caller))


def is_known(tag: str, known: str | None) -> bool:
    """Whether `If-None-Match` names this ETag, compared weakly, or any (RFC 9110, 13.1.2)."""
    named = [each.strip().removeprefix("W/") for each in (known or "").split(",")]
    return tag in named or named == ["*"]


def peer_of(request: Request) -> str:
    """The address that the request came from."""
    return request.client.host if request.client else "unknown"


def _printed(acts: "Acting", caller: "Calling") -> Printed:
    with acts.store.reading_on(acts.actor) as work:
        return issuance.printed_in(work, test=caller.test)


ScreeningId = Annotated[
    str,
    Path(
        alias="screening",
        pattern=r"^[0-9a-f-]{36}$",
        description="The id that keeping it gave.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
]
BatchId = Annotated[
    str,
    Path(
        alias="batch",
        pattern=r"^[0-9a-f-]{36}$",
        description="The id that sending it gave.",
        examples=["6f6f6f6f-0000-4000-8000-000000000007"],
    ),
]
Rulebooks = Annotated[Catalogue, Depends(_catalogue)]
Reports = Annotated[Renderer, Depends(_renderer)]
Chosen = Annotated[Settings, Depends(_settings)]
Calling = Annotated[Caller, Depends(_known_caller)]
Acting = Annotated[Acts, Depends(_acts)]
Printing = Annotated[Printed, Depends(_printed)]
_IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=257,
        pattern=r'^[\x21\x23-\x7e][\x20\x21\x23-\x7e]*$|^"[\x20\x21\x23-\x7e]+"$',
        description="Names the request: sent again within a day, it is done once and answered "
        "alike. Quoted and bare are equal.",
    ),
]


async def _creates(request: Request, acts: Acting, key: _IdempotencyKey = None) -> Creates:
    if len(request.headers.getlist("idempotency-key")) > 1:
        twice = FieldError(
            pointer="/Idempotency-Key", code="doubled_name", detail="must not be given twice"
        )
        raise Problem("wrong_shape", errors=[twice])
    return Creates(acts, request, key)


Creating = Annotated[Creates, Depends(_creates)]
