"""Splits batches (FHS, BHS) into messages, and joins their acknowledgements into a batch."""

import re
from typing import NamedTuple

_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_ENVELOPE = {b"FHS", b"BHS", b"BTS", b"FTS"}


class MessageBatch(NamedTuple):
    """The messages of a batch, and its first segments to answer with."""

    headers: tuple[bytes, ...]
    messages: tuple[bytes, ...]


def split_batch(content: bytes) -> MessageBatch | None:
    """Split a batch into its messages; None if the content is a single message."""
    if content.lstrip()[:3] not in (b"FHS", b"BHS"):
        return None
    headers: list[bytes] = []
    messages: list[list[bytes]] = []
    for line in filter(None, map(bytes.strip, _LINE_ENDS.split(content))):
        if line[:3] in _ENVELOPE:
            headers += [line] if line[1:3] == b"HS" else []
        elif line[:3] == b"MSH" or not messages:
            messages.append([line])
        else:
            messages[-1].append(line)
    return MessageBatch(tuple(headers), tuple(b"\r".join(lines) + b"\r" for lines in messages))


def join_acknowledgements(batch: MessageBatch, acknowledgements: list[bytes]) -> bytes:
    """Return a batch of acknowledgements, in the order of the messages."""
    kinds = {header[:3] for header in batch.headers}
    lines = [kind + rb"|^~\&|NOCISCREEN" for kind in (b"FHS", b"BHS") if kind in kinds]
    lines += [acknowledgement.rstrip(b"\r") for acknowledgement in acknowledgements]
    lines += [b"BTS|%d" % len(acknowledgements)] if b"BHS" in kinds else []
    lines += [b"FTS|1"] if b"FHS" in kinds else []
    return b"\r".join(lines) + b"\r"
