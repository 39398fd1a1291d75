"""Looks up the patient of a push at the receiver, by the number and its system."""

import json
import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

from api.deliveries.attempt_result import AttemptResult, classify_http_status
from api.fhir.elements import ID_PATTERN
from api.outbound.connection import ConnectionPolicy
from api.outbound.http_client import OutboundRequest, OutboundResponse, send_request

NOT_LOOKED_UP = "patient_not_looked_up"
NOT_FOUND = "patient_not_found"
NOT_UNIQUE = "patient_not_unique"


class SoughtIdentifier(NamedTuple):
    """The identifier by which the patient is looked up: system and value."""

    system: str
    value: str


def name_patient(
    bundle: dict[str, Any], address: str, headers: dict[str, str], policy: ConnectionPolicy
) -> dict[str, Any] | AttemptResult:
    """Return the bundle with its patient by the receiver's id, or why it cannot be sent.

    The number is in the body of the search: addresses are often logged.
    """
    number = _find_number(bundle)
    if number is None:
        return bundle
    search_headers = headers | {"Content-Type": "application/x-www-form-urlencoded"}
    form = urlencode({"identifier": f"{number.system}|{number.value}"}).encode()
    url = f"{address.rstrip('/')}/Patient/_search"
    response = send_request(OutboundRequest("POST", url, search_headers, form), policy)
    result = classify_http_status(response.status, response.content, dict(response.headers))
    if result.disposition != "delivered":
        return result._replace(outcome=NOT_LOOKED_UP)
    patient_ids = _list_patient_ids(response, number)
    if patient_ids is None:
        return result._replace(disposition="transient_failure", outcome=NOT_LOOKED_UP)
    if len(patient_ids) != 1:
        outcome = NOT_UNIQUE if patient_ids else NOT_FOUND
        return AttemptResult("permanent_failure", outcome, result.receiver_code)
    sendable_bundle: dict[str, Any] = _add_reference(bundle, number, f"Patient/{patient_ids.pop()}")
    return sendable_bundle


def _find_number(bundle: dict[str, Any]) -> SoughtIdentifier | None:
    """Return the number of the patient; None if each resource has a literal reference already."""
    for entry in bundle["entry"]:
        subject = entry["resource"].get("subject", {})
        match subject:
            case {"reference": _}:
                continue
            case {"identifier": {"system": str(system), "value": str(value)}}:
                return SoughtIdentifier(system, value)
    return None


def _list_patient_ids(response: OutboundResponse, number: SoughtIdentifier) -> set[str] | None:
    """Return the ids of the patients with this number; None if the response is no search result.

    A server that ignores the parameter returns others too: they do not count.
    """
    try:
        bundle = json.loads(response.content)
    except ValueError:
        return None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return None
    entries = bundle.get("entry", [])
    resources = [it.get("resource") for it in entries if isinstance(it, dict)]
    return {it["id"] for it in resources if it is not None and _is_patient(it, number)}


def _is_patient(resource: Any, number: SoughtIdentifier) -> bool:
    match resource:
        case {"resourceType": "Patient", "id": str(patient_id), "identifier": list(identifiers)}:
            numbers = [
                (it.get("system"), it.get("value")) for it in identifiers if isinstance(it, dict)
            ]
            return re.fullmatch(ID_PATTERN, patient_id) is not None and number in numbers
    return False


def _add_reference(value: Any, number: SoughtIdentifier, reference: str) -> Any:
    """Add the reference to each reference by this number."""
    match value:
        case {"resourceType": _, **members}:
            resource = {
                name: _add_reference(item, number, reference) for name, item in members.items()
            }
            return {"resourceType": value["resourceType"]} | resource
        case {"identifier": {"system": number.system, "value": number.value}} if (
            value.get("type", "Patient") == "Patient" and "reference" not in value
        ):
            return {"reference": reference} | value
        case dict():
            return {name: _add_reference(item, number, reference) for name, item in value.items()}
        case list():
            return [_add_reference(item, number, reference) for item in value]
    return value
