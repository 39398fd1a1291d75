"""Builds FHIR R4 AuditEvents from audit entries."""

import json
from typing import Any

from api.fhir.elements import TERMINOLOGY_BASE, format_instant
from schemas.organisations.audit import AuditEntry

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_REST = "http://hl7.org/fhir/restful-interaction"
_TYPE = f"{TERMINOLOGY_BASE}/audit-event-type"
_CODES = {
    "create": ("C", "create"),
    "amend": ("C", "create"),
    "rescore": ("C", "create"),
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
_SECURITY_ALERT = {"system": _DCM, "code": "110113", "display": "Security Alert"}
_APPLICATION_ACTIVITY = {"system": _DCM, "code": "110100", "display": "Application Activity"}
_SUCCESS, _MINOR_FAILURE, _SERIOUS_FAILURE = "0", "4", "8"
_SUCCESSFUL_OUTCOMES = ("ok", "replayed", "there_already")
_SERIOUS_OUTCOMES = (
    *("invalid_token", "invalid_client", "bad_sign_in", "insufficient_scope", "internal"),
    "not_grantable",
    *("bad_token", "bad_client", "missing_scope"),  # in rows written before version 1.2
)


def format_audit_event(entry: AuditEntry, organisation: str) -> str:
    """Return the AuditEvent as JSON. It contains no patient data, as the entry has none."""
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"{organisation}-{entry.seq}"[-64:],
        "type": _event_type(entry),
        "action": _CODES.get(entry.action, ("E", ""))[0],
        "recorded": format_instant(entry.at),
        "outcome": _outcome_code(entry),
        "outcomeDesc": entry.outcome,
        "agent": [{"who": {"identifier": {"value": entry.actor}}, "requestor": True}],
        "source": {"observer": {"display": "nociscreen"}, "site": organisation},
    }
    if entry.action in _CODES:
        event["subtype"] = [{"system": _REST, "code": _CODES[entry.action][1]}]
    if entry.target or entry.kind:
        target = {"what": {"identifier": {"value": entry.target}}} if entry.target else {}
        event["entity"] = [target | ({"description": entry.kind} if entry.kind else {})]
    return json.dumps(event, separators=(",", ":"))


def _event_type(entry: AuditEntry) -> dict[str, str]:
    if entry.action == "refuse":
        return _SECURITY_ALERT
    if entry.action in ("sign_in", "sign_out"):
        return _SIGN_IN
    if entry.action in _CODES:
        return {"system": _TYPE, "code": "rest", "display": "RESTful Operation"}
    return _APPLICATION_ACTIVITY


def _outcome_code(entry: AuditEntry) -> str:
    if entry.outcome in _SUCCESSFUL_OUTCOMES:
        return _SUCCESS
    return _SERIOUS_FAILURE if entry.outcome in _SERIOUS_OUTCOMES else _MINOR_FAILURE
