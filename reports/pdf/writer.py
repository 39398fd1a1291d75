"""Write the objects of a finished PDF, almost all in one compressed object stream."""

import re
from hashlib import sha256
from typing import Any, BinaryIO

import deflate
import pydyf

_HEAD = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
_NAME = re.compile(rb"(/[A-Za-z]+) /(?=[A-Z])")
_COLUMNS = (1, 3, 2)
"""Bytes of an entry of the cross-reference table: kind, offset or stream, index in the stream."""


def write_pdf(pdf: Any, output: BinaryIO) -> None:
    """Write the PDF: streams one by one, all other objects together in one stream."""
    body = bytearray(_HEAD)
    entries: dict[int, tuple[int, int, int]] = {0: (0, 0, 65535)}
    packed_objects = [obj for obj in pdf.objects[1:] if obj.compressible]
    for obj in pdf.objects[1:]:
        if not obj.compressible:
            entries[obj.number] = (1, len(body), 0)
            body += _write_stream_object(obj)
    pack, table = len(pdf.objects), len(pdf.objects) + 1
    for index, obj in enumerate(packed_objects):
        entries[obj.number] = (2, pack, index)
    entries[pack] = (1, len(body), 0)
    body += _write_object_stream(pack, packed_objects)
    start = len(body)
    entries[table] = (1, start, 0)
    rows = [entries[number] for number in range(table + 1)]
    root = pdf.catalog.reference
    body += _write_table(table, rows, root, sha256(body).hexdigest()[:32].encode())
    output.write(bytes(body) + b"startxref\n%d\n%%%%EOF\n" % start)


def join_stream(stream: Any) -> bytes:
    """Return the parts of a stream as bytes."""
    return b"\n".join(map(_to_bytes, stream.stream))


def _write_stream_object(stream: Any) -> bytes:
    content = join_stream(stream)
    keys = pydyf.Dictionary(stream.extra).data[2:-2]
    if stream.compress:
        keys += b"/Filter/FlateDecode"
        content = _deflate(content)
    return _write_stream(stream.number, keys, content)


def _deflate(content: bytes) -> bytes:
    """Compress in the zlib format, in about a twentieth fewer bytes than zlib."""
    return bytes(deflate.zlib_compress(content, 12))


def _to_bytes(part: Any) -> bytes:
    if isinstance(part, pydyf.Object):
        return bytes(part.data)
    return part if isinstance(part, bytes) else str(part).encode("latin-1")


def _write_object_stream(number: int, packed_objects: list[Any]) -> bytes:
    parts = [_NAME.sub(rb"\1/", obj.data) for obj in packed_objects]
    index, offset = [], 0
    for obj, part in zip(packed_objects, parts, strict=True):
        index.append(b"%d %d" % (obj.number, offset))
        offset += len(part) + 1
    head = b" ".join(index) + b" "
    raw = _deflate(head + b"\n".join(parts))
    keys = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (len(parts), len(head))
    return _write_stream(number, keys, raw)


def _write_table(
    number: int, rows: list[tuple[int, int, int]], root: bytes, identifier: bytes
) -> bytes:
    """Write each row as its difference from the one before, which compresses well."""
    last = bytes(sum(_COLUMNS))
    content = bytearray()
    for row in rows:
        entry = b"".join(
            value.to_bytes(size, "big") for value, size in zip(row, _COLUMNS, strict=True)
        )
        content.append(2)
        content += bytes((new - old) % 256 for new, old in zip(entry, last, strict=True))
        last = entry
    keys = (
        b"/Type/XRef/Size %d/W[%d %d %d]/Root %s/ID[<%s><%s>]/Filter/FlateDecode"
        b"/DecodeParms<</Predictor 12/Columns %d>>"
        % (len(rows), *_COLUMNS, root, identifier, identifier, sum(_COLUMNS))
    )
    return _write_stream(number, keys, _deflate(bytes(content)))


def _write_stream(number: int, keys: bytes, raw: bytes) -> bytes:
    return b"%d 0 obj\n<<%s/Length %d>>stream\n%s\nendstream\nendobj\n" % (
        number,
        keys,
        len(raw),
        raw,
    )
