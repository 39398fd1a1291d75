"""An encrypted temporary file: stores an upload on disk and reads it back at any position.

The key is generated for each file and exists only in memory; the file has no name.
"""

import hashlib
import io
import os
import tempfile
from typing import IO

from typing_extensions import Buffer

from api.security.aead import TAG_BYTES, CounterNonceCipher

CELL_BYTES = 1 << 20


class EncryptedTempFile(io.RawIOBase):
    """Bytes appended in order, then read from any position; encrypted in cells on disk."""

    def __init__(self) -> None:
        super().__init__()
        self._cipher = CounterNonceCipher()
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._digest = hashlib.sha256()
        self._cell = bytearray()
        self._size = self._position = 0
        self._cached_cell: tuple[int, bytes] = (-1, b"")

    @property
    def size(self) -> int:
        """The number of bytes written, before encryption."""
        return self._size

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes written, in hexadecimal."""
        return self._digest.hexdigest()

    def append(self, piece: bytes) -> None:
        """Write bytes at the end."""
        self._digest.update(piece)
        self._size += len(piece)
        self._cell += piece
        while len(self._cell) >= CELL_BYTES:
            self._write_cell(bytes(self._cell[:CELL_BYTES]))
            del self._cell[:CELL_BYTES]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the reading position and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        """Read from the current position, at most to the end of a cell."""
        view = memoryview(buffer).cast("B")
        if self._position >= self._size:
            return 0
        number, within = divmod(self._position, CELL_BYTES)
        piece = self._read_cell(number)[within : within + len(view)]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close and so delete the file."""
        self._file.close()
        super().close()

    def _write_cell(self, cell: bytes) -> None:
        number = self._file.seek(0, os.SEEK_END) // (CELL_BYTES + TAG_BYTES)
        self._file.write(self._cipher.encrypt(number, cell))

    def _read_cell(self, number: int) -> bytes:
        if self._cached_cell[0] != number:
            self._file.seek(number * (CELL_BYTES + TAG_BYTES))
            encrypted = self._file.read(CELL_BYTES + TAG_BYTES)
            cell = self._cipher.decrypt(number, encrypted) if encrypted else bytes(self._cell)
            self._cached_cell = number, cell
        return self._cached_cell[1]
