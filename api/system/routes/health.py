"""Liveness and readiness probes.

Both answer on the event loop: the threads that serve requests may all be busy.
"""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from api.dependencies import Rulebooks
from api.http.error_responses import refusals
from api.problems import FieldError, Problem
from api.store.operations.readiness import wrong_with
from api.store.store import Store

ASKED_SECONDS = 2.0
router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """The service is healthy; any other state is a problem."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok"] = "ok"


@router.get("/live", operation_id="live", summary="Liveness probe")
async def live() -> Health:
    """Answer while the process can answer requests."""
    return Health()


@router.get("/ready", operation_id="ready", responses=refusals(503), summary="Readiness probe")
async def ready(rulebooks: Rulebooks, request: Request) -> Health:
    """Answer while the service can score and store; otherwise `errors` lists fixed fault texts."""
    store: Store = request.app.state.store
    try:
        async with asyncio.timeout(ASKED_SECONDS):
            faults = await asyncio.to_thread(lambda: dict(wrong_with(store)))
    except TimeoutError:
        faults = {"database": "the database does not answer"}
    if not rulebooks.scored():
        faults["no_rulebook"] = "no rulebook is in use"
    if faults:
        errors = [FieldError(pointer="", code=code, detail=text) for code, text in faults.items()]
        raise Problem("unavailable", errors=errors, headers={"Retry-After": "5"})
    return Health()
