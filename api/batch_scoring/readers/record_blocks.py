"""Splits a stream of lines into blocks of bounded size that each end where a record ends."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from api.batch_scoring.file_formats import UnusableInputError

BLOCK_BYTES = 16 * 1024 * 1024
RECORD_BYTES = 32 * 1024 * 1024
"""The longest record; a longer line is refused before it fills the memory."""


class RecordBlock(NamedTuple):
    """Whole records, and the line on which the first begins (from 1)."""

    raw: bytes
    first_line: int


def read_blocks(
    stream: BinaryIO,
    *,
    line: int = 1,
    quoted: bool = True,
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[RecordBlock]:
    """Yield the stream in blocks. With `quoted`, a quoted cell may contain newlines.

    Raises UnusableInputError if a record is longer than `record_bytes` or a quotation mark is never
    closed.
    """
    read_size, longest = block_bytes or BLOCK_BYTES, record_bytes or RECORD_BYTES
    rest = b""
    while piece := stream.read(read_size):
        buffer = rest + piece
        end = _last_record_end(buffer, quoted=quoted)
        if end == 0 and len(buffer) > longest:
            raise UnusableInputError(
                f"line {line}: a record must not be longer than {longest:,} bytes"
                + (", and every quotation mark must be closed" if quoted else "")
            )
        rest = buffer[end:]
        if end:
            records = buffer[:end]
            yield RecordBlock(records, line)
            line += records.count(b"\n")
    if quoted and rest.count(b'"') % 2:
        raise UnusableInputError(f"line {line} or later: a quotation mark is never closed")
    if rest.strip(b"\r\n\x1a"):
        yield RecordBlock(rest, line)


def _last_record_end(buffer: bytes, *, quoted: bool) -> int:
    """Return the position after the last newline outside quotation marks; 0 if there is none."""
    end = buffer.rfind(b"\n")
    if not quoted or end < 0:
        return end + 1
    marks = buffer.count(b'"', 0, end)
    while end >= 0 and marks % 2:
        previous = buffer.rfind(b"\n", 0, end)
        marks -= buffer.count(b'"', max(previous, 0), end)
        end = previous
    return end + 1
