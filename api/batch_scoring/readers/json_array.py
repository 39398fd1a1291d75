"""Reads a JSON array of intakes as lines of JSON, one element after another."""

import io
import json
import re
from typing import BinaryIO

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.record_blocks import RECORD_BYTES

MAX_ARRAY_BYTES = 16 * RECORD_BYTES
_BETWEEN = re.compile(r"[\s,]*")
_NEWLINES = str.maketrans("\r\n", "  ")


def open_json_array(stream: BinaryIO, max_bytes: int = MAX_ARRAY_BYTES) -> BinaryIO:
    """Return the elements of an array as lines, as they are written. Raises UnusableInputError.

    The elements are read strictly later; here only their ends are found.
    """
    content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UnusableInputError(
            f"a JSON array must not be longer than {max_bytes:,} bytes; send NDJSON"
        )
    try:
        text = content.decode("utf-8-sig")
        return io.BytesIO("".join(_split_array(text)).encode())
    except (ValueError, RecursionError):
        raise UnusableInputError("the file is not a JSON array of objects in UTF-8") from None


def _split_array(text: str) -> list[str]:
    decoder, lines = json.JSONDecoder(), []
    place = len(text) - len(text.lstrip())
    if not text.startswith("[", place):
        raise ValueError
    place = _skip(text, place + 1)
    while not text.startswith("]", place):
        _, end = decoder.raw_decode(text, place)
        lines.append(text[place:end].translate(_NEWLINES) + "\n")
        place = _skip(text, end)
        if place == end and not text.startswith("]", place):
            raise ValueError
    if text[place + 1 :].strip():
        raise ValueError
    return lines


def _skip(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place
