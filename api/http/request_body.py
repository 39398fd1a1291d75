"""Taking a body: its media type, size, time and JSON checked, before the framework sees it."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.http import strict_json
from api.problems import Problem
from api.settings import Settings


class Media(NamedTuple):
    """What a body may be: as it is told, and as it is recognised."""

    named: str
    pattern: re.Pattern[str]


JSON = Media(
    "application/json",
    re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE),
)
FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 16 * 1024
FORM_FIELDS = 20


async def take_json(request: Request, takes: Media, times: int = 1) -> None:
    """Read the body, and lay its bytes and its value where the framework looks for them.

    What may be as large as several is read off the loop that serves everybody.
    """
    settings: Settings = request.app.state.settings
    kinds = request.headers.getlist("content-type")
    if (
        len(kinds) != 1
        or not takes.pattern.fullmatch(kinds[0])
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        expected = f"Send `{takes.named}` in UTF-8, without content encoding."
        raise Problem("unsupported_media_type", expected)
    body = await read_body(request, settings.body_bytes * times)
    request._body = body  # noqa: SLF001 - where Starlette keeps a body that was read
    if times == 1:
        value = strict_json.parse(body)
    else:
        value = await run_in_threadpool(strict_json.parse, body, strict_json.MEMBERS * times)
    request._json = value  # noqa: SLF001 - where Starlette keeps its value


async def take_form(
    request: Request, most: int = FORM_BYTES, fields: int = FORM_FIELDS
) -> list[tuple[str, str]]:
    """The fields of the form that is sent, in their order.

    Raises Problem `unsupported_media_type`, `malformed_request`, `too_slow` or `too_large`.
    """
    kinds = request.headers.getlist("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != FORM:
        raise Problem("unsupported_media_type", f"Send `{FORM}`.")
    body = await read_body(request, most)
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=fields,
        )
    except ValueError:
        raise Problem("malformed_request", "The form cannot be read.") from None


async def take_query(request: Request) -> Request:
    """The request as if the form that it carries stood in its address, after what stands there.

    Who says nothing sends no form. Raises Problem as `take_form` does.
    """
    if "content-type" not in request.headers and not await read_body(request, FORM_BYTES):
        return request
    form = urlencode(await take_form(request)).encode()
    query = b"&".join(filter(None, [request.scope["query_string"], form]))
    return Request(dict(request.scope) | {"query_string": query}, request.receive)


async def read_body(request: Request, most: int) -> bytes:
    """The body. Raises Problem `too_slow` or `too_large`."""
    settings: Settings = request.app.state.settings
    try:
        async with asyncio.timeout(settings.body_seconds):
            return await _bytes(request, most)
    except TimeoutError:
        raise Problem("too_slow", headers={"Connection": "close"}) from None


async def _bytes(request: Request, most: int) -> bytes:
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said[:18]) > most:
        raise Problem("too_large", headers={"Connection": "close"})
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem("too_large", headers={"Connection": "close"})
    return bytes(body)


def properties(schema: Any) -> Iterator[str]:
    """Every name of a member in a JSON schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from properties(each)
    elif isinstance(schema, dict):
        named = schema.get("properties")
        yield from named if isinstance(named, dict) else ()
        for each in schema.values():
            yield from properties(each)
