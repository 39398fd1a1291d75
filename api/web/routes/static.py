"""The static files of pages, which anybody may read and a browser may keep."""

from fastapi import APIRouter, Response

from api.problems import Problem
from api.web import static_files

router = APIRouter(prefix="/static", include_in_schema=False)


@router.get("/{name}")
def read_static(name: str) -> Response:
    """One file."""
    held = static_files.content(name)
    if held is None:
        raise Problem("not_found")
    body, kind = held
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(body, media_type=kind, headers=headers)
