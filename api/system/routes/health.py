"""Liveness and readiness probes.

Both answer on the event loop: the threads that serve requests may all be busy.
"""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.auth.services import find_services
from api.dependencies import CatalogueDep
from api.http.errors.error_responses import error_responses
from api.problems import FieldError, Problem
from api.store.operations.readiness import list_store_faults
from schemas.base import Many

READINESS_TIMEOUT_SECONDS = 2.0
_PROXY_WARNING = (
    "A proxy that is not trusted forwards requests, so all callers share its address: name it in "
    "NOCISCREEN_TRUSTED_PROXIES, and let it send X-Forwarded-For."
)
router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel, frozen=True):
    """The service is healthy; any other state is a problem."""

    status: Literal["ok"] = "ok"
    warnings: Many[str] | None = Field(
        default=None, description="What works but is set up wrongly, in fixed texts."
    )


@router.get(
    "/live", operation_id="live", response_model_exclude_none=True, summary="Liveness probe"
)
async def live() -> Health:
    """Answer while the process can answer requests."""
    return Health()


@router.get(
    "/ready",
    operation_id="ready",
    response_model_exclude_none=True,
    responses=error_responses(503),
    summary="Readiness probe",
)
async def ready(rulebooks: CatalogueDep, request: Request) -> Health:
    """Answer while the service can score and store; otherwise `errors` lists fixed fault texts.

    `warnings` says if a proxy that is not trusted has forwarded a request since the start.
    """
    store = find_services(request).store
    try:
        async with asyncio.timeout(READINESS_TIMEOUT_SECONDS):
            faults = await asyncio.to_thread(lambda: dict(list_store_faults(store)))
    except TimeoutError:
        faults = {"database": "the database does not answer"}
    if not rulebooks.list_active():
        faults["no_rulebook"] = "no rulebook is in use"
    if faults:
        errors = [FieldError(pointer="", code=code, detail=text) for code, text in faults.items()]
        raise Problem("unavailable", errors=errors, headers={"Retry-After": "5"})
    return Health(warnings=(_PROXY_WARNING,) if store.metrics.has_untrusted_proxy else None)
