"""Errors of outbound connections.

OutboundError     there was no acceptable response; `reason` is one of a closed set
MailRefusedError  the mail server refused the message or the login
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


class MailRefusedError(Exception):
    """A mail server refused a message or, if `is_login`, the login. The message is its code."""

    def __init__(self, code: int, *, is_login: bool = False) -> None:
        super().__init__(str(code))
        self.code = code
        self.is_login = is_login
