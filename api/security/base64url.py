"""Base64url without padding, accepting only the canonical encoding of a value."""

import base64


def encode_base64url(raw: bytes) -> str:
    """Encode bytes without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """Decode a text. Raises ValueError for padding, whitespace or non-zero trailing bits."""
    raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encode_base64url(raw) != text:
        raise ValueError("expected base64url in its one spelling")
    return raw
