"""Sent: how a try ended, as every transport tells it, and what is to become of the delivery."""

from typing import Literal, NamedTuple

from api.outbound.errors import OutgoingError

Fate = Literal["delivered", "again", "error", "never"]
"""`again`: nobody answered. `error`: the receiver said no for now. `never`: not like this."""


class Sent(NamedTuple):
    """The outcome by a word, what the receiver said, and the beginning of how it said it."""

    fate: Fate
    outcome: str
    code: str = ""
    reply: bytes = b""
    wait_seconds: float = 0.0


def failed(error: OutgoingError) -> Sent:
    """Nothing was answered: what became of it, nobody knows, so it is sent again as it was."""
    return Sent("again", "silence" if error.why == "too_slow" else error.why)


def by_status(status: int, reply: bytes, headers: dict[str, str]) -> Sent:
    """What an HTTP status means for a delivery."""
    code = str(status)
    if 200 <= status < 300:
        return Sent("delivered", "accepted", code, reply)
    if status >= 500 or status in (401, 403, 404, 408, 409, 425, 429):
        asked = headers.get("retry-after", "")
        wait = float(asked[:6]) if asked.isdigit() else 0.0
        return Sent("error", "error", code, reply, min(wait, 86_400.0))
    return Sent("never", "refused", code, reply)
