"""Base64url without padding, where every value has one spelling only."""

import base64


def encoded(raw: bytes) -> str:
    """The one spelling of these bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """The bytes. ValueError for any other spelling of them: padding, spaces, spare bits."""
    raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encoded(raw) != text:
        raise ValueError("expected base64url in its one spelling")
    return raw
