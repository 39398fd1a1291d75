"""Streams the reports of a batch as one ZIP, never held whole in memory or on disk."""

import zipfile
from collections.abc import Iterator

from api.auth.request_context import RequestContext
from api.batches.file_transfer import read_result_chunks
from api.jobs.print_chunk import unpack_reports
from api.store.batches.batches import StoredBatch


def stream_zip(context: RequestContext, batch: StoredBatch) -> Iterator[bytes]:
    """Yield the ZIP in pieces; its entries are stored uncompressed, as PDF is compressed."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for content in read_result_chunks(context, batch):
            for report in unpack_reports(content):
                archive.writestr(zipfile.ZipInfo(report.name), report.content)
            yield sink.take()
    yield sink.take()


class _Sink:
    """A write-only file for `zipfile`, emptied after each piece; it can't seek."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, piece: bytes) -> int:
        self._buffer += piece
        return len(piece)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        """Return and forget the bytes written since the last call."""
        piece, self._buffer = bytes(self._buffer), bytearray()
        return piece
