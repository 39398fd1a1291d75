"""Fitting: a message to the bytes that a receiver reads, and every reason why it would not fit."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from api.hl7v2.parser import CODECS
from schemas.profile import V2Options

_TYPED = {"ST": 199, "TX": 65_536, "NM": 16, "CE": 250, "SN": 36}
_LIMITS: Mapping[tuple[str, int], int] = {
    ("MSH", 10): 20,
    ("PID", 3): 250,
    ("PID", 5): 250,
    ("PV1", 19): 250,
    ("ORC", 3): 22,
    ("OBR", 3): 22,
    ("OBR", 4): 250,
    ("OBR", 16): 250,
    ("OBX", 3): 250,
    ("OBX", 4): 20,
    ("OBX", 6): 250,
    ("OBX", 7): 60,
    ("TXA", 5): 250,
    ("TXA", 12): 30,
    ("TXA", 13): 30,
    ("TXA", 15): 30,
    ("TXA", 16): 30,
}
"""How many characters a field of version 2.5.1 holds, for the fields that are filled here."""
_CODED = {("OBR", 4), ("OBX", 3)}
_CODE = 20
_PLAIN = str.maketrans(
    {
        "\u2013": "-",
        "\u2014": "-",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2026": "...",
        "\u2264": "<=",
        "\u2265": ">=",
        "\u00d7": "x",
        "\u2212": "-",
        "\u00a0": " ",
        "\u202f": " ",
    }
)


class Misfit(NamedTuple):
    """One reason why a receiver would not take it: where, and what was expected."""

    code: str
    place: str
    detail: str


class Fitted(NamedTuple):
    """The bytes, and why they would be refused."""

    content: bytes
    misfits: tuple[Misfit, ...]


def fitted(message: str, options: V2Options) -> Fitted:
    """The message in the receiver's characters. Dashes and quotes may become plainer, nothing else.

    A character that the set has not is a misfit, never a question mark.
    """
    codec = CODECS[options.character_set]
    if codec != "utf-8":
        message = "".join(_plainer(each, codec) for each in message)
    misfits = [*_too_long(message, options), *_foreign(message, codec)]
    return Fitted(message.encode(codec, "replace"), tuple(misfits))


def _plainer(character: str, codec: str) -> str:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return character.translate(_PLAIN)
    return character


def _too_long(message: str, options: V2Options) -> Iterator[Misfit]:
    for place, text in _fields(message):
        name, number = place
        limit = _LIMITS.get(place, options.most_field_characters)
        if place == ("OBX", 5):
            limit = _TYPED.get(text.kind, options.most_field_characters)
        limit = min(limit, options.most_field_characters)
        if len(text.value) > limit:
            yield Misfit("too_long", f"{name}-{number}", f"holds at most {limit} characters")
        if place in _CODED and len(text.value.partition("^")[0]) > _CODE:
            yield Misfit("too_long", f"{name}-{number}.1", f"holds at most {_CODE} characters")


def _foreign(message: str, codec: str) -> Iterator[Misfit]:
    for (name, number), text in _fields(message):
        try:
            text.value.encode(codec)
        except UnicodeEncodeError:
            detail = "holds a character that the receiver's character set has not"
            yield Misfit("foreign_character", f"{name}-{number}", detail)


class _Text(NamedTuple):
    kind: str
    value: str


def _fields(message: str) -> Iterator[tuple[tuple[str, int], _Text]]:
    for line in message.rstrip("\r").split("\r"):
        name, *fields = line.split("|")
        first = 2 if name == "MSH" else 1
        kind = fields[1] if name == "OBX" and len(fields) > 1 else ""
        for number, value in enumerate(fields, start=first):
            yield (name, number), _Text(kind, value)
