"""Strict JSON: bytes in, a value out that could only be read in one way; all else refused by name.

Refused: what is not UTF-8, a byte order mark, NaN and infinities, numbers of over 40 characters or
with an exponent of over 200, whole numbers of over 17 digits, a member named twice, nesting deeper
than 24, more than 5000 members or what the route says, a text of over 10,000 characters, and in
texts and names: control characters (tab, newline and carriage return are read), bidirectional
overrides, lone surrogates and non-characters.
Zero-width and combining characters are legitimate in names of people and are read. A refusal names
the place and never the value.
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn

from api.problems import FieldError, Problem

DEPTH = 24
MEMBERS = 5000
NUMBER_CHARACTERS = 40
WHOLE_DIGITS = 17
EXPONENT = 200  # so that a number is neither endless nor nothing, however it is reckoned with
TEXT_CHARACTERS = 10_000
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_OVERRIDE = "\u202a-\u202e\u2066-\u2069"
_NONE = "\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_FORBIDDEN = re.compile(f"[{_CONTROL}{_OVERRIDE}{_NONE}]")
_ESCAPES = re.compile(r"\\[ubf]")  # those that can spell what is forbidden


def parse(body: bytes, members: int = MEMBERS) -> Any:
    """The JSON value in the body. A number is exact: whole (3, 3.0, 3e0) or a decimal.

    Raises Problem `malformed_json`.
    """
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        _refuse("", "not_utf8", "must be UTF-8")
    except json.JSONDecodeError as error:
        _refuse("", "not_json", f"is not JSON: line {error.lineno}, column {error.colno}")
    except RecursionError:
        _refuse("", "too_deep", f"must not nest deeper than {DEPTH}")
    _check_shape(value, members)
    if len(text) > TEXT_CHARACTERS or _may_hold_forbidden(text):
        _check_texts("", value)
    return value


def _may_hold_forbidden(text: str) -> bool:
    """Whether something forbidden is in it, or could be spelled by an escape in it."""
    return _is_forbidden(text) or ("\\" in text and _ESCAPES.search(text) is not None)


def _is_forbidden(text: str) -> bool:
    """Whether a forbidden character is in it; no printable one is."""
    spaced = text.replace("\n", " ").replace("\t", " ").replace("\r", " ")
    return not spaced.isprintable() and _FORBIDDEN.search(text) is not None


class _Doubled(dict[str, Any]):
    """An object in which a name occurs twice; refused once its place is known."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Doubled(members)


def _constant(_: str) -> NoReturn:
    _refuse("", "not_finite", "must not hold NaN or an infinity")


def _fraction(text: str) -> Decimal | int:
    if len(text) > NUMBER_CHARACTERS or abs(_exponent(text)) > EXPONENT:
        _refuse(
            "",
            "number_too_long",
            f"numbers have at most {NUMBER_CHARACTERS} characters "
            f"and an exponent from -{EXPONENT} to {EXPONENT}",
        )
    number = Decimal(text)
    whole = abs(number) < 10**WHOLE_DIGITS and number == int(number)
    return int(number) if whole else number


def _exponent(text: str) -> int:
    return int(text.lower().partition("e")[2] or 0)


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > WHOLE_DIGITS:
        _refuse("", "number_too_long", f"whole numbers have at most {WHOLE_DIGITS} digits")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_float=_fraction, parse_int=_whole
)


def _check_shape(value: Any, most: int) -> None:
    """Refuse what nests too deeply, holds too much, or names a member twice."""
    open_values: list[tuple[str, int, Any]] = [("", 1, value)]
    members = 0
    while open_values:
        place, depth, each = open_values.pop()
        if not isinstance(each, dict | list):
            continue
        if depth > DEPTH:
            _refuse(place, "too_deep", f"must not nest deeper than {DEPTH}")
        if isinstance(each, _Doubled):
            _refuse(place, "doubled_name", "must not hold a name twice")
        members += len(each)
        if members > most:
            _refuse("", "too_many_members", f"must not hold more than {most} members")
        open_values.extend(
            (f"{place}/{_step(name)}", depth + 1, part)
            for name, part in _parts(each)
            if isinstance(part, dict | list)
        )


def _check_texts(place: str, value: Any) -> None:
    """Refuse a text or a name that is too long or holds a character that no text may hold."""
    if isinstance(value, str):
        _check_text(place, value, "")
    elif isinstance(value, dict | list):
        for name, part in _parts(value):
            if isinstance(name, str):
                _check_text(place, name, "names ")
            if isinstance(part, str):
                if len(part) > TEXT_CHARACTERS or not part.isprintable():
                    _check_text(f"{place}/{_step(name)}", part, "")
            elif isinstance(part, dict | list):
                _check_texts(f"{place}/{_step(name)}", part)


def _check_text(place: str, text: str, what: str) -> None:
    if len(text) > TEXT_CHARACTERS:
        _refuse(place, "text_too_long", f"{what}must have at most {TEXT_CHARACTERS} characters")
    if not text.isprintable() and (found := _FORBIDDEN.search(text)):
        code, kind = _named(found[0])
        _refuse(place, code, f"{what}must not hold {kind}")


def _named(character: str) -> tuple[str, str]:
    """What a forbidden character is refused as."""
    if re.fullmatch(f"[{_CONTROL}]", character):
        return "control_character", "control characters"
    if re.fullmatch(f"[{_OVERRIDE}]", character):
        return "bidi_override", "bidirectional overrides"
    return "forbidden_character", "surrogates or non-characters"


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _step(name: str | int) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _refuse(place: str, code: str, detail: str) -> NoReturn:
    raise Problem("malformed_json", errors=[FieldError(pointer=place, code=code, detail=detail)])
