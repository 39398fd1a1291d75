"""Health: whether the process lives, and whether it can do its work.

Both are told without the threads that requests work in: those may all be waiting.
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
    """That all is well; anything else is a problem."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok"] = "ok"


@router.get("/live", operation_id="live", summary="Is the process alive?")
async def live() -> Health:
    """Answers while the process can answer at all."""
    return Health()


@router.get("/ready", operation_id="ready", responses=refusals(503), summary="Can it work?")
async def ready(rulebooks: Rulebooks, request: Request) -> Health:
    """Answers while it can score and keep; else `errors` say what is wrong, in fixed words."""
    store: Store = request.app.state.store
    try:
        async with asyncio.timeout(ASKED_SECONDS):
            wrong = await asyncio.to_thread(lambda: dict(wrong_with(store)))
    except TimeoutError:
        wrong = {"database": "the database does not answer"}
    if not rulebooks.scored():
        wrong["no_rulebook"] = "no rulebook is in use"
    if wrong:
        errors = [FieldError(pointer="", code=code, detail=told) for code, told in wrong.items()]
        raise Problem("unavailable", errors=errors, headers={"Retry-After": "5"})
    return Health()
