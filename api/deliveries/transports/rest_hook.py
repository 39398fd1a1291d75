"""Sends notifications of FHIR Subscriptions by rest-hook, with the headers of the subscriber."""

from collections.abc import Iterable

from api.deliveries.attempt_result import (
    AttemptResult,
    classify_http_status,
    classify_outbound_error,
)
from api.fhir.elements import FHIR_JSON
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import OutboundRequest, send_request


def send_over_rest_hook(
    content: bytes, address: str, headers: Iterable[str], policy: ConnectionPolicy
) -> AttemptResult:
    """Send a notification and return the result; `headers` are written as `Name: value`."""
    pairs = [header.partition(":")[::2] for header in headers]
    own_headers = {name.strip(): value.strip() for name, value in pairs}
    own_headers["Content-Type"] = FHIR_JSON
    request = OutboundRequest("POST", address, own_headers, content)
    try:
        response = send_request(request, policy)
    except OutboundError as error:
        return classify_outbound_error(error)
    return classify_http_status(response.status, response.content, dict(response.headers))
