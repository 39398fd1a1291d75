"""Sends a notification as an SMS through an HTTP gateway that a TOML file describes."""

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

from pydantic import AfterValidator, Field

from api.deliveries.attempt_result import (
    AttemptResult,
    classify_http_status,
    classify_outbound_error,
)
from api.outbound.allowlist import AllowedHost, parse_target_url
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import HTTP_SCHEMES, OutboundRequest, send_request
from api.settings import Settings
from schemas.base import FrozenModel

ContentType = Literal["application/json", "application/x-www-form-urlencoded"]
FORM_TYPE: ContentType = "application/x-www-form-urlencoded"
_PLACEHOLDER = re.compile(r"\{(to|text)\}")


def _check_url(url: str) -> str:
    parse_target_url(url, HTTP_SCHEMES)
    return url


def _check_body(body: str) -> str:
    if {match[1] for match in _PLACEHOLDER.finditer(body)} != {"to", "text"}:
        raise ValueError("must contain {to} and {text}")
    return body


class SmsGateway(FrozenModel):
    """The gateway: the request that sends an SMS, and the response that says it was accepted.

    The number and the text only go into the body, so no server on the way logs them with the URL.
    """

    url: Annotated[str, AfterValidator(_check_url)]
    method: Literal["POST", "PUT"] = "POST"
    content_type: ContentType = "application/json"
    headers: dict[str, Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]] = Field(
        default_factory=dict
    )
    body: Annotated[str, AfterValidator(_check_body)]
    success_contains: str = Field(
        default="", description="A text that the response must contain besides a status of 2xx."
    )
    private_network: bool = Field(
        default=False, description="The gateway is in the private network; then it may lack TLS."
    )


class SmsTransport(NamedTuple):
    """The gateway and the limits of a connection to it."""

    gateway: SmsGateway
    policy: ConnectionPolicy


def build_sms_transport(settings: Settings) -> SmsTransport | None:
    """Return the transport, or None without a gateway. Raises OSError and ValueError."""
    if settings.sms_gateway_file is None:
        return None
    gateway = load_gateway(settings.sms_gateway_file)
    host_port = parse_target_url(gateway.url, HTTP_SCHEMES).host_port
    allowed_host = AllowedHost(host_port, gateway.private_network)
    return SmsTransport(gateway, ConnectionPolicy((allowed_host,), settings.delivery_seconds))


def load_gateway(file: Path) -> SmsGateway:
    """Load the description of a gateway. Raises OSError and ValueError."""
    return SmsGateway.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


def send_as_sms(text: str, number: str, transport: SmsTransport) -> AttemptResult:
    """Send an SMS; a response without the agreed text is an error of the gateway."""
    gateway = transport.gateway
    headers = {"Content-Type": gateway.content_type} | gateway.headers
    content = fill_body(gateway, number, text)
    request = OutboundRequest(gateway.method, gateway.url, headers, content)
    try:
        response = send_request(request, transport.policy)
    except OutboundError as error:
        return classify_outbound_error(error)
    result = classify_http_status(response.status, b"", dict(response.headers))
    is_accepted = gateway.success_contains.encode() in response.content
    if result.disposition == "delivered" and not is_accepted:
        return AttemptResult("transient_failure", "error", result.receiver_code)
    return result


def fill_body(gateway: SmsGateway, number: str, text: str) -> bytes:
    """Return the body with number and text, escaped for its content type."""
    values = {"to": number, "text": text}

    def fill(match: re.Match[str]) -> str:
        value = values[match[1]]
        if gateway.content_type == FORM_TYPE:
            return quote(value, safe="")
        return json.dumps(value)[1:-1]

    return _PLACEHOLDER.sub(fill, gateway.body).encode()
