"""Issue and verify the CSRF tokens of page forms.

A token is bound to what the visitor holds (a link, a session), so it is worthless without that and
needs no cookie of its own.
"""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from api.auth.services import find_services
from api.problems import Problem
from api.store.key_ring import KeyRing

CSRF_FIELD = "token"
_PURPOSE = b"forms of pages"
_SAME_SITE = ("same-origin", "none")


class CsrfTokens:
    """Issues the tokens of page forms and refuses requests without a valid one."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def issue_token(self, bound_to: str) -> str:
        """Return the token for a form as hexadecimal digits."""
        return _compute_token(self._ring.derive_keys(_PURPOSE)[0], bound_to)

    def check_request(self, request: Request, token: str, bound_to: str) -> None:
        """Raise Problem `csrf_failed` unless the request comes from one of these forms."""
        if not (is_same_origin(request) and self.is_valid(token, bound_to)):
            raise Problem("csrf_failed")

    def is_valid(self, token: str, bound_to: str) -> bool:
        """Return whether the token was issued here for this binding, by any current key."""
        matches = [
            hmac.compare_digest(_compute_token(key, bound_to).encode(), token.encode())
            for key in self._ring.derive_keys(_PURPOSE)
        ]
        return any(matches)


def find_csrf_tokens(request: Request) -> CsrfTokens:
    """Return the token issuer of the application."""
    return CsrfTokens(find_services(request).store.key_ring)


def is_same_origin(request: Request) -> bool:
    """Return whether the request comes from a page of this service, or a typed address.

    It trusts the browser's own headers; pages without a referrer send the origin `null`.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "null")
    same_host = origin == "null" or urlsplit(origin).netloc == request.headers.get("host")
    return site in _SAME_SITE and same_host


def _compute_token(key: bytes, bound_to: str) -> str:
    return hmac.digest(key, bound_to.encode(), "sha256").hex()
