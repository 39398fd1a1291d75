"""Outgoing connections: the one way out, to places that were allowed and nowhere else.

OutgoingError    nothing was answered, or nothing that is taken; `why` is one of a closed set
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
    """A connection failed in one of a few ways. Its text holds no address of anybody."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why
