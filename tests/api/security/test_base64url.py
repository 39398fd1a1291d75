"""Base64url: one spelling of every value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.security.base64url import decode_base64url, encode_base64url


@given(st.binary(max_size=100))
def test_what_is_encoded_is_decoded(raw):
    assert decode_base64url(encode_base64url(raw)) == raw


@pytest.mark.parametrize("text", ["AAAX", "XXXX", "AAA", "AAE", "AA", "-_-_", ""])
def test_every_canonical_text_is_the_spelling_of_its_bytes(text):
    assert encode_base64url(decode_base64url(text)) == text


@given(st.text(st.characters(codec=None), max_size=20))
def test_any_other_text_is_its_own_only_spelling_or_refused(text):
    try:
        raw = decode_base64url(text)
    except ValueError:
        return
    assert encode_base64url(raw) == text


@pytest.mark.parametrize("text", ["AB", "AAB", "AA==", "A", "A A", "AA\n", "+/AA", "\u0410AAA"])
def test_another_spelling_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        decode_base64url(text)
