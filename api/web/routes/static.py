"""Serve the public, cacheable static files of the pages."""

from fastapi import APIRouter, Response

from api.problems import Problem
from api.web import static_files

router = APIRouter(prefix="/static", include_in_schema=False)


@router.get("/{name}")
def read_static(name: str) -> Response:
    """Return one static file."""
    static_file = static_files.load_static_file(name)
    if static_file is None:
        raise Problem("not_found")
    body, media_type = static_file
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(body, media_type=media_type, headers=headers)
