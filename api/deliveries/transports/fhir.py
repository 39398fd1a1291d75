"""Sends deliveries to FHIR servers, as one transaction or one resource after the other.

Every create is conditional on its identifier: a server that honours this stores no duplicates.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

from api.deliveries.attempt_result import (
    AttemptResult,
    classify_http_status,
    classify_outbound_error,
)
from api.deliveries.transports.patient_lookup import name_patient
from api.fhir.elements import FHIR_JSON
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, OutboundResponse, send_request
from api.security.keys import SigningKey
from api.security.signatures import sign_token
from schemas.base import encode_json
from schemas.organisations.delivery import SmartSignIn

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME_SECONDS = 240
_EXPIRY_MARGIN_SECONDS = 30


class SmartCredentials(NamedTuple):
    """SMART Backend Services settings of a server, and our signing key for it."""

    settings: SmartSignIn
    signing_key: SigningKey


class AccessTokenCache:
    """Cache of access tokens, each until shortly before it expires. Thread-safe."""

    def __init__(self) -> None:
        self._cached: dict[str, tuple[str, float]] = {}

    def obtain_token(
        self, destination_id: str, login: SmartCredentials, policy: ConnectionPolicy
    ) -> str | AttemptResult:
        """Return a token, or the result of the failed token request."""
        cached = self._cached.get(destination_id)
        if cached is not None and cached[1] > time.monotonic():
            return cached[0]
        response = send_request(_build_token_request(login), policy)
        if response.status != 200:
            failure = classify_http_status(
                response.status, response.content, dict(response.headers)
            )
            return AttemptResult(
                "transient_failure",
                "login_failed",
                failure.receiver_code,
                failure.reply,
                failure.retry_after_seconds,
            )
        body = _parse_object(response.content)
        token, seconds = body.get("access_token"), body.get("expires_in", 0)
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            return AttemptResult("transient_failure", "login_failed", str(response.status))
        lifetime = max(0, seconds - _EXPIRY_MARGIN_SECONDS)
        self._cached[destination_id] = token, time.monotonic() + lifetime
        return token

    def discard_token(self, destination_id: str) -> None:
        """Discard a token that the server refused."""
        self._cached.pop(destination_id, None)


class FhirServer(NamedTuple):
    """A FHIR server: its base URL, destination id, delivery mode, login, and whether the patient
    is looked up there first.
    """

    address: str
    destination_id: str
    mode: str
    credentials: SmartCredentials | None
    looks_up_patient: bool = False


def send_over_fhir(
    content: bytes, server: FhirServer, tokens: AccessTokenCache, policy: ConnectionPolicy
) -> AttemptResult:
    """Send the bundle and return the result of the attempt."""
    try:
        headers = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON, "Prefer": "return=minimal"}
        if server.credentials is not None:
            token = tokens.obtain_token(server.destination_id, server.credentials, policy)
            if isinstance(token, AttemptResult):
                return token
            headers["Authorization"] = f"Bearer {token}"
        bundle: dict[str, Any] | AttemptResult = json.loads(content)
        if server.looks_up_patient and isinstance(bundle, dict):
            bundle = name_patient(bundle, server.address, headers, policy)
        if isinstance(bundle, AttemptResult):
            return _discard_refused_token(bundle, server, tokens)
        as_transaction = bundle["type"] == "transaction" and server.mode == "transaction"
        send = _send_transaction if as_transaction else _send_each_resource
        result = send(bundle, server, headers, policy)
    except OutboundError as error:
        return classify_outbound_error(error)
    return _discard_refused_token(result, server, tokens)


def _discard_refused_token(
    result: AttemptResult, server: FhirServer, tokens: AccessTokenCache
) -> AttemptResult:
    if result.receiver_code == "401":
        tokens.discard_token(server.destination_id)
    return result


def _send_transaction(
    bundle: dict[str, Any], server: FhirServer, headers: dict[str, str], policy: ConnectionPolicy
) -> AttemptResult:
    response = send_request(
        OutboundRequest("POST", server.address, headers, encode_json(bundle)), policy
    )
    result = classify_http_status(response.status, response.content, dict(response.headers))
    if result.disposition != "delivered":
        return result
    entries = _parse_object(response.content).get("entry", [])
    successes = [
        str(entry.get("response", {}).get("status", "")).startswith("2")
        for entry in entries
        if isinstance(entry, dict)
    ]
    if len(successes) != len(bundle["entry"]) or not all(successes):
        return AttemptResult(
            "transient_failure", "partially_rejected", result.receiver_code, result.reply
        )
    return result


def _send_each_resource(
    bundle: dict[str, Any], server: FhirServer, headers: dict[str, str], policy: ConnectionPolicy
) -> AttemptResult:
    """Send each resource, replacing references to earlier ones by their ids on the server."""
    entries, result = json.dumps(bundle["entry"]), AttemptResult("delivered", "accepted", "200")
    for index in range(len(bundle["entry"])):
        entry = json.loads(entries)[index]
        response = send_request(_build_request(entry, server.address, headers), policy)
        result = classify_http_status(response.status, response.content, dict(response.headers))
        if result.disposition != "delivered":
            return result
        reference = _parse_local_reference(response, entry["resource"]["resourceType"])
        if reference is not None:
            entries = entries.replace(json.dumps(entry["fullUrl"]), json.dumps(reference))
    return result


def _build_request(entry: dict[str, Any], address: str, headers: dict[str, str]) -> OutboundRequest:
    request = entry["request"]
    condition = request.get("ifNoneExist")
    request_headers = headers | ({"If-None-Exist": condition} if condition else {})
    url = f"{address.rstrip('/')}/{request['url']}"
    return OutboundRequest(request["method"], url, request_headers, encode_json(entry["resource"]))


def _parse_local_reference(response: OutboundResponse, resource_type: str) -> str | None:
    """Return `Type/id` of the resource that a create made or matched."""
    segments = response.headers.get("location", "").split("/")
    for index, segment in enumerate(segments[:-1]):
        if segment == resource_type:
            return f"{resource_type}/{segments[index + 1]}"
    resource = _parse_object(response.content)
    return f"{resource_type}/{resource['id']}" if isinstance(resource.get("id"), str) else None


def _build_token_request(login: SmartCredentials) -> OutboundRequest:
    smart, now = login.settings, int(datetime.now(UTC).timestamp())
    claims = {
        "iss": smart.client_id,
        "sub": smart.client_id,
        "aud": smart.token_url,
        "iat": now,
        "exp": now + _ASSERTION_LIFETIME_SECONDS,
        "jti": str(uuid4()),
    }
    form = {
        "grant_type": "client_credentials",
        "scope": smart.scope,
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": sign_token(claims, login.signing_key, "JWT"),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return OutboundRequest("POST", smart.token_url, headers, urlencode(form).encode())


def split_bundle(content: bytes, mode: str) -> Iterator[tuple[str, bytes]]:
    """Split a bundle into its requests: paths below the base URL, and bodies."""
    bundle = json.loads(content)
    if mode == "transaction":
        yield "", content
        return
    for entry in bundle["entry"]:
        yield f"/{entry['request']['url']}", encode_json(entry["resource"])


def _parse_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
