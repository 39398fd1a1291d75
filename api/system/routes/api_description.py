"""The description of the API (OpenAPI 3.1), with a version to cache it by, and as a page."""

import json
from functools import lru_cache
from hashlib import sha256
from threading import Lock
from typing import Any

from fastapi import APIRouter, Request, Response

from api.http.preconditions import is_etag_match
from api.web.templating import PageOptions, render_page

router = APIRouter(include_in_schema=False)
OPENAPI_PATH = "/openapi.json"
_CACHE_CONTROL = "public, max-age=300"
_ONE_AT_A_TIME = Lock()
"""The first request builds the description for seconds; others wait rather than do so again."""
_IMAGES = "img-src 'self' data:"
"""Swagger UI has its icons in its style sheet."""


@router.get(OPENAPI_PATH)
def read_openapi(request: Request) -> Response:
    """Return the description, or 304 if the caller has this one already."""
    with _ONE_AT_A_TIME:
        body, tag = _render(request.app)
    headers = {"ETag": tag, "Cache-Control": _CACHE_CONTROL}
    if is_etag_match(tag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/docs")
def read_docs(request: Request) -> Response:
    """Return the page on which the description can be read and its requests sent.

    Everything on it comes from this service.
    """
    page = render_page(request, "docs.html.j2", PageOptions(language="en"))
    policy = page.headers["Content-Security-Policy"]
    page.headers["Content-Security-Policy"] = policy.replace("img-src 'self'", _IMAGES)
    return page


@lru_cache(maxsize=4)
def _render(app: Any) -> tuple[bytes, str]:
    body = json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
    return body, f'"{sha256(body).hexdigest()[:32]}"'
