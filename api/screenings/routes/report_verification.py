"""Verifies by its SHA-256 that this service issued a report.

Open without authentication to anyone who has the file; rate-limited for each IP address.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from api.auth.admission import UNKNOWN_REPORTS, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.http.errors.error_responses import error_responses
from api.problems import Problem
from api.store.screenings import issued_reports

Sha256 = Annotated[
    str,
    Path(
        alias="sha256",
        pattern=r"^[0-9A-Fa-f]{64}$",
        description="The SHA-256 of the file, as 64 hexadecimal digits.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
router = APIRouter(prefix="/v1/reports", tags=["reports"])


class ReportVerification(BaseModel):
    """Whether this service issued a report with that hash and still stores it."""

    model_config = ConfigDict(frozen=True)

    issued: bool


@router.get(
    "/verify/{sha256}",
    operation_id="verify_report",
    responses=error_responses(422, 429, 503),
    summary="Verify a report",
)
def verify_report(sha256: Sha256, request: Request, response: Response) -> ReportVerification:
    """Returns whether this service issued the file with that SHA-256, and nothing about the
    patient, the recipient or the time.

    No token is needed. Each IP address may ask for 60 files per minute that were not issued. A
    report that was erased with its patient counts as not issued.
    """
    is_issued = issued_reports.is_report_issued(find_services(request).store, sha256.lower())
    if not is_issued:
        _limit_misses(request)
    response.headers["Cache-Control"] = "no-store"
    return ReportVerification(issued=is_issued)


def _limit_misses(request: Request) -> None:
    try:
        count_for_network(request, UNKNOWN_REPORTS)
    except Problem as problem:
        denied_requests = find_services(request).denied_requests
        denied_requests.record(build_anonymous_actor(request), problem.code)
        raise
