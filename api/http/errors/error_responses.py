"""OpenAPI responses for the error statuses that a route can return."""

from typing import Any

from api.problems import PROBLEM_MEDIA_TYPE, ProblemBody


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for these error statuses."""
    schema = {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}
    content = {PROBLEM_MEDIA_TYPE: {"schema": schema}}
    return {status: {"description": _TITLES[status], "content": content} for status in statuses}


_TITLES = {
    400: "Malformed request",
    401: "Token missing or invalid",
    403: "Scope missing",
    404: "Not found, or not visible to you",
    405: "Method not allowed",
    406: "`Accept` or `_format` names no available format",
    408: "The body arrived too slowly",
    409: "Conflict with the stored state",
    412: "The stored version differs, or the condition does not apply to this request",
    413: "The body is too large",
    415: "Unsupported media type",
    416: "The file ends before the range",
    422: "Well-formed, but invalid",
    429: "Too many requests; see Retry-After",
    431: "The headers or the URL are too large",
    500: "Unexpected server error",
    503: "Not ready; see Retry-After",
}
GUARDED_ERRORS = (401, 403, 422, 429, 431, 503)
BODY_ERRORS = (400, 401, 403, 408, 413, 415, 422, 429, 431, 503)
