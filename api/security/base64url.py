"""Base64url without padding, accepting only the canonical encoding of a value."""

import base64


def encoded(raw: bytes) -> str:
    """Encode bytes without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """Decode a text. Raises ValueError for padding, whitespace or non-zero trailing bits."""
    raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encoded(raw) != text:
        raise ValueError("expected base64url in its one spelling")
    return raw
