"""Verification: the SHA-256 of a paper in, whether this service issued it out, and nothing else.

Open to whoever holds the paper, who need not be known here; so many times a minute for an address.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from api.auth.route_guard import stranger
from api.dependencies import peer_of
from api.http.error_responses import refusals
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.store.operations.denied_requests import Refusals
from api.store.screenings import issued_reports
from api.store.store import Store

PER_MINUTE = 60
Sha256 = Annotated[
    str,
    Path(
        alias="sha256",
        pattern=r"^[0-9A-Fa-f]{64}$",
        description="Of the bytes of the file, in 64 hexadecimal digits.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
router = APIRouter(prefix="/v1/reports", tags=["reports"])


class Verification(BaseModel):
    """Whether a report with that hash was issued here and is still kept."""

    model_config = ConfigDict(frozen=True)

    issued: bool


@router.get(
    "/verify/{sha256}",
    operation_id="verify_report",
    responses=refusals(422, 429, 503),
    summary="Was this report issued here?",
)
def verify_report(sha256: Sha256, request: Request, response: Response) -> Verification:
    """Tells whether this service issued the file with that SHA-256: not for whom, to whom or when.

    No token is needed: 60 questions a minute for each address. A report that was erased with its
    patient is not known any more.
    """
    _admit(request)
    store: Store = request.app.state.store
    response.headers["Cache-Control"] = "no-store"
    return Verification(issued=issued_reports.was_issued(store, sha256.lower()))


def _admit(request: Request) -> None:
    limiter: RateLimiter = request.app.state.limiter
    try:
        limiter.take(f"verify {peer_of(request)}", PER_MINUTE)
    except Problem as refused:
        held: Refusals = request.app.state.refusals
        held.record(stranger(request), refused.code)
        raise
