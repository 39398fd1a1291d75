"""Dependencies shared by the routes, as named `Annotated` parameters."""

from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from pydantic import AfterValidator

from api.auth.admission import MeteredRenderer
from api.auth.request_context import IdempotentRequest, RequestContext
from api.auth.route_guard import build_actor
from api.auth.services import PdfRenderer, find_services
from api.documents import issuance
from api.documents.document_builder import PrintSettings
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.accounts.callers import Caller
from scoring.catalogue import Catalogue


def _depend_on_service(name: str) -> Any:
    async def find_service(request: Request) -> Any:
        return getattr(find_services(request), name)

    return Depends(find_service)


async def _current_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _metered_renderer(request: Request) -> PdfRenderer:
    return MeteredRenderer(find_services(request), request.state.caller)


async def _request_context(request: Request) -> RequestContext:
    return RequestContext(find_services(request).store, build_actor(request, request.state.caller))


def _print_settings(context: "RequestContextDep", caller: "CurrentCaller") -> PrintSettings:
    with context.store.continue_read(context.actor) as work:
        return issuance.load_print_settings(work, test=caller.test)


def build_id_parameter(
    alias: str, last_digit: int, description: str | None = None, prefix: str = ""
) -> Any:
    """Return a path parameter that takes an id of this service; the digit ends its example.

    With `LOWER_CASE` after it, an id in capitals names the same thing.
    """
    return Path(
        alias=alias,
        pattern=rf"^{prefix}[0-9A-Fa-f-]{{36}}$",
        description=description,
        examples=[f"{prefix}6f6f6f6f-0000-4000-8000-{last_digit:012}"],
    )


LOWER_CASE = AfterValidator(str.lower)
ScreeningId = Annotated[
    str, build_id_parameter("screening", 1, "The id from creating it."), LOWER_CASE
]
BatchId = Annotated[str, build_id_parameter("batch", 7, "The id from creating it."), LOWER_CASE]
CatalogueDep = Annotated[Catalogue, _depend_on_service("catalogue")]
MeteredRendererDep = Annotated[PdfRenderer, Depends(_metered_renderer)]
"""Counts against the quota of the caller's organisation."""
RendererDep = Annotated[PdfRenderer, _depend_on_service("renderer")]
"""For people at the desk, who are not refused a document for what programs used up."""
SettingsDep = Annotated[Settings, _depend_on_service("settings")]
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
