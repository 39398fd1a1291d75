"""Authenticated encryption (AES-256-GCM): the only module that chooses nonces."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class InvalidCiphertextError(Exception):
    """The ciphertext, its associated data or the key is not the one used for encryption."""


class RandomNonceCipher:
    """Encrypts any number of messages under a stored key; a random nonce precedes each."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Return the nonce and the ciphertext, bound to the associated data."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, associated_data)

    def decrypt(self, encrypted: bytes, associated_data: bytes) -> bytes:
        """Decrypt the output of `encrypt`. Raises InvalidCiphertextError."""
        nonce, ciphertext = encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:]
        return _decrypt(self._cipher, nonce, ciphertext, associated_data)


class CounterNonceCipher:
    """Encrypts numbered messages under a random key in memory; the number is the nonce."""

    def __init__(self) -> None:
        self._cipher = AESGCM(os.urandom(KEY_BYTES))
        self._next_number = 0

    def encrypt(self, number: int, plaintext: bytes) -> bytes:
        """Encrypt the message of this number. Raises ValueError unless the numbers increase."""
        if number < self._next_number:
            raise ValueError("a number was used before: it would repeat a nonce")
        self._next_number = number + 1
        return self._cipher.encrypt(_build_nonce(number), plaintext, None)

    def decrypt(self, number: int, encrypted: bytes) -> bytes:
        """Decrypt the message of this number. Raises InvalidCiphertextError."""
        return _decrypt(self._cipher, _build_nonce(number), encrypted, None)


def _build_nonce(number: int) -> bytes:
    return number.to_bytes(NONCE_BYTES, "big")


def _decrypt(cipher: AESGCM, nonce: bytes, ciphertext: bytes, associated: bytes | None) -> bytes:
    try:
        return cipher.decrypt(nonce, ciphertext, associated)
    except (InvalidTag, ValueError):
        raise InvalidCiphertextError from None
