"""Refused: what the API's description says of each status that a route refuses with."""

from typing import Any

from api.problems import MEDIA_TYPE, ProblemBody


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route for what it refuses, for the API's description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in statuses}


_TITLES = {
    400: "Not readable",
    401: "No token, or a refused one",
    403: "The scope is missing",
    404: "Nothing here, or nothing that you may see",
    405: "Method not allowed",
    406: "`Accept` or `_format` names nothing on offer",
    408: "The body came too slowly",
    409: "It does not go with what is kept",
    412: "Another version is kept, or the condition is not of this request",
    413: "The body is too large",
    415: "Not of the media type that is taken",
    416: "The file ends before the range",
    422: "Readable, but of the wrong shape",
    429: "Too many at once; see Retry-After",
    431: "The headers, or the address, are too large",
    500: "Something of ours failed",
    503: "Not ready; see Retry-After",
}
GUARDED = (401, 403, 422, 429, 431, 503)
TAKING = (400, 401, 403, 408, 413, 415, 422, 429, 431, 503)
