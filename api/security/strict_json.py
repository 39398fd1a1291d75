"""A strict JSON decoder that rejects every ambiguous or oversized document.

Rejected: bytes that are not UTF-8, a byte order mark, NaN and infinities, numbers of over 40
characters or with an exponent of over 200, whole numbers of over 17 digits, duplicate names,
nesting deeper than 24, more than 5000 members or the route's own limit, strings of over 10,000
characters, and in strings and names what `schemas.text` forbids. An error names the place and never
the value.
"""

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NoReturn

from schemas.text import CONTROL, FORBIDDEN, OVERRIDE

MAX_DEPTH = 24
MAX_MEMBERS = 5000
MAX_NUMBER_CHARACTERS = 40
MAX_WHOLE_DIGITS = 17
MAX_EXPONENT = 200  # keeps later arithmetic from overflowing or underflowing
MAX_TEXT_CHARACTERS = 10_000
_ESCAPES = re.compile(r"\\[ubf]")  # the escapes that can encode a forbidden character


class StrictJsonError(ValueError):
    """The text is not strict JSON: the place as a JSON Pointer, the rule and what was expected."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.code = code
        self.detail = detail


def decode_json(body: bytes, max_members: int = MAX_MEMBERS, *, normalise: bool = True) -> Any:
    """Return the JSON value of the body. Numbers are exact: int (3, 3.0, 3e0) or Decimal.

    Without `normalise`, 3.0 and 3e0 stay Decimals. Raises StrictJsonError.
    """
    try:
        text = body.decode("utf-8")
        value = (_DECODER if normalise else _LITERAL_DECODER).decode(text)
    except UnicodeDecodeError:
        _reject("", "not_utf8", "must be UTF-8")
    except json.JSONDecodeError as error:
        _reject("", "not_json", f"is not JSON: line {error.lineno}, column {error.colno}")
    except RecursionError:
        _reject("", "too_deep", f"must not nest deeper than {MAX_DEPTH}")
    _check_shape(value, max_members)
    if len(text) > MAX_TEXT_CHARACTERS or _may_contain_forbidden(text):
        _check_strings("", value)
    return value


def _may_contain_forbidden(text: str) -> bool:
    """Return whether a forbidden character, which is never printable, is in the text or escaped."""
    spaced = text.replace("\n", " ").replace("\t", " ").replace("\r", " ")
    is_present = not spaced.isprintable() and FORBIDDEN.search(text) is not None
    return is_present or ("\\" in text and _ESCAPES.search(text) is not None)


class _DuplicateNames(dict[str, Any]):
    """An object with a duplicate name; rejected once its place is known."""


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _DuplicateNames(members)


def _reject_constant(_: str) -> NoReturn:
    _reject("", "not_finite", "must not contain NaN or infinity")


def _parse_normalised(text: str) -> Decimal | int:
    number = _parse_decimal(text)
    is_whole = abs(number) < 10**MAX_WHOLE_DIGITS and number == int(number)
    return int(number) if is_whole else number


def _parse_decimal(text: str) -> Decimal:
    exponent = text.lower().partition("e")[2] or "0"
    if len(text) > MAX_NUMBER_CHARACTERS or abs(int(exponent)) > MAX_EXPONENT:
        _reject(
            "",
            "number_too_long",
            f"numbers have at most {MAX_NUMBER_CHARACTERS} characters "
            f"and an exponent from -{MAX_EXPONENT} to {MAX_EXPONENT}",
        )
    return Decimal(text)


def _parse_whole(text: str) -> int:
    if len(text.lstrip("-")) > MAX_WHOLE_DIGITS:
        _reject("", "number_too_long", f"whole numbers have at most {MAX_WHOLE_DIGITS} digits")
    return int(text)


def _build_decoder(parse_float: Callable[[str], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_build_object,
        parse_constant=_reject_constant,
        parse_float=parse_float,
        parse_int=_parse_whole,
    )


_DECODER = _build_decoder(_parse_normalised)
_LITERAL_DECODER = _build_decoder(_parse_decimal)


def _check_shape(value: Any, max_members: int) -> None:
    open_values: list[tuple[str, int, Any]] = [("", 1, value)]
    members = 0
    while open_values:
        place, depth, container = open_values.pop()
        if not isinstance(container, dict | list):
            continue
        if depth > MAX_DEPTH:
            _reject(place, "too_deep", f"must not nest deeper than {MAX_DEPTH}")
        if isinstance(container, _DuplicateNames):
            _reject(place, "duplicate_name", "must not contain a duplicate name")
        members += len(container)
        if members > max_members:
            _reject("", "too_many_members", f"must not have more than {max_members} members")
        open_values.extend(
            (f"{place}/{_escape_step(name)}", depth + 1, part)
            for name, part in _iterate_parts(container)
            if isinstance(part, dict | list)
        )


def _check_strings(place: str, value: Any) -> None:
    if isinstance(value, str):
        _check_string(place, value, "")
    elif isinstance(value, dict | list):
        for name, part in _iterate_parts(value):
            if isinstance(name, str):
                _check_string(place, name, "names ")
            if isinstance(part, str):
                if len(part) > MAX_TEXT_CHARACTERS or not part.isprintable():
                    _check_string(f"{place}/{_escape_step(name)}", part, "")
            elif isinstance(part, dict | list):
                _check_strings(f"{place}/{_escape_step(name)}", part)


def _check_string(place: str, text: str, subject: str) -> None:
    if len(text) > MAX_TEXT_CHARACTERS:
        _reject(
            place, "text_too_long", f"{subject}must have at most {MAX_TEXT_CHARACTERS} characters"
        )
    if not text.isprintable() and (forbidden := FORBIDDEN.search(text)):
        code, kind = _classify_forbidden(forbidden[0])
        _reject(place, code, f"{subject}must not contain {kind}")


def _classify_forbidden(character: str) -> tuple[str, str]:
    if re.fullmatch(f"[{CONTROL}]", character):
        return "control_character", "control characters"
    if re.fullmatch(f"[{OVERRIDE}]", character):
        return "bidi_override", "bidirectional overrides"
    return "forbidden_character", "surrogates or non-characters"


def _iterate_parts(value: dict[str, Any] | list[Any]) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _escape_step(name: str | int) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _reject(place: str, code: str, detail: str) -> NoReturn:
    raise StrictJsonError(place, code, detail)
