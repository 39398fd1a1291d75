"""The spool: chunks in as they are read, the same out when they are kept; sealed meanwhile.

So a file is read to its end before any transaction begins: whoever writes waits for no reader.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any, Self

from api.batch_scoring.encrypted_tempfile import SealedFile
from api.store.batches.chunks import Given, opened_given

_HEAD = struct.Struct("!QQ")


class Spool:
    """Chunks, each with how many rows it has."""

    def __init__(self) -> None:
        self._file = SealedFile()

    def put(self, rows: int, given: Given) -> None:
        """Add a chunk."""
        content = given.pack()
        self._file.append(_HEAD.pack(rows, len(content)) + content)

    def __iter__(self) -> Iterator[tuple[int, Given]]:
        """Every chunk, in order."""
        stream = io.BufferedReader(Unclosed(self._file))
        self._file.seek(0)
        while head := stream.read(_HEAD.size):
            rows, length = _HEAD.unpack(head)
            yield rows, opened_given(stream.read(length))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Unclosed(io.RawIOBase):
    """A sealed file, which a reader of it does not close."""

    def __init__(self, file: SealedFile) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What stands here."""
        return self._file.readinto(buffer)
