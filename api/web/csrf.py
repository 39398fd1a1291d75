"""Tokens against forged requests: a page's form proves that it came from a page of ours.

A token is bound to what the visitor holds (a link, a session), so that it is worth nothing to
whoever does not hold it too, and needs no cookie of its own.
"""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from api.problems import Problem
from api.store.key_ring import KeyRing

FIELD = "token"
_PURPOSE = b"forms of pages"
_OURS = ("same-origin", "none")


class Forgery:
    """Makes the tokens of forms, and refuses what did not come from one."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def token(self, bound_to: str) -> str:
        """The token for a form, as hexadecimal digits."""
        return _token(self._ring.derived(_PURPOSE)[0], bound_to)

    def check(self, request: Request, given: str, bound_to: str) -> None:
        """Raise Problem `not_from_here` unless the request comes from a form of ours."""
        if not _from_our_page(request):
            raise Problem("not_from_here")
        if not self.is_ours(given, bound_to):
            raise Problem("not_from_here")

    def is_ours(self, given: str, bound_to: str) -> bool:
        """Whether we made this, bound to that."""
        return True in [
            hmac.compare_digest(_token(key, bound_to).encode(), given.encode())
            for key in self._ring.derived(_PURPOSE)
        ]


def _token(key: bytes, bound_to: str) -> str:
    return hmac.digest(key, bound_to.encode(), "sha256").hex()


def _from_our_page(request: Request) -> bool:
    """What the browser itself says; pages that send no referrer name no origin: `null`."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "null")
    same = origin == "null" or urlsplit(origin).netloc == request.headers.get("host")
    return site in _OURS and same
