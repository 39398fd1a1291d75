"""Values that only this service can read, kept in the browser for some minutes."""

import json
import time
from typing import Any

from api.security.aead import InvalidCiphertextError, RandomNonceCipher
from api.security.base64url import decode_base64url, encode_base64url
from api.store.key_ring import KeyRing


def seal_value(ring: KeyRing, purpose: bytes, value: Any, seconds: int) -> str:
    """Return a JSON value, encrypted for this purpose and valid for these seconds."""
    content = json.dumps([int(time.time()) + seconds, value]).encode()
    cipher = RandomNonceCipher(ring.derive_keys(purpose)[0])
    return encode_base64url(cipher.encrypt(content, purpose))


def unseal_value(ring: KeyRing, purpose: bytes, text: str) -> Any:
    """Return the value; None if the text was not sealed for this purpose or is too old."""
    try:
        encrypted = decode_base64url(text)
    except ValueError:
        return None
    for key in ring.derive_keys(purpose):
        try:
            content = RandomNonceCipher(key).decrypt(encrypted, purpose)
        except InvalidCiphertextError:
            continue
        expires_at, value = json.loads(content)
        return value if expires_at > time.time() else None
    return None
