"""The content of a chunk: the rows as sent, in encoded parts, packed into one byte string."""

import json
import struct
from collections.abc import Iterable
from typing import NamedTuple

_LENGTH = struct.Struct("!Q")


class ChunkContent(NamedTuple):
    """The rows of a chunk as sent, in encoded parts, with the distinct patient references."""

    references: tuple[str, ...]
    parts: tuple[bytes, ...]

    def pack(self) -> bytes:
        """Encode as one length-prefixed byte string."""
        references = json.dumps(self.references).encode()
        return b"".join(_LENGTH.pack(len(part)) + part for part in (references, *self.parts))


def unpack_content(content: bytes) -> ChunkContent:
    """Decode the output of `pack`."""
    references, *parts = _split_parts(content)
    return ChunkContent(tuple(json.loads(references)), tuple(parts))


def _split_parts(content: bytes) -> Iterable[bytes]:
    offset = 0
    while offset < len(content):
        (length,) = _LENGTH.unpack_from(content, offset)
        offset += _LENGTH.size + length
        yield content[offset - length : offset]
