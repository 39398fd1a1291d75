"""Errors of outbound connections.

OutgoingError    there was no acceptable response; `why` is one of a closed set of reasons
"""

from typing import Literal

OutboundFailure = Literal[
    "not_allowed",
    "unresolvable",
    "unreachable",
    "no_tls",
    "too_slow",
    "cut_off",
    "too_large",
    "redirected",
    "unreadable",
]


class OutboundError(Exception):
    """An outbound connection failed. The message contains no address."""

    def __init__(self, reason: OutboundFailure) -> None:
        super().__init__(reason)
        self.reason: OutboundFailure = reason
