"""Strict JSON: what no text may hold is refused by name; what names of people hold is read."""

import json
from decimal import Decimal

import pytest

from api.security.strict_json import MAX_TEXT_CHARACTERS, StrictJsonError, decode_json


def find_refusal(body: bytes) -> tuple[str, str]:
    with pytest.raises(StrictJsonError) as caught:
        decode_json(body)
    return caught.value.pointer, caught.value.code


def spelled(text: str) -> list[bytes]:
    """The text in a body, as it is and by escapes."""
    return [json.dumps({"note": text}, ensure_ascii=plain).encode() for plain in (True, False)]


@pytest.mark.parametrize("character", [*range(9), 0xB, 0xC, *range(0xE, 0x20), 0x7F, 0x85, 0x9F])
def test_a_control_character_is_refused_by_name(character):
    body = f'{{"note": "a\\u{character:04x}"}}'.encode()
    assert find_refusal(body) == ("/note", "control_character")


@pytest.mark.parametrize("escape", ["\\b", "\\f"])
def test_a_control_character_is_refused_where_an_escape_of_its_own_spells_it(escape):
    assert find_refusal(f'{{"note": "{escape}"}}'.encode()) == ("/note", "control_character")


@pytest.mark.parametrize("body", spelled("a\x7fb") + spelled("a\x9fb"))
def test_a_control_character_is_refused_however_it_is_sent(body):
    assert find_refusal(body) == ("/note", "control_character")


@pytest.mark.parametrize("character", [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_a_bidirectional_override_is_refused_by_name(character):
    refusals = [find_refusal(body) for body in spelled(f"a{chr(character)}b")]
    assert refusals == [("/note", "bidi_override")] * 2


@pytest.mark.parametrize("character", ["\ufdd0", "\ufdef", "\ufffe", "\U0001ffff", "\U0010fffe"])
def test_a_non_character_is_refused_in_every_plane(character):
    refusals = [find_refusal(body) for body in spelled(character)]
    assert refusals == [("/note", "forbidden_character")] * 2


@pytest.mark.parametrize(
    "text",
    [
        "tab\tnew line\nreturn\r",
        "zero\u200bwidth\u200d joiner\u200c",
        "e\u0301 combining",
        "\u202f\u2029\u2028\u2065\u206a",
        "\u05e9\u05dc\u05d5\u05dd \u200f",
        "\U0001f642",
        "\\ud83d\\ude42 as text",
        'quote " and \\ and / and \\b',
    ],
)
def test_what_people_write_is_read(text):
    assert [decode_json(body) for body in spelled(text)] == [{"note": text}] * 2


def test_a_text_of_10_000_characters_is_read_and_one_of_10_001_is_refused():
    longest = "\u00e9" * MAX_TEXT_CHARACTERS
    for body in spelled(longest):
        assert decode_json(body) == {"note": longest}
    for body in spelled(longest + "e"):
        assert find_refusal(body) == ("/note", "text_too_long")
    assert find_refusal(json.dumps([1, ['"' * 10_001]]).encode()) == ("/1/0", "text_too_long")
    assert find_refusal(json.dumps("x" * 10_001).encode()) == ("", "text_too_long")


def test_a_name_is_held_to_the_same():
    assert find_refusal(b'{"a": {"%s": 1}}' % (b"x" * 10_001)) == ("/a", "text_too_long")
    assert find_refusal(b'{"a": [{"\\u202e": 1}]}') == ("/a/0", "bidi_override")


def test_the_place_is_reported_inside_lists_too():
    assert find_refusal(b'{"a": ["b", {"c": "\\u0001"}]}') == ("/a/1/c", "control_character")


def test_spaces_around_are_no_control_characters():
    assert decode_json(b'\r\n\t{\n\t"a": 1\r\n}\n') == {"a": 1}


@pytest.mark.parametrize(
    "number",
    ["1e-99999999999999999999", "0e99999999999999999999", "-1E+201", "1.5e-201", "0E-0000000300"],
)
def test_a_number_of_an_endless_exponent_is_refused(number):
    assert find_refusal(f'{{"age_years": {number}}}'.encode()) == ("", "number_too_long")


@pytest.mark.parametrize("number", ["1e200", "1E-200", "0e0", "9" * 35 + "e200", "1e+0000000002"])
def test_a_number_on_the_line_is_read(number):
    assert decode_json(number.encode()) == Decimal(number)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"a": [{"b": 1, "b": 1}]}', ("/a/0", "duplicate_name")),
        (b'{"a": NaN}', ("", "not_finite")),
        (b"-Infinity", ("", "not_finite")),
        (b"9" * 18, ("", "number_too_long")),
        (b"-" + b"9" * 18, ("", "number_too_long")),
    ],
)
@pytest.mark.parametrize("normalise", [True, False])
def test_an_ambiguous_object_or_number_is_refused_by_both_decoders(body, refusal, normalise):
    with pytest.raises(StrictJsonError) as caught:
        decode_json(body, normalise=normalise)
    assert (caught.value.pointer, caught.value.code) == refusal


def test_a_number_is_a_whole_one_below_ten_to_the_seventeenth():
    below = decode_json(b"99999999999999999.0")
    assert (below, type(below)) == (10**17 - 1, int)
    line = decode_json(b"1e17")
    assert (line, type(line)) == (10**17, Decimal)


@pytest.mark.parametrize("number", ["3.0", "3e0", "30e-1"])
def test_a_whole_number_is_read_as_one_unless_its_form_counts(number):
    assert type(decode_json(number.encode())) is int
    assert type(decode_json(number.encode(), normalise=False)) is Decimal
