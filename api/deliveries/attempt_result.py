"""Results of delivery attempts, as every transport returns them."""

from typing import Literal, NamedTuple

from api.outbound.errors import OutboundError

Disposition = Literal["delivered", "no_response", "transient_failure", "permanent_failure"]
"""Decides whether the delivery is retried: after no response or a transient failure only."""
_TRANSIENT_STATUSES = (401, 403, 404, 408, 409, 425, 429)


class AttemptResult(NamedTuple):
    """The disposition, the outcome's public code, and the receiver's own code and reply."""

    disposition: Disposition
    outcome: str
    receiver_code: str = ""
    reply: bytes = b""
    retry_after_seconds: float = 0.0


def classify_outbound_error(error: OutboundError) -> AttemptResult:
    """Return the result of an attempt without a response: unknown, so the same bytes are resent."""
    return AttemptResult("no_response", error.reason)


def classify_http_status(status: int, reply: bytes, headers: dict[str, str]) -> AttemptResult:
    """Return the result for an HTTP status; a `Retry-After` in seconds is honoured up to a day."""
    code = str(status)
    if 200 <= status < 300:
        return AttemptResult("delivered", "accepted", code, reply)
    if status >= 500 or status in _TRANSIENT_STATUSES:
        retry_after = headers.get("retry-after", "")
        wait = float(retry_after[:6]) if retry_after.isdigit() else 0.0
        return AttemptResult("transient_failure", "error", code, reply, min(wait, 86_400.0))
    return AttemptResult("permanent_failure", "refused", code, reply)
