"""Health: whether the process lives, and whether it can do its work."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.deps import Rulebooks, refusals
from api.problems import Problem

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
def ready(rulebooks: Rulebooks) -> Health:
    """Answers once the rulebooks are read and at least one is in use."""
    if not rulebooks.scored():
        raise Problem("unavailable", headers={"Retry-After": "5"})
    return Health()
