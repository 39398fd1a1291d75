"""Authenticated encryption: what was encrypted can be read, and nothing else."""

import pytest

from api.security.aead import (
    NONCE_BYTES,
    TAG_BYTES,
    CounterNonceCipher,
    InvalidCiphertextError,
    RandomNonceCipher,
)

KEY = bytes(range(32))


def test_a_random_nonce_precedes_each_ciphertext():
    cipher = RandomNonceCipher(KEY)
    first, second = cipher.encrypt(b"text", b"place"), cipher.encrypt(b"text", b"place")
    assert len(first) == NONCE_BYTES + len(b"text") + TAG_BYTES
    assert first[:NONCE_BYTES] != second[:NONCE_BYTES]
    assert cipher.decrypt(first, b"place") == cipher.decrypt(second, b"place") == b"text"


def test_a_ciphertext_is_bound_to_its_associated_data_and_key():
    encrypted = RandomNonceCipher(KEY).encrypt(b"text", b"place")
    for cipher, place in (
        (RandomNonceCipher(KEY), b"elsewhere"),
        (RandomNonceCipher(KEY[::-1]), b"place"),
    ):
        with pytest.raises(InvalidCiphertextError):
            cipher.decrypt(encrypted, place)


def test_a_truncated_ciphertext_is_refused_at_every_length():
    encrypted = RandomNonceCipher(KEY).encrypt(b"text", b"place")
    assert len(encrypted) == 32
    for length in range(32):
        with pytest.raises(InvalidCiphertextError):
            RandomNonceCipher(KEY).decrypt(encrypted[:length], b"place")


def test_equal_messages_of_two_numbers_differ():
    cipher = CounterNonceCipher()
    first, second = cipher.encrypt(0, b"text"), cipher.encrypt(1, b"text")
    assert first != second
    assert (cipher.decrypt(0, first), cipher.decrypt(1, second)) == (b"text", b"text")
    with pytest.raises(InvalidCiphertextError):
        cipher.decrypt(1, first)


@pytest.mark.parametrize("number", [0, 4, 5])
def test_a_number_is_used_once_and_never_after_a_later_one(number):
    cipher = CounterNonceCipher()
    cipher.encrypt(5, b"text")
    with pytest.raises(ValueError, match="nonce"):
        cipher.encrypt(number, b"other text")
    assert cipher.decrypt(6, cipher.encrypt(6, b"text")) == b"text"
