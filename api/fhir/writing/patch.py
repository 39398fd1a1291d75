"""Applies a JSON Patch (RFC 6902) to a resource."""

import json
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException, JsonPatchTestFailed
from jsonpointer import JsonPointerException

from api.fhir.elements import Resource
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.security.strict_json import StrictJsonError, decode_json

MAX_OPERATIONS = 50
MAX_BYTES = 256 * 1024


def apply_json_patch(resource: Resource, operations: list[Any]) -> Resource:
    """Return the resource with the operations applied. Raises InvalidResource.

    After each operation the result must be a document that could be sent: a patch that copies its
    own copies would otherwise grow without limit.
    """
    if len(operations) > MAX_OPERATIONS:
        _refuse("too-costly", f"must have at most {MAX_OPERATIONS} operations")
    for number, operation in enumerate(operations, 1):
        place = f"operation {number} of the patch"
        try:
            patched = JsonPatch([operation]).apply(resource)
            content = json.dumps(patched, default=float).encode()
            resource = decode_json(content)
        except JsonPatchTestFailed:
            _refuse("conflict", f"{place}: the test failed", "conflict")
        except (JsonPatchException, JsonPointerException, TypeError):
            _refuse("invalid", f"{place} cannot be applied to this response")
        except (StrictJsonError, RecursionError):
            _refuse("invalid", f"{place} makes a document that could not be sent")
        if len(content) > MAX_BYTES:
            _refuse("too-long", f"{place} makes a document that could not be sent")
    return resource if isinstance(resource, dict) else {}


def _refuse(code: str, text: str, problem: str = "invalid_request") -> None:
    raise InvalidResource(problem, [OutcomeIssue(code, text, RESPONSE_TYPE)])
