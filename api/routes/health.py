"""Health: whether the process lives, and whether it can do its work."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from api.deps import Rulebooks, refusals
from api.problems import FieldError, Problem
from api.store.readiness import wrong_with
from api.store.store import Store

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """That all is well; anything else is a problem."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok"] = "ok"


@router.get("/live", operation_id="live", summary="Is the process alive?")
def live() -> Health:
    """Answers while the process can answer at all."""
    return Health()


@router.get("/ready", operation_id="ready", responses=refusals(503), summary="Can it work?")
def ready(rulebooks: Rulebooks, request: Request) -> Health:
    """Answers while it can score and keep; else `errors` say what is wrong, in fixed words."""
    store: Store = request.app.state.store
    wrong = dict(wrong_with(store))
    if not rulebooks.scored():
        wrong["no_rulebook"] = "no rulebook is in use"
    if wrong:
        errors = [FieldError(pointer="", code=code, detail=told) for code, told in wrong.items()]
        raise Problem("unavailable", errors=errors, headers={"Retry-After": "5"})
    return Health()
