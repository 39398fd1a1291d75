"""Errors of outbound connections.

OutboundError    there was no acceptable response; `reason` is one of a closed set
"""

from typing import Literal

OutboundFailure = Literal[
    "not_allowed",
    "unresolvable",
    "unreachable",
    "tls_failed",
    "timeout",
    "connection_lost",
    "too_large",
    "redirected",
    "unreadable",
]


class OutboundError(Exception):
    """An outbound connection failed. The message contains no address."""

    def __init__(self, reason: OutboundFailure) -> None:
        super().__init__(reason)
        self.reason: OutboundFailure = reason
