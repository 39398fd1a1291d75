"""Prometheus metrics: counts and durations without patients, clients or organisations."""

from fastapi import APIRouter, Request, Response

from api.auth.services import find_services

router = APIRouter(prefix="/metrics", tags=["health"])
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "",
    operation_id="read_metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format 0.0.4",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
    summary="Read the metrics",
)
def read_metrics(request: Request) -> Response:
    """Return what was counted since the start, and what waits in the database now."""
    metrics = find_services(request).metrics
    return Response(metrics.render(), media_type=MEDIA_TYPE)
