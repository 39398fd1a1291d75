"""Reads the form that uploads a logo: the one form of the desk with a file."""

import re
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.auth.services import find_services
from api.desk.access.session_guard import PractitionerPageDep, check_token
from api.http.bodies.request_body import read_body
from api.problems import Problem
from api.web.csrf import CSRF_FIELD
from reports.logo import MAX_LOGO_BYTES, validate_logo

MAX_UPLOAD_BYTES = 1024 * 1024
"""The most that is read: a file above `MAX_LOGO_BYTES` is refused by a page that says so."""
_MEDIA_TYPE = re.compile(r"multipart/form-data;.*?\bboundary=\"?([A-Za-z0-9'()+_./:=?-]{1,70})\"?")
_FIELD_NAME = re.compile(
    rb"^content-disposition:[^\r\n]*[; ]name=\"([a-z]+)\"", re.IGNORECASE | re.MULTILINE
)


async def read_logo(request: Request, desk: PractitionerPageDep) -> bytes | None:
    """Return the logo: empty without a file, None if it is not allowed.

    Raises Problem for another media type, a body that is too large, or a wrong CSRF token.
    """
    content_type = _MEDIA_TYPE.match(request.headers.get("content-type", ""))
    if content_type is None:
        raise Problem("unsupported_media_type", "Send `multipart/form-data`.")
    body = await read_body(request, find_services(request).settings, MAX_UPLOAD_BYTES)
    parts = _split(body, content_type[1].encode("ascii"))
    check_token(request, desk, parts.get(CSRF_FIELD, b"").decode("ascii", "replace"))
    return _check_logo(parts.get("logo", b""))


UploadedLogo = Annotated[bytes | None, Depends(read_logo)]


def _split(body: bytes, boundary: bytes) -> dict[str, bytes]:
    """Return the content of each named part (RFC 7578)."""
    parts = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head)
        if name is not None:
            parts[name[1].decode("ascii")] = content
    return parts


def _check_logo(logo: bytes) -> bytes | None:
    if not logo:
        return b""
    try:
        return validate_logo(logo) if len(logo) <= MAX_LOGO_BYTES else None
    except ValueError:
        return None
