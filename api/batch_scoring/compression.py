"""Decompresses inputs and compresses outputs; a stream that is cut off or damaged is an error."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal, cast

Compression = Literal["gzip", "zstd"]
_PIECE_BYTES = 16 * 1024


class DamagedInputError(Exception):
    """A compressed input is cut off or damaged. The message says which."""


def decompress(stream: BinaryIO, compression: Compression | None) -> BinaryIO:
    """Return a stream of the content. Its `read` raises DamagedInputError."""
    if compression is None:
        return stream
    raw: Any = gzip.GzipFile(fileobj=stream) if compression == "gzip" else _ZstdReader(stream)
    return cast("BinaryIO", _CheckedReader(raw))


def compress_member(content: bytes, compression: Compression | None) -> bytes:
    """Compress the content as one member; concatenated members decompress in order."""
    match compression:
        case "gzip":
            return gzip.compress(content, compresslevel=6, mtime=0)
        case "zstd":
            import zstandard

            return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)
        case None:
            return content


class _CheckedReader:
    """A reader of decompressed bytes whose errors have one class."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        with _convert_errors():
            return bytes(self._raw.read(size))


class _ZstdReader:
    """Reads Zstandard frames and knows whether the last one is complete."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = io.BytesIO()
        self._frame: Any = None
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        pieces, bytes_left = [], size
        while size < 0 or bytes_left > 0:
            piece = self._buffer.read(bytes_left if size >= 0 else -1) or self._next_piece()
            if piece is None:
                break
            pieces.append(piece)
            bytes_left -= len(piece)
        return b"".join(pieces)

    def _next_piece(self) -> bytes | None:
        """Refill the buffer and return nothing of it yet; None at the end of the stream."""
        import zstandard

        compressed = self._rest or self._stream.read(_PIECE_BYTES)
        if not compressed:
            if self._frame is not None:
                raise EOFError
            return None
        if self._frame is None:
            self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._buffer = io.BytesIO(self._frame.decompress(compressed))
        self._rest = b""
        if self._frame.eof:
            self._rest, self._frame = self._frame.unused_data, None
        return b""


@contextmanager
def _convert_errors() -> Iterator[None]:
    import zstandard

    try:
        yield
    except EOFError:
        raise DamagedInputError("is cut off before its end; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError):
        raise DamagedInputError("is damaged and cannot be unpacked; fetch it again") from None
