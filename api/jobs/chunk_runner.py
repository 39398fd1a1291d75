"""Runs one chunk: counts the try, does the work, and records the outcome once.

The try is committed before the work, the work is done outside any transaction, and the outcome is
recorded in one. A chunk that keeps failing is set aside. A database fault does not count against
the rows: the worker waits and retries.
"""

import threading
from typing import NamedTuple

import structlog
from polars.exceptions import PanicException

from api.auth.services import PdfRenderer
from api.deliveries.compose_request import ComposeContext
from api.documents import issuance
from api.fhir.elements import build_canonical_urls
from api.jobs.deliver_chunk import load_destination, prepare_deliveries
from api.jobs.export_chunk import export_resources
from api.jobs.print_chunk import print_reports
from api.jobs.score_chunk import score_rows
from api.settings import Settings
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.batches import chunks as batch_chunks
from api.store.batches.batches import DELIVERIES, EXPORT, SCORE
from api.store.batches.chunks import ChunkOutcome, ClaimedChunk
from api.store.database.tenancy import OrganisationSession
from api.store.errors import NotFoundError
from api.store.store import Store
from api.store.transaction import Actor
from scoring.catalogue import Catalogue

_LONGEST_WAIT_SECONDS = 10.0
_log = structlog.get_logger("nociscreen")


class WorkerContext:
    """What running a chunk needs: store, settings, rulebooks, renderer, and the stop signal."""

    def __init__(
        self, store: Store, settings: Settings, rulebooks: Catalogue, renderer: PdfRenderer
    ) -> None:
        self.store = store
        self.settings = settings
        self.rulebooks = rulebooks
        self.renderer = renderer
        self.stop_requested = threading.Event()

    def compute_outcome(self, task: ClaimedChunk) -> ChunkOutcome:
        """Score, print, export or prepare the delivery of a chunk. Raises if it may be retried."""
        tries = self.settings.batch_attempts
        if task.batch.kind == SCORE:
            return score_rows(self.rulebooks, task, tries)
        urls = build_canonical_urls(self.settings.public_url, self.store.canonical_bases)
        if task.batch.kind == EXPORT:
            return export_resources(self.store, self.rulebooks, urls, task, tries)
        options = task.batch.options
        actor = Actor(options["organisation"], SERVICE_ACTOR.id, SERVICE_ACTOR.means)
        with self.store.continue_read(actor) as work:
            print_settings = issuance.load_print_settings(work, test=options["test"])
        if task.batch.kind == DELIVERIES:
            context = ComposeContext(self.rulebooks, self.renderer, urls)
            return prepare_deliveries(
                context, print_settings, load_destination(self.store, options), task, tries
            )
        return print_reports(self.rulebooks, self.renderer, print_settings, task, tries)


class RecordedOutcome(NamedTuple):
    """How a chunk was recorded, and the status of each screening stored with it."""

    state: str
    screening_statuses: tuple[str, ...] = ()

    def count_screenings(self, store: Store) -> None:
        """Count the stored screenings in the metrics; call it after the commit."""
        for status in self.screening_statuses:
            store.metrics.record_screening(status)


class WorkerStoppedError(BaseException):
    """The process is stopping: the chunk stays as it is and continues elsewhere or later.

    Not an Exception, so that code that records failed work does not catch it.
    """


def run_chunk(
    context: WorkerContext, organisation: str, batch: str, number: int
) -> ChunkOutcome | None:
    """Return the outcome of a chunk, to be recorded; None if there is nothing left to do.

    Retries until the outcome is there. Raises WorkerStoppedError.
    """
    wait = 0.05
    while True:
        if context.stop_requested.is_set():
            raise WorkerStoppedError
        try:
            task = batch_chunks.claim_chunk(context.store, organisation, batch, number)
            return None if task is None else context.compute_outcome(task)
        except NotFoundError:  # its organisation was deleted
            _log.warning("chunk_failed", batch=batch, chunk=number, error="NotFoundError")
            return None
        except (Exception, PanicException) as error:  # noqa: BLE001 - retried; tries are counted
            _log.warning("chunk_failed", batch=batch, chunk=number, error=type(error).__name__)
        context.stop_requested.wait(wait)
        wait = min(wait * 2, _LONGEST_WAIT_SECONDS)


def record_outcome(
    store: Store,
    session: OrganisationSession,
    batch: str,
    number: int,
    outcome: ChunkOutcome | None,
) -> RecordedOutcome:
    """Record an outcome in the caller's transaction; the caller commits.

    The result is `done`, or `over` if the chunk was done already, cancelled or deleted.
    """
    if outcome is None:
        return RecordedOutcome("over")
    work = batch_chunks.finish_chunk(store, session, batch, number, outcome)
    return (
        RecordedOutcome("over")
        if work is None
        else RecordedOutcome("done", tuple(work.stored_statuses))
    )


def run_inline(context: WorkerContext, organisation: str, batch: str, chunks: range) -> None:
    """Run these chunks in the calling thread, each in a transaction of its own."""
    for number in chunks:
        outcome = run_chunk(context, organisation, batch, number)
        with (
            context.store.database.begin_write() as connection,
            OrganisationSession(connection, organisation) as session,
        ):
            recorded = record_outcome(context.store, session, batch, number, outcome)
            session.flush()
        recorded.count_screenings(context.store)
