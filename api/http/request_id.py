"""The id of a request: that of the caller, unless it could name a patient, or a new one.

`X-Request-Id` is taken up as 16 to 36 hexadecimal digits and hyphens, such as a UUID; otherwise the
trace id of `traceparent` (W3C Trace Context).
"""

import re
import uuid
from collections.abc import Iterable

_REQUEST_ID = re.compile(rb"[0-9A-Fa-f-]{16,36}")
_TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE = b"0" * 32


def choose_request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the caller's id of the request, or a new one."""
    request_ids = [value for name, value in headers if name == b"x-request-id"]
    if len(request_ids) == 1 and _REQUEST_ID.fullmatch(request_ids[0]):
        return request_ids[0].decode().lower()
    parents = [value for name, value in headers if name == b"traceparent"]
    parent = _TRACE_PARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if parent and parent[1] != _NO_TRACE:
        return parent[1].decode()
    return uuid.uuid4().hex
