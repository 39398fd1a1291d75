"""Reads request bodies with checks of media type, size, time and JSON, before FastAPI runs."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.http.bodies.json_body import parse_json
from api.problems import Problem
from api.security.strict_json import MAX_MEMBERS
from api.settings import Settings


class BodyMediaType(NamedTuple):
    """A media type that a route accepts: its name for messages, and its pattern."""

    name: str
    pattern: re.Pattern[str]


JSON = BodyMediaType(
    "application/json",
    re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE),
)
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 16 * 1024
MAX_FORM_FIELDS = 20


async def read_json(
    request: Request, settings: Settings, media_type: BodyMediaType, times: int = 1
) -> None:
    """Read the body into the request, where FastAPI looks for its bytes and its value.

    A body of several intakes (`times` over 1) is parsed in a thread, off the event loop.

    Raises Problem `unsupported_media_type`, `malformed_json`, `request_timeout` or `too_large`.
    """
    content_types = request.headers.getlist("content-type")
    if (
        len(content_types) != 1
        or not media_type.pattern.fullmatch(content_types[0])
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        expected = f"Send `{media_type.name}` in UTF-8, without content encoding."
        if not content_types and request.headers.get("content-length", "0") == "0":
            expected = f"This operation needs a body. {expected}"
        raise Problem("unsupported_media_type", expected)
    max_bytes = settings.max_body_bytes * times
    body = await read_body(request, settings, max_bytes, "NOCISCREEN_MAX_BODY_BYTES")
    request._body = body  # noqa: SLF001 - where Starlette caches the body
    if times == 1:
        value = parse_json(body)
    else:
        value = await run_in_threadpool(parse_json, body, MAX_MEMBERS * times)
    request._json = value  # noqa: SLF001 - where Starlette caches the value


async def read_form_fields(
    request: Request,
    settings: Settings,
    max_bytes: int = MAX_FORM_BYTES,
    max_fields: int = MAX_FORM_FIELDS,
) -> list[tuple[str, str]]:
    """Return the fields of the form in their order. Raises Problem, as `read_json` does."""
    content_types = request.headers.getlist("content-type")
    if (
        len(content_types) != 1
        or content_types[0].partition(";")[0].strip().lower() != FORM_MEDIA_TYPE
    ):
        raise Problem("unsupported_media_type", f"Send `{FORM_MEDIA_TYPE}`.")
    body = await read_body(request, settings, max_bytes)
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=max_fields,
        )
    except ValueError:
        raise Problem("malformed_request", "The form cannot be read.") from None


async def merge_form_into_query(request: Request, settings: Settings) -> Request:
    """Return the request with the fields of its form, if any, in its query. Raises Problem."""
    if "content-type" not in request.headers and not await read_body(
        request, settings, MAX_FORM_BYTES
    ):
        return request
    form = urlencode(await read_form_fields(request, settings)).encode()
    query = b"&".join(filter(None, [request.scope["query_string"], form]))
    return Request(dict(request.scope) | {"query_string": query}, request.receive)


async def read_body(
    request: Request, settings: Settings, max_bytes: int, setting: str | None = None
) -> bytes:
    """Read the body, at most `max_bytes`. Raises Problem `request_timeout` or `too_large`."""
    try:
        async with asyncio.timeout(settings.body_seconds):
            return await _read_bytes(request, max_bytes, setting)
    except TimeoutError:
        raise Problem("request_timeout", headers={"Connection": "close"}) from None


async def _read_bytes(request: Request, max_bytes: int, setting: str | None) -> bytes:
    content_length = request.headers.get("content-length", "")
    if content_length.isdigit() and int(content_length[:18]) > max_bytes:
        raise build_size_problem(max_bytes, setting)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise build_size_problem(max_bytes, setting)
    return bytes(body)


def build_size_problem(max_bytes: int, setting: str | None = None) -> Problem:
    """Return the problem of a body with more bytes than this limit, which a setting may name."""
    suffix = f" ({setting})" if setting else ""
    return Problem(
        "too_large",
        f"The body has more than {max_bytes} bytes, the limit of this operation{suffix}.",
        headers={"Connection": "close"},
        extensions={"limit": max_bytes},
    )


def list_property_names(schema: Any) -> Iterator[str]:
    """Yield the name of every property in a JSON schema, at any depth."""
    if isinstance(schema, list):
        for item in schema:
            yield from list_property_names(item)
    elif isinstance(schema, dict):
        names = schema.get("properties")
        yield from names if isinstance(names, dict) else ()
        for subschema in schema.values():
            yield from list_property_names(subschema)
