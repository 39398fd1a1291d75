"""Webhooks: JSON signed as the Standard Webhooks specification says: HMAC-SHA256, id and time."""

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from api.deliveries.attempt_result import Sent, by_status, failed
from api.outbound.connection import Way
from api.outbound.errors import OutgoingError
from api.outbound.http_client import Asked, answered

PREFIX = "whsec_"


def new_secret() -> str:
    """A secret of 32 bytes, as receivers are given it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signatures(content: bytes, name: str, at: datetime, keys: Iterable[str]) -> str:
    """A signature by each secret that is valid now, so that one can follow the other."""
    told = f"{name}.{int(at.timestamp())}.".encode() + content
    made = [
        hmac.digest(base64.b64decode(each.removeprefix(PREFIX)), told, "sha256") for each in keys
    ]
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)


class Hook(NamedTuple):
    """An address, and the secrets that are valid now."""

    address: str
    secrets: tuple[str, ...]


def over_webhook(content: bytes, name: str, hook: Hook, way: Way) -> Sent:
    """How it ended. The id is the same each time, the time and its signature are not."""
    at = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures(content, name, at, hook.secrets),
    }
    try:
        answer = answered(Asked("POST", hook.address, headers, content), way)
    except OutgoingError as error:
        return failed(error)
    return by_status(answer.status, answer.content, dict(answer.headers))
