"""The reports of a batch as one ZIP, in pieces: it is never whole anywhere here."""

import zipfile
from collections.abc import Iterator

from api.auth.request_context import Acts
from api.jobs.print_chunk import reports_in
from api.store.batches import chunks as batche_chunks
from api.store.batches.batches import Kept


def zipped(acts: Acts, batch: Kept) -> Iterator[bytes]:
    """The pieces: reports are stored as they are, for PDF is packed already."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for number in range(batch.chunks):
            with acts.store.reading_on(acts.actor) as work:
                content = batche_chunks.made(work, batch.id, number)
            if content is None:
                raise RuntimeError("the batch was erased while it was sent")
            for report in reports_in(content):
                archive.writestr(zipfile.ZipInfo(report.name), report.content)
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """Where a ZIP is written to that is sent at once: nothing can be changed afterwards."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, piece: bytes) -> int:
        """Take a piece."""
        self._held += piece
        return len(piece)

    def flush(self) -> None:
        """There is nothing to do."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        piece, self._held = bytes(self._held), bytearray()
        return piece
