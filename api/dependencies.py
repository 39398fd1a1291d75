"""Dependencies shared by the routes, as named `Annotated` parameters."""

from typing import Annotated

from fastapi import Depends, Header, Path, Request

from api.auth.request_context import IdempotentRequest, RequestContext
from api.auth.route_guard import build_actor
from api.auth.services import PdfRenderer, find_services
from api.documents import issuance
from api.documents.document_builder import PrintSettings
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.accounts.callers import Caller
from scoring.catalogue import Catalogue


async def _catalogue(request: Request) -> Catalogue:
    return find_services(request).catalogue


async def _renderer(request: Request) -> PdfRenderer:
    return find_services(request).renderer


async def _settings(request: Request) -> Settings:
    return find_services(request).settings


async def _current_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _request_context(request: Request) -> RequestContext:
    return RequestContext(find_services(request).store, build_actor(request, request.state.caller))


def is_etag_match(tag: str, if_none_match: str | None) -> bool:
    """Return whether `If-None-Match` names this ETag or `*`, compared weakly (RFC 9110, 13.1.2)."""
    tags = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return tag in tags or tags == ["*"]


def _print_settings(context: "RequestContextDep", caller: "CurrentCaller") -> PrintSettings:
    with context.store.continue_read(context.actor) as work:
        return issuance.load_print_settings(work, test=caller.test)


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
CatalogueDep = Annotated[Catalogue, Depends(_catalogue)]
RendererDep = Annotated[PdfRenderer, Depends(_renderer)]
SettingsDep = Annotated[Settings, Depends(_settings)]
CurrentCaller = Annotated[Caller, Depends(_current_caller)]
RequestContextDep = Annotated[RequestContext, Depends(_request_context)]
PrintSettingsDep = Annotated[PrintSettings, Depends(_print_settings)]
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
    request: Request, context: RequestContextDep, key: _IdempotencyKey = None
) -> IdempotentRequest:
    if len(request.headers.getlist("idempotency-key")) > 1:
        error = FieldError(
            pointer="/Idempotency-Key", code="duplicate_name", detail="must not be repeated"
        )
        raise Problem("invalid_request", errors=[error])
    return IdempotentRequest(context, request, key)


IdempotentRequestDep = Annotated[IdempotentRequest, Depends(_idempotent_request)]
