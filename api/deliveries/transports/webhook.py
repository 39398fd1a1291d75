"""Sends deliveries as webhooks, signed as the Standard Webhooks specification requires."""

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
    """Return a new secret of 32 bytes, in the format that receivers expect."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signatures(content: bytes, message_id: str, sent_at: datetime, keys: Iterable[str]) -> str:
    """Return one HMAC-SHA256 signature per valid secret, so that secrets can be rotated."""
    signed_content = f"{message_id}.{int(sent_at.timestamp())}.".encode() + content
    digests = [
        hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), signed_content, "sha256")
        for key in keys
    ]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


class Hook(NamedTuple):
    """A webhook URL and its valid secrets."""

    address: str
    secrets: tuple[str, ...]


def over_webhook(content: bytes, message_id: str, endpoint: Hook, policy: Way) -> Sent:
    """Send the payload and return the result; retries keep the id but change the timestamp."""
    sent_at = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": signatures(content, message_id, sent_at, endpoint.secrets),
    }
    try:
        response = answered(Asked("POST", endpoint.address, headers, content), policy)
    except OutgoingError as error:
        return failed(error)
    return by_status(response.status, response.content, dict(response.headers))
