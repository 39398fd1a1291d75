"""Errors of outbound connections.

OutgoingError    there was no acceptable response; `why` is one of a closed set of reasons
"""

from typing import Literal

Why = Literal[
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


class OutgoingError(Exception):
    """An outbound connection failed. The message contains no address."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why
