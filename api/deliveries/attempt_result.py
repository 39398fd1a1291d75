"""Results of delivery attempts, as every transport returns them."""

from typing import Literal, NamedTuple

from api.outbound.errors import OutgoingError

Fate = Literal["delivered", "no_response", "transient_failure", "permanent_failure"]
"""Decides whether the delivery is retried: after no response or a transient failure only."""
_TRANSIENT_STATUSES = (401, 403, 404, 408, 409, 425, 429)


class Sent(NamedTuple):
    """The disposition, the outcome's public code, and the receiver's own code and reply."""

    fate: Fate
    outcome: str
    code: str = ""
    reply: bytes = b""
    wait_seconds: float = 0.0


def failed(error: OutgoingError) -> Sent:
    """Return the result of an attempt without a response: unknown, so the same bytes are resent."""
    return Sent("no_response", "silence" if error.why == "too_slow" else error.why)


def by_status(status: int, reply: bytes, headers: dict[str, str]) -> Sent:
    """Return the result for an HTTP status; a `Retry-After` in seconds is honoured up to a day."""
    code = str(status)
    if 200 <= status < 300:
        return Sent("delivered", "accepted", code, reply)
    if status >= 500 or status in _TRANSIENT_STATUSES:
        retry_after = headers.get("retry-after", "")
        wait = float(retry_after[:6]) if retry_after.isdigit() else 0.0
        return Sent("transient_failure", "error", code, reply, min(wait, 86_400.0))
    return Sent("permanent_failure", "refused", code, reply)
