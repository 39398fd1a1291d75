"""A row of the audit as a FHIR R4 AuditEvent: who did what, when, with what outcome."""

import json
from typing import Any

from schemas.audit import AuditEntry

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_REST = "http://hl7.org/fhir/restful-interaction"
_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_CODES = {
    "create": ("C", "create"),
    "amend": ("C", "create"),
    "enter_in_error": ("U", "update"),
    "acknowledge": ("U", "update"),
    "answer": ("U", "update"),
    "revoke": ("U", "update"),
    "read": ("R", "read"),
    "list": ("R", "search-type"),
    "report": ("R", "read"),
    "export": ("R", "search-type"),
    "merge": ("U", "update"),
    "erase": ("D", "delete"),
    "purge": ("D", "delete"),
}
_SIGN_IN = {"system": _DCM, "code": "110114", "display": "User Authentication"}
_REFUSED = {"system": _DCM, "code": "110113", "display": "Security Alert"}
_ADMINISTERED = {"system": _DCM, "code": "110100", "display": "Application Activity"}
_SERIOUS, _MINOR, _FINE = "8", "4", "0"


def audit_event(entry: AuditEntry, organisation: str) -> str:
    """The event as JSON. It names no patient: the row does not."""
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"{organisation}-{entry.seq}"[-64:],
        "type": _type(entry),
        "action": _CODES.get(entry.action, ("E", ""))[0],
        "recorded": entry.at.isoformat().replace("+00:00", "Z"),
        "outcome": _FINE if entry.outcome in ("ok", "replayed") else _outcome(entry),
        "outcomeDesc": entry.outcome,
        "agent": [{"who": {"identifier": {"value": entry.actor}}, "requestor": True}],
        "source": {"observer": {"display": "nociscreen"}, "site": organisation},
    }
    if entry.action in _CODES:
        event["subtype"] = [{"system": _REST, "code": _CODES[entry.action][1]}]
    if entry.target or entry.kind:
        what = {"what": {"identifier": {"value": entry.target}}} if entry.target else {}
        event["entity"] = [what | ({"description": entry.kind} if entry.kind else {})]
    return json.dumps(event, separators=(",", ":"))


def _type(entry: AuditEntry) -> dict[str, str]:
    if entry.action == "refuse":
        return _REFUSED
    if entry.action in ("sign_in", "sign_out"):
        return _SIGN_IN
    if entry.action in _CODES:
        return {"system": _TYPE, "code": "rest", "display": "RESTful Operation"}
    return _ADMINISTERED


def _outcome(entry: AuditEntry) -> str:
    return (
        _SERIOUS
        if entry.outcome
        in (
            "bad_token",
            "bad_client",
            "bad_sign_in",
            "missing_scope",
            "internal",
        )
        else _MINOR
    )
