"""Sends deliveries as webhooks, signed as the Standard Webhooks specification requires."""

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from standardwebhooks import Webhook

from api.deliveries.attempt_result import (
    AttemptResult,
    classify_http_status,
    classify_outbound_error,
)
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, send_request

_PREFIX = "whsec_"


def generate_webhook_secret() -> str:
    """Return a new secret of 32 bytes, in the format that receivers expect."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign_payload(content: bytes, message_id: str, sent_at: datetime, keys: Iterable[str]) -> str:
    """Return one signature per valid secret, so that secrets can be rotated."""
    return " ".join(Webhook(key).sign(message_id, sent_at, content.decode()) for key in keys)


class WebhookEndpoint(NamedTuple):
    """A webhook URL and its valid secrets."""

    address: str
    secrets: tuple[str, ...]


def send_over_webhook(
    content: bytes, message_id: str, endpoint: WebhookEndpoint, policy: ConnectionPolicy
) -> AttemptResult:
    """Send the payload and return the result; retries keep the id but change the timestamp."""
    sent_at = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": sign_payload(content, message_id, sent_at, endpoint.secrets),
    }
    try:
        response = send_request(OutboundRequest("POST", endpoint.address, headers, content), policy)
    except OutboundError as error:
        return classify_outbound_error(error)
    return classify_http_status(response.status, response.content, dict(response.headers))
