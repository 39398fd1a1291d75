"""Decodes text files to UTF-8 as they are read, and detects their encoding.

Bytes that are not valid UTF-8 in a UTF-8 file pass through: the reader reports their rows.
"""

import codecs
from typing import BinaryIO, NamedTuple

from api.batch_scoring.file_formats import UnusableInputError, describe_content

SAMPLE_BYTES = 1024 * 1024
ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "latin-1": "latin-1",
    "iso-8859-1": "latin-1",
    "cp1252": "cp1252",
    "windows-1252": "cp1252",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class DecodedStream(NamedTuple):
    """A stream of UTF-8, its first bytes, the encoding it had, and whether that was detected."""

    start: bytes
    stream: "_Transcoder"
    encoding: str
    is_guessed: bool


def find_encoding(name: str) -> str | None:
    """Return the encoding of this name; None if it is unknown."""
    return ENCODINGS.get(name.strip().lower())


def decode_stream(stream: BinaryIO, encoding: str | None) -> DecodedStream:
    """Return the stream as UTF-8 without a byte-order mark, with the line ends LF or CRLF.

    The encoding is that of the mark, the given one, or a detected one. Raises UnusableInputError
    for content that is not text.
    """
    start = _read_sample(stream)
    content = describe_content(start)
    if content is not None:
        raise UnusableInputError(f"this is {content}, not text")
    mark, marked_encoding = next(
        ((mark, name) for mark, name in _MARKS if start.startswith(mark)), (b"", None)
    )
    start = start[len(mark) :]
    declared_encoding = marked_encoding or (None if encoding is None else find_encoding(encoding))
    if declared_encoding == "utf-16":
        declared_encoding = "utf-16-le"
    source_encoding = declared_encoding or _detect(start)
    transcoder = _Transcoder(stream, source_encoding, cr_only=b"\r" in start and b"\n" not in start)
    text = transcoder.convert(start, is_last=len(start) < SAMPLE_BYTES)
    is_guessed = declared_encoding is None and source_encoding != "utf-8"
    return DecodedStream(text, transcoder, source_encoding, is_guessed)


class _Transcoder:
    """The rest of a stream, as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str, *, cr_only: bool) -> None:
        self._stream, self._cr_only = stream, cr_only
        self._decoder = (
            None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("c1_controls")
        )

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        return self.convert(piece, is_last=not piece)

    def convert(self, piece: bytes, *, is_last: bool) -> bytes:
        if self._decoder is not None:
            piece = self._decoder.decode(piece, final=is_last).encode("utf-8", "replace")
        return piece.replace(b"\r", b"\n") if self._cr_only else piece


def _read_sample(stream: BinaryIO) -> bytes:
    start = b""
    while len(start) < SAMPLE_BYTES:
        piece = stream.read(SAMPLE_BYTES - len(start))
        if not piece:
            break
        start += piece
    return start


def _detect(start: bytes) -> str:
    """Return the encoding of a text without a mark: UTF-8 if it is valid as such."""
    even, odd = start[:4000:2].count(0), start[1:4000:2].count(0)
    if max(even, odd) * 5 > len(start[:4000:2]) * 2:
        return "utf-16-be" if even > odd else "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < SAMPLE_BYTES)
    except UnicodeDecodeError:
        return "cp1252" if _is_mostly_invalid(start) else "utf-8"
    return "utf-8"


def _is_mostly_invalid(start: bytes) -> bool:
    """Whether most lines beyond ASCII are not UTF-8: one damaged line decides nothing."""
    lines = [line for line in start.split(b"\n")[:20_000] if not line.isascii()]
    invalid = sum(1 for line in lines if not _is_utf8(line))
    return invalid * 2 > len(lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _replace_undefined(error: UnicodeError) -> tuple[str, int]:
    """Replace an undefined byte of cp1252 by its control character, which no answer may contain."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(
        chr(byte) if 0x7F < byte < 0xA0 else "\ufffd"
        for byte in error.object[error.start : error.end]
    ), error.end


codecs.register_error("c1_controls", _replace_undefined)


def require_encoding(name: str) -> str:
    """Return the encoding of this name. Raises UnusableInputError."""
    source_encoding = find_encoding(name)
    if source_encoding is None:
        raise UnusableInputError(
            f"--encoding {name}: is not supported; expected one of "
            + ", ".join(dict.fromkeys(ENCODINGS.values()))
        )
    return source_encoding
