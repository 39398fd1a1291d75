"""Blocks: a stream of lines in, pieces of bounded size out that each end where a record ends."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from api.batch_scoring.file_formats import UnusableInputError

BLOCK_BYTES = 16 * 1024 * 1024
RECORD_BYTES = 32 * 1024 * 1024
"""The longest record that is read; a longer line is refused before it fills the memory."""


class Block(NamedTuple):
    """Whole records, and the line on which the first begins (from 1)."""

    raw: bytes
    line: int


def blocks(
    stream: BinaryIO,
    *,
    line: int = 1,
    quoted: bool = True,
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[Block]:
    """The stream cut between records. `quoted`: a line may end inside quotation marks.

    Raises UnusableInputError where a record is longer than `record_bytes` or its quotation
    mark is never closed.
    """
    wanted, longest = block_bytes or BLOCK_BYTES, record_bytes or RECORD_BYTES
    left = b""
    while piece := stream.read(wanted):
        held = left + piece
        end = _last_end(held, quoted=quoted)
        if end == 0 and len(held) > longest:
            raise UnusableInputError(
                f"line {line}: a record must not be longer than {longest:,} bytes"
                + (", and every quotation mark must be closed" if quoted else "")
            )
        left = held[end:]
        if end:
            whole = held[:end]
            yield Block(whole, line)
            line += whole.count(b"\n")
    if quoted and left.count(b'"') % 2:
        raise UnusableInputError(f"line {line} or later: a quotation mark is never closed")
    if left.strip(b"\r\n"):
        yield Block(left, line)


def _last_end(held: bytes, *, quoted: bool) -> int:
    """Just behind the last newline that is not inside quotation marks; 0 where there is none."""
    end = held.rfind(b"\n")
    if not quoted or end < 0:
        return end + 1
    marks = held.count(b'"', 0, end)
    while end >= 0 and marks % 2:
        before = held.rfind(b"\n", 0, end)
        marks -= held.count(b'"', max(before, 0), end)
        end = before
    return end + 1
