"""Uploads: a body that is streamed to the disk, encrypted as it comes, and read back as a file.

The key is made for the one upload, lives in memory alone and dies with it; the file has no name.
"""

import hashlib
import io
import os
import tempfile
from typing import IO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import Buffer

CELL = 1 << 20
_OVERHEAD = 16


class SealedFile(io.RawIOBase):
    """Bytes written from the beginning, then read from anywhere; on the disk they are noise."""

    def __init__(self) -> None:
        super().__init__()
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._digest = hashlib.sha256()
        self._cell = bytearray()
        self._size = self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._size

    @property
    def sha256(self) -> str:
        """The hash of what was written."""
        return self._digest.hexdigest()

    def append(self, piece: bytes) -> None:
        """Write some more."""
        self._digest.update(piece)
        self._size += len(piece)
        self._cell += piece
        while len(self._cell) >= CELL:
            self._put(bytes(self._cell[:CELL]))
            del self._cell[:CELL]

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go there."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Buffer) -> int:
        """Read what stands here, to the end of a cell at most."""
        view = memoryview(buffer).cast("B")
        if self._place >= self._size:
            return 0
        number, within = divmod(self._place, CELL)
        piece = self._opened(number)[within : within + len(view)]
        view[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def close(self) -> None:
        """Drop it."""
        self._file.close()
        super().close()

    def _put(self, cell: bytes) -> None:
        number = self._file.seek(0, os.SEEK_END) // (CELL + _OVERHEAD)
        self._file.write(self._cipher.encrypt(number.to_bytes(12, "big"), cell, None))

    def _opened(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(number * (CELL + _OVERHEAD))
            sealed = self._file.read(CELL + _OVERHEAD)
            nonce = number.to_bytes(12, "big")
            opened = self._cipher.decrypt(nonce, sealed, None) if sealed else bytes(self._cell)
            self._held = number, opened
        return self._held[1]
