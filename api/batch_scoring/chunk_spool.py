"""The chunk spool: buffers the chunks of an upload in an encrypted temporary file.

The whole file is parsed before the transaction begins, so that parsing blocks no other writer.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any, Self

from api.batch_scoring.encrypted_tempfile import EncryptedTempFile
from api.store.batches.chunk_content import ChunkContent, unpack_content

_HEAD = struct.Struct("!QQ")


class ChunkSpool:
    """Chunks, each with its number of rows."""

    def __init__(self) -> None:
        self._file = EncryptedTempFile()
        self.rows = 0

    @property
    def size(self) -> int:
        """The size of the chunks in bytes."""
        return self._file.size

    def append(self, rows: int, chunk: ChunkContent) -> None:
        """Append a chunk."""
        content = chunk.pack()
        self.rows += rows
        self._file.append(_HEAD.pack(rows, len(content)) + content)

    def __iter__(self) -> Iterator[tuple[int, ChunkContent]]:
        """Yield the chunks in order, each with its number of rows."""
        stream = io.BufferedReader(NonClosingReader(self._file))
        self._file.seek(0)
        while head := stream.read(_HEAD.size):
            rows, length = _HEAD.unpack(head)
            yield rows, unpack_content(stream.read(length))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class NonClosingReader(io.RawIOBase):
    """A view of an encrypted file that leaves the file open when the view is closed."""

    def __init__(self, file: EncryptedTempFile) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read from the current position of the file."""
        return self._file.readinto(buffer)
