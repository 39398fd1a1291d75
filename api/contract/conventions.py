"""Writes down in the OpenAPI document what holds for many operations.

Headers, public operations, tags, webhooks, and names of components: those of FHIR's resources, and
of models that a rulebook's version must not rename.
"""

import json
import re
from collections import defaultdict
from typing import Any

OpenApiObject = dict[str, Any]
CONTACT = {"name": "The operator of this service"}
TAGS = {
    "score": "Score an intake. Nothing is stored.",
    "screenings": "Store screenings with their answers, assessment and rulebook, and find them.",
    "reports": "Reports of screenings, and whether one was issued here.",
    "batches": "Score many intakes, from files or in one request.",
    "patients": "Everything stored on a patient: export, erasure, merges, legal holds.",
    "deliveries": "Send screenings to other systems, by HL7 v2, FHIR or webhook.",
    "audit": "Who did what and when, without patient data.",
    "administration": "The organisation, its forms, clients, credentials and practitioners.",
    "links": "Links by which patients answer the questions themselves.",
    "authentication": "Access tokens and public keys.",
    "FHIR": "The same in FHIR R4.",
    "CDS Hooks": "Cards for EHRs, by CDS Hooks 2.0.",
    "rulebooks": "The published rules: questions, weights, rationale and citations.",
    "health": "Whether the service works, and what it counts.",
    "webhooks": "What the service sends to an address of yours.",
    "problems": "The types of problems, with cause and remedy.",
}
HEADERS: dict[str, OpenApiObject] = {
    "X-Request-Id": {
        "description": "The id of the request: the caller's, if it sent one, or a new one.",
        "schema": {"type": "string", "maxLength": 36},
    },
    "Location": {
        "description": "The address of what was created, where it has one.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "The version of the representation, for `If-Match` and `If-None-Match`.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "The seconds after which to send the request again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750), with the missing scope if one is missing.",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'The address of the next page, with `rel="next"`.',
        "schema": {"type": "string"},
    },
    "Preference-Applied": {
        "description": "The preference of `Prefer` that this answer follows (RFC 7240).",
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "`true` if this is the stored answer to the same `Idempotency-Key`.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_BY_STATUS = {
    "201": ("Location",),
    "202": ("Retry-After", "Location"),
    "401": ("WWW-Authenticate",),
    "403": ("WWW-Authenticate",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
_LINKING = ("list_screenings", "search_screenings", "read_audit")
_REFERENCE = "#/components/schemas/"
_VERSIONED = re.compile(r"(\w+?)_(\d+)_(\d+)_(\d+)")
_RESOURCE_TEXT = "A FHIR R4 resource; its profile is in `/fhir/metadata`."
WEBHOOK: OpenApiObject = {
    "post": {
        "operationId": "receive_screening",
        "tags": ["webhooks"],
        "summary": "A screening, its correction or its withdrawal",
        "description": "Sent to the address of a destination with the profile `generic-webhook`, "
        "signed as Standard Webhooks 1.0 says. Verify the signature, refuse old timestamps, and do "
        "nothing twice for one `webhook-id`.",
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in (
                ("webhook-id", "The id of the message, the same at every attempt."),
                ("webhook-timestamp", "When it was sent, in seconds since 1970."),
                ("webhook-signature", "`v1,` and an HMAC-SHA256 over `id.timestamp.body`."),
            )
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "description": "The message as `docs/deliveries.md` describes it.",
                    }
                }
            },
        },
        "responses": {
            "2XX": {"description": "Received; it is not sent again."},
            "4XX": {"description": "Refused; it is parked for manual review."},
            "5XX": {"description": "Not received; it is sent again later."},
        },
    }
}


def complete_document(document: OpenApiObject) -> None:
    """Add the conventions to the document."""
    document["info"]["contact"] = CONTACT
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["webhooks"] = {"screening": WEBHOOK}
    document["components"]["headers"].update(HEADERS)
    for operations in document["paths"].values():
        is_versioned = any(
            "If-Match" in _list_headers(operation) for operation in operations.values()
        )
        for method, operation in operations.items():
            operation.setdefault("security", [])
            _declare_condition(operation)
            _declare_headers(operation, has_etag=method == "get" and is_versioned)
    _name_resources(document)


def rename_versioned(document: OpenApiObject) -> OpenApiObject:
    """Return the document with names of models that hold a rulebook's major version alone."""
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    for former, name in choose_names(schemas).items():
        text = text.replace(f'"{_REFERENCE}{former}"', f'"{_REFERENCE}{name}"')
        text = text.replace(f'"title": "{former}"', f'"title": "{name}"')
        text = text.replace(f'"{former}": {{', f'"{name}": {{')
    renamed: OpenApiObject = json.loads(text)
    return renamed


def choose_names(names: Any) -> dict[str, str]:
    """Return the names without versions: `IntakeV2`; `IntakeV2_1` if two minors are active."""
    versions = defaultdict(list)
    matches = [match for match in map(_VERSIONED.fullmatch, names) if match]
    for match in matches:
        versions[match[1], match[2]].append(match[0])
    return {
        match[0]: f"{match[1]}V{match[2]}"
        + (f"_{match[3]}" if len(versions[match[1], match[2]]) > 1 else "")
        for match in matches
    }


def _list_headers(operation: OpenApiObject) -> set[str]:
    return {item["name"] for item in operation.get("parameters", ()) if item["in"] == "header"}


def _declare_condition(operation: OpenApiObject) -> None:
    """Name `If-None-Match` wherever 304 may be the answer."""
    if "304" in operation["responses"] and "If-None-Match" not in _list_headers(operation):
        schema = {"type": "string", "examples": ['"0"']}
        parameter = {"name": "If-None-Match", "in": "header", "required": False, "schema": schema}
        operation.setdefault("parameters", []).append(parameter)


def _declare_headers(operation: OpenApiObject, *, has_etag: bool) -> None:
    parameters = _list_headers(operation)
    for status, response in operation["responses"].items():
        names = ["X-Request-Id", *_BY_STATUS.get(status, ())]
        if status.startswith("2") and "Idempotency-Key" in parameters:
            names.append("Idempotency-Replayed")
        if status.startswith(("2", "304")) and (
            has_etag or "304" in operation["responses"] or "If-Match" in parameters
        ):
            names.append("ETag")
        if status.startswith("2") and {"Prefer", "prefer"} & parameters:
            names.append("Preference-Applied")
        if status == "200" and operation["operationId"] in _LINKING:
            names.append("Link")
        references = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = references | response.get("headers", {})


def _name_resources(document: OpenApiObject) -> None:
    """Move the schemas of FHIR resources in responses to components of their names."""
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    name = _find_resource_name(content.get("schema", {}))
                    if name:
                        name = _choose_free_name(schemas, name)
                        schemas.setdefault(
                            name,
                            content["schema"]
                            | {"description": _RESOURCE_TEXT, "additionalProperties": True},
                        )
                        content["schema"] = {"$ref": f"{_REFERENCE}{name}"}


def _choose_free_name(schemas: OpenApiObject, name: str) -> str:
    """Return the name, or another one if a schema of our own has it."""
    is_taken = name in schemas and schemas[name].get("description") != _RESOURCE_TEXT
    return f"{name}Resource" if is_taken else name


def _find_resource_name(schema: OpenApiObject) -> str | None:
    if "$ref" in schema or schema.get("type") != "object":
        return None
    name: str = schema.get("properties", {}).get("resourceType", {}).get("const", "JsonSchema")
    return name
