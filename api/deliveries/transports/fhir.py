"""FHIR push: a transaction to a server in one piece, or resource by resource where it takes none.

Each create is conditional on its identifier, so that a server that honours it makes nothing twice.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

from api.deliveries.attempt_result import Sent, by_status, failed
from api.fhir.elements import FHIR_JSON
from api.outbound.connection import Way
from api.outbound.errors import OutgoingError
from api.outbound.http_client import Answer, Asked, answered
from api.security.keys import SigningKey
from api.security.signatures import signed
from schemas.delivery import Smart

_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE_SECONDS = 240
_EARLY_SECONDS = 30


class SignIn(NamedTuple):
    """As whom we sign in at a server, by which key."""

    smart: Smart
    key: SigningKey


class Tokens:
    """Access tokens of servers, each kept until shortly before it ends. Safe for many threads."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}

    def token(self, whose: str, sign_in: SignIn, way: Way) -> str | Sent:
        """A token, or how asking for one ended."""
        held = self._held.get(whose)
        if held is not None and held[1] > time.monotonic():
            return held[0]
        answer = answered(_asking(sign_in), way)
        if answer.status != 200:
            return by_status(answer.status, answer.content, dict(answer.headers))._replace(
                fate="error", outcome="not_signed_in"
            )
        told = _object(answer.content)
        token, seconds = told.get("access_token"), told.get("expires_in", 0)
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            return Sent("error", "not_signed_in", str(answer.status))
        self._held[whose] = token, time.monotonic() + max(0, seconds - _EARLY_SECONDS)
        return token

    def forget(self, whose: str) -> None:
        """It was refused: ask for another next time."""
        self._held.pop(whose, None)


class Server(NamedTuple):
    """A server and how it is pushed to."""

    address: str
    whose: str
    mode: str
    sign_in: SignIn | None


def over_fhir(content: bytes, server: Server, tokens: Tokens, way: Way) -> Sent:
    """How it ended."""
    try:
        headers = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON, "Prefer": "return=minimal"}
        if server.sign_in is not None:
            token = tokens.token(server.whose, server.sign_in, way)
            if isinstance(token, Sent):
                return token
            headers["Authorization"] = f"Bearer {token}"
        bundle = json.loads(content)
        one = bundle["type"] == "transaction" and server.mode == "transaction"
        sent = (_whole if one else _each)(bundle, server, headers, way)
    except OutgoingError as error:
        return failed(error)
    if sent.code == "401":
        tokens.forget(server.whose)
    return sent


def _whole(bundle: dict[str, Any], server: Server, headers: dict[str, str], way: Way) -> Sent:
    answer = answered(Asked("POST", server.address, headers, _written(bundle)), way)
    sent = by_status(answer.status, answer.content, dict(answer.headers))
    if sent.fate != "delivered":
        return sent
    entries = _object(answer.content).get("entry", [])
    good = [
        str(each.get("response", {}).get("status", "")).startswith("2")
        for each in entries
        if isinstance(each, dict)
    ]
    if len(good) != len(bundle["entry"]) or not all(good):
        return sent._replace(fate="error", outcome="not_all_taken")
    return sent


def _each(bundle: dict[str, Any], server: Server, headers: dict[str, str], way: Way) -> Sent:
    """One after the other; references to what was made before point to where it is now."""
    text, sent = json.dumps(bundle["entry"]), Sent("delivered", "accepted", "200")
    for number in range(len(bundle["entry"])):
        entry = json.loads(text)[number]
        answer = answered(_single(entry, server.address, headers), way)
        sent = by_status(answer.status, answer.content, dict(answer.headers))
        if sent.fate != "delivered":
            return sent
        where = _made(answer, entry["resource"]["resourceType"])
        if where is not None:
            text = text.replace(json.dumps(entry["fullUrl"]), json.dumps(where))
    return sent


def _single(entry: dict[str, Any], address: str, headers: dict[str, str]) -> Asked:
    request = entry["request"]
    condition = request.get("ifNoneExist")
    own = headers | ({"If-None-Exist": condition} if condition else {})
    where = f"{address.rstrip('/')}/{request['url']}"
    return Asked(request["method"], where, own, _written(entry["resource"]))


def _made(answer: Answer, resource_type: str) -> str | None:
    """`Type/id` of what a create made or found."""
    parts = answer.headers.get("location", "").split("/")
    for place, each in enumerate(parts[:-1]):
        if each == resource_type:
            return f"{resource_type}/{parts[place + 1]}"
    told = _object(answer.content)
    return f"{resource_type}/{told['id']}" if isinstance(told.get("id"), str) else None


def _asking(sign_in: SignIn) -> Asked:
    smart, now = sign_in.smart, int(datetime.now(UTC).timestamp())
    claims = {
        "iss": smart.client_id,
        "sub": smart.client_id,
        "aud": smart.token_url,
        "iat": now,
        "exp": now + _LIFE_SECONDS,
        "jti": str(uuid4()),
    }
    form = {
        "grant_type": "client_credentials",
        "scope": smart.scope,
        "client_assertion_type": _BEARER,
        "client_assertion": signed(claims, sign_in.key, "JWT"),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Asked("POST", smart.token_url, headers, urlencode(form).encode())


def parts(content: bytes, mode: str) -> Iterator[tuple[str, bytes]]:
    """What would be sent, as paths under the server's address and bodies."""
    bundle = json.loads(content)
    if mode == "transaction":
        yield "", content
        return
    for entry in bundle["entry"]:
        yield f"/{entry['request']['url']}", _written(entry["resource"])


def _object(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
