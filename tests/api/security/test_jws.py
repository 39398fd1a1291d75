"""The compact form: what is opened, and the limits on both sides of the line."""

import json
from decimal import Decimal

import pytest
from support.faults.forged_tokens import as_part

from api.security.jws import MAX_BRACKETS, MAX_TOKEN_CHARACTERS, decode_unverified


def text_of(header: object, claims: object = None) -> str:
    return f"{as_part(header)}.{as_part(claims or {})}.AAAA"


def test_header_and_claims_are_returned_unchanged():
    assert decode_unverified(text_of({"alg": "x"}, {"a": [1, 2.5, "\u00e9"]})) == (
        {"alg": "x"},
        {"a": [1, 2.5, "\u00e9"]},
    )


@pytest.mark.parametrize(
    ("lists", "is_accepted"), [(MAX_BRACKETS - 1, True), (MAX_BRACKETS, False)]
)
def test_lists_and_objects_are_limited(lists, is_accepted):
    claims = '{"a":[' + ",".join(["[]"] * (lists - 1)) + "]}"
    if is_accepted:
        assert decode_unverified(text_of({}, claims)).claims
    else:
        with pytest.raises(ValueError, match="lists and objects"):
            decode_unverified(text_of({}, claims))


@pytest.mark.parametrize(("digits", "is_accepted"), [(17, True), (18, False)])
def test_numbers_are_limited(digits, is_accepted):
    claims = json.dumps({"a": -int("9" * digits)})
    if is_accepted:
        assert decode_unverified(text_of({}, claims)).claims
    else:
        with pytest.raises(ValueError, match="17 digits"):
            decode_unverified(text_of({}, claims))


@pytest.mark.parametrize(("header_bytes", "characters"), [(618, 8192), (620, 8195)])
def test_a_token_of_8192_characters_is_opened_and_no_longer_one(header_bytes, characters):
    header, claims = ({"a": "b" * (octets - 9)} for octets in (header_bytes, 4500))
    text = f"{as_part(header)}.{as_part(claims)}.{'A' * 1366}"
    assert len(text) == characters
    if characters <= MAX_TOKEN_CHARACTERS:
        assert decode_unverified(text) == (header, claims)
    else:
        with pytest.raises(ValueError, match="three parts"):
            decode_unverified(text)


def test_length_is_limited_before_anything_is_decoded():
    with pytest.raises(ValueError, match="three parts"):
        decode_unverified(
            "A" * 1_190 + "." + "A" * 5_990 + "." + "A" * (MAX_TOKEN_CHARACTERS - 7_180)
        )
    with pytest.raises(ValueError, match="three parts"):
        decode_unverified(text_of({"a": "b" * 900}))
    with pytest.raises(ValueError, match="three parts"):
        decode_unverified(text_of({}, {"a": "b" * 4_500}))


def test_a_number_with_a_point_does_not_become_a_whole_one():
    claims = decode_unverified(text_of({}, '{"exp": 60.0}')).claims
    assert isinstance(claims["exp"], Decimal)


@pytest.mark.parametrize("part", ["[]", "1", "null", '"a"'])
def test_a_part_that_is_no_object_is_refused(part):
    with pytest.raises(ValueError, match=r"^expected an object$"):
        decode_unverified(text_of({}, part))
