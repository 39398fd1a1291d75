"""Carries out the entries of a batch, each by its own route with its own guard."""

import json
from base64 import b64decode
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Message

from api.auth.services import find_services
from api.fhir.elements import FHIR_JSON, JSON_PATCH, Resource
from api.fhir.resources.operation_outcome import OutcomeIssue, build_operation_outcome
from api.fhir.writing.bundle_entries import BundleEntry, locate_entry

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""How long the answers of a batch may become together; later entries are then not carried out."""
_PASSED_ON = (b"host", b"authorization", b"x-api-key", b"prefer")
_TOO_LONG = "was not carried out: the answers before it are too long; send it in another batch"


async def carry_out(request: Request, entries: list[BundleEntry]) -> Resource:
    """Send each entry in its order; one that fails has its OperationOutcome and stops no other."""
    answers: list[Resource] = []
    size = 0
    for entry in entries:
        if size > MAX_ANSWER_BYTES:
            issue = OutcomeIssue("too-costly", _TOO_LONG, locate_entry(entry.position))
            outcome = build_operation_outcome([issue])
            answers.append({"response": {"status": "429", "outcome": outcome}})
            continue
        status, headers, body = await _send(request, entry)
        size += len(body)
        answers.append(build_entry(status, headers, json.loads(body) if body else None))
    return build_answer_bundle("batch-response", answers)


def build_answer_bundle(kind: str, entries: list[Resource]) -> Resource:
    """Return the answer to a bundle, in the order of its entries."""
    bundle: Resource = {"resourceType": "Bundle", "type": kind}
    return bundle | ({"entry": entries} if entries else {})


def build_entry(status: int, headers: Headers, resource: Resource | None) -> Resource:
    """Return the entry of a response."""
    response: Resource = {"status": str(status)}
    for name, header in (("location", "location"), ("etag", "etag")):
        if header in headers:
            response[name] = headers[header]
    if resource is None:
        return {"response": response}
    if resource["resourceType"] == "OperationOutcome":
        return {"response": response | {"outcome": resource}}
    if updated_at := resource.get("meta", {}).get("lastUpdated"):
        response["lastModified"] = updated_at
    return {"resource": resource, "response": response}


async def _send(request: Request, entry: BundleEntry) -> tuple[int, Headers, bytes]:
    """Send one entry through the application, as if it had come by itself."""
    media_type, content = _read_content(entry)
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await request.app(_build_scope(request, entry, media_type, content), receive, send)
    start, *pieces = messages
    body = b"".join(piece.get("body", b"") for piece in pieces)
    return start["status"], Headers(raw=start["headers"]), body


def _read_content(entry: BundleEntry) -> tuple[str, bytes]:
    """Return media type and body of a request; a patch is in a Binary, as R4 has it."""
    resource = entry.resource
    if resource is None:
        return "", b""
    if entry.method == "PATCH" and resource.get("resourceType") == "Binary":
        try:
            return JSON_PATCH, b64decode(str(resource.get("data", "")), validate=True)
        except ValueError:
            return JSON_PATCH, b""
    return FHIR_JSON, json.dumps(resource, ensure_ascii=False, default=float).encode()


def _build_scope(
    request: Request, entry: BundleEntry, media_type: str, content: bytes
) -> dict[str, object]:
    outer = request.scope
    path = f"{urlsplit(find_services(request).settings.public_url).path}/fhir/{entry.path}"
    own = {"Accept": FHIR_JSON, "X-Request-Id": request.state.request_id, **entry.headers}
    if media_type:
        own |= {"Content-Type": media_type, "Content-Length": str(len(content))}
    headers = [(name, value) for name, value in outer["headers"] if name in _PASSED_ON]
    headers += [(name.lower().encode(), value.encode()) for name, value in own.items()]
    copied_names = ("type", "asgi", "http_version", "scheme", "server", "client")
    return {name: outer[name] for name in copied_names if name in outer} | {
        "root_path": "",
        "method": entry.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": entry.query.encode(),
        "headers": headers,
        "state": {},
    }
