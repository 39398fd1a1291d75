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


NUMBER_LIMITS = "numbers have at most 40 characters and an exponent from -200 to 200"
REFUSALS = [
    (b'"\xff"', "", "not_utf8", "must be UTF-8"),
    (b'{"a":\n1,}', "", "not_json", "is not JSON: line 2, column 3"),
    (b"[" * 25 + b"]" * 25, "/0" * 24, "too_deep", "must not nest deeper than 24"),
    (b"[" * 100_000, "", "too_deep", "must not nest deeper than 24"),
    (b'{"a": [{"b": 1, "b": 1}]}', "/a/0", "duplicate_name", "must not contain a duplicate name"),
    (b'{"a": NaN}', "", "not_finite", "must not contain NaN or infinity"),
    (b"-Infinity", "", "not_finite", "must not contain NaN or infinity"),
    (b"0." + b"1" * 39, "", "number_too_long", NUMBER_LIMITS),
    (b"9" * 18, "", "number_too_long", "whole numbers have at most 17 digits"),
    (b"-" + b"9" * 18, "", "number_too_long", "whole numbers have at most 17 digits"),
    (
        b"[%s]" % b",".join([b"0"] * 5001),
        "",
        "too_many_members",
        "must not have more than 5000 members",
    ),
    (
        b'{"a/b~c": "%s"}' % (b"x" * 10_001),
        "/a~1b~0c",
        "text_too_long",
        "must have at most 10000 characters",
    ),
    (
        b'{"a": {"%s": 1}}' % (b"x" * 10_001),
        "/a",
        "text_too_long",
        "names must have at most 10000 characters",
    ),
    (
        b'{"a/b~c": [{"d": 1, "d": 1}]}',
        "/a~1b~0c/0",
        "duplicate_name",
        "must not contain a duplicate name",
    ),
    (b'"\\u0007"', "", "control_character", "must not contain control characters"),
    (
        b'{"\\u202e": 1}',
        "",
        "bidi_override",
        "names must not contain bidirectional overrides",
    ),
    (
        b'["\\ud800"]',
        "/0",
        "forbidden_character",
        "must not contain surrogates or non-characters",
    ),
]


@pytest.mark.parametrize(("body", "pointer", "code", "detail"), REFUSALS, ids=range(len(REFUSALS)))
@pytest.mark.parametrize("normalise", [True, False])
def test_a_refusal_has_its_place_code_and_detail(body, pointer, code, detail, normalise):
    with pytest.raises(StrictJsonError) as caught:
        decode_json(body, normalise=normalise)
    error = caught.value
    assert (error.pointer, error.code, error.detail, str(error)) == (pointer, code, detail, detail)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 24 + b"]" * 24,
        b"[%s]" % b",".join([b"0"] * 5000),
        b"0." + b"1" * 38,
        b"-" + b"9" * 17,
        b'"%s"' % (b"x" * 10_000),
        b'{"%s": 1}' % (b"x" * 10_000),
    ],
    ids=range(6),
)
def test_what_is_on_the_line_is_read(body):
    assert decode_json(body, normalise=False) == json.loads(body, parse_float=Decimal)


@pytest.mark.parametrize(("most", "is_read"), [(5, True), (4, False)])
def test_the_members_of_all_objects_and_lists_are_counted(most, is_read):
    body = b'[[1, 2], {"a": 3}]'
    if is_read:
        assert decode_json(body, most) == [[1, 2], {"a": 3}]
    else:
        with pytest.raises(StrictJsonError, match="more than 4 members"):
            decode_json(body, most)


def test_a_number_is_a_whole_one_below_ten_to_the_seventeenth():
    below = decode_json(b"99999999999999999.0")
    assert (below, type(below)) == (10**17 - 1, int)
    line = decode_json(b"1e17")
    assert (line, type(line)) == (10**17, Decimal)


@pytest.mark.parametrize("number", ["3.0", "3e0", "30e-1"])
def test_a_whole_number_is_read_as_one_unless_its_form_counts(number):
    assert type(decode_json(number.encode())) is int
    assert type(decode_json(number.encode(), normalise=False)) is Decimal
