"""Encodes messages in the receiver's character set, and finds the fields it would refuse."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from api.hl7v2.character_sets import CODECS
from schemas.organisations.delivery import DestinationMisfit
from schemas.organisations.profile import V2Options

_OBX_VALUE_LIMITS = {"ST": 199, "TX": 65_536, "NM": 16, "CE": 250, "SN": 36}
_FIELD_LIMITS: Mapping[tuple[str, int], int] = {
    ("MSH", 10): 20,
    ("PID", 3): 250,
    ("PID", 5): 250,
    ("PV1", 19): 250,
    ("ORC", 3): 22,
    ("ORC", 28): 250,
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
"""Maximum characters per field in version 2.5.1, for the fields we fill."""
_CODED_FIELDS = {("OBR", 4), ("OBX", 3)}
_MAX_CODE_CHARACTERS = 20
_ASCII_SUBSTITUTES = str.maketrans(
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


class EncodedMessage(NamedTuple):
    """An encoded message, and the reasons why a receiver would refuse it."""

    content: bytes
    misfits: tuple[DestinationMisfit, ...]


def encode_message(message: str, options: V2Options) -> EncodedMessage:
    """Encode the message. Typographic characters may be simplified, such as dashes and quotes.

    Any other character that the character set lacks is reported as a misfit.
    """
    codec = CODECS[options.character_set]
    if codec != "utf-8":
        message = "".join(_substitute(character, codec) for character in message)
    misfits = [*_find_overlong_fields(message, options), *_find_unencodable_fields(message, codec)]
    return EncodedMessage(message.encode(codec, "replace"), tuple(misfits))


def _substitute(character: str, codec: str) -> str:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return character.translate(_ASCII_SUBSTITUTES)
    return character


def _find_overlong_fields(message: str, options: V2Options) -> Iterator[DestinationMisfit]:
    for place, field in _list_fields(message):
        segment, number = place
        limit = _FIELD_LIMITS.get(place, options.most_field_characters)
        if place == ("OBX", 5):
            limit = _OBX_VALUE_LIMITS.get(field.value_type, options.most_field_characters)
        limit = min(limit, options.most_field_characters)
        if len(field.value) > limit:
            yield _build_overlong_misfit(f"{segment}-{number}", limit)
        if place in _CODED_FIELDS and len(field.value.partition("^")[0]) > _MAX_CODE_CHARACTERS:
            yield _build_overlong_misfit(f"{segment}-{number}.1", _MAX_CODE_CHARACTERS)


def _build_overlong_misfit(place: str, limit: int) -> DestinationMisfit:
    detail = f"may have at most {limit} characters"
    return DestinationMisfit(code="too_long", place=place, detail=detail)


def _find_unencodable_fields(message: str, codec: str) -> Iterator[DestinationMisfit]:
    for (segment, number), field in _list_fields(message):
        try:
            field.value.encode(codec)
        except UnicodeEncodeError:
            yield DestinationMisfit(
                code="unencodable_character",
                place=f"{segment}-{number}",
                detail="contains a character that the receiver's character set can't encode",
            )


class _Field(NamedTuple):
    value_type: str
    value: str


def _list_fields(message: str) -> Iterator[tuple[tuple[str, int], _Field]]:
    for line in message.rstrip("\r").split("\r"):
        segment, *fields = line.split("|")
        first_number = 2 if segment == "MSH" else 1
        value_type = fields[1] if segment == "OBX" and len(fields) > 1 else ""
        for number, value in enumerate(fields, start=first_number):
            yield (segment, number), _Field(value_type, value)
