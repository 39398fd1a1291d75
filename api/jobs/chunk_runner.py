"""Runs one chunk: counts the try, does the work, and records the outcome once.

The try is committed before the work, the work is done outside any transaction, and the outcome is
recorded in one. A chunk that keeps failing is set aside. A database fault does not count against
the rows: the worker waits and retries.
"""

import threading
from typing import NamedTuple

import structlog
from polars.exceptions import PanicException

from api.deliveries.compose_request import House
from api.documents import issuance
from api.documents.render_pool import Renderer
from api.fhir.elements import Base
from api.jobs.deliver_chunk import deliver, receiver_of
from api.jobs.print_chunk import print_reports
from api.jobs.score_chunk import score
from api.problems import Problem
from api.settings import Settings
from api.store.accounts.organisations import SERVICE
from api.store.batches import chunks as batch_chunks
from api.store.batches.batches import DELIVERIES, SCORE
from api.store.batches.chunks import Outcome, Taken
from api.store.database.tenancy import OrganisationSession
from api.store.store import Store
from api.store.transaction import Actor
from scoring.catalogue import Catalogue

_LONGEST_WAIT_SECONDS = 10.0
_log = structlog.get_logger("nociscreen")


class Bench:
    """What running a chunk needs: store, settings, rulebooks, renderer, and the stop signal."""

    def __init__(
        self, store: Store, settings: Settings, rulebooks: Catalogue, renderer: Renderer
    ) -> None:
        self.store = store
        self.settings = settings
        self.rulebooks = rulebooks
        self.renderer = renderer
        self.ended = threading.Event()

    def outcome(self, task: Taken) -> Outcome:
        """Score, print or prepare the delivery of a chunk. Raises if it may be retried."""
        tries = self.settings.batch_tries
        if task.batch.kind == SCORE:
            return score(self.rulebooks, task, tries)
        options = task.batch.options
        actor = Actor(options["organisation"], SERVICE.id, SERVICE.means)
        with self.store.reading_on(actor) as work:
            print_settings = issuance.printed_in(work, test=options["test"])
        if task.batch.kind == DELIVERIES:
            context = House(self.rulebooks, self.renderer, Base(self.settings.public_url))
            return deliver(context, print_settings, receiver_of(self.store, options), task, tries)
        return print_reports(self.rulebooks, self.renderer, print_settings, task, tries)


class Laid(NamedTuple):
    """How a chunk was recorded, and the status of each screening stored with it."""

    told: str
    kept: tuple[str, ...] = ()

    def count_in(self, store: Store) -> None:
        """Count the stored screenings in the metrics; call it after the commit."""
        for status in self.kept:
            store.metrics.kept(status)


class EndedError(BaseException):
    """The process is stopping: the chunk stays as it is and continues elsewhere or later.

    Not an Exception, so that code that records failed work does not catch it.
    """


def prepare(context: Bench, organisation: str, batch: str, number: int) -> Outcome | None:
    """Return the outcome of a chunk, to be recorded; None if there is nothing left to do.

    Retries until the outcome is there. Raises EndedError.
    """
    wait = 0.05
    while True:
        if context.ended.is_set():
            raise EndedError
        try:
            task = batch_chunks.take(context.store, organisation, batch, number)
            return None if task is None else context.outcome(task)
        except Problem as problem:
            _log.warning("batch", batch=batch, chunk=number, problem=problem.code)
            if problem.code == "not_found":  # its organisation was deleted
                return None
        except (Exception, PanicException) as error:  # noqa: BLE001 - retried; tries are counted
            _log.warning("batch", batch=batch, chunk=number, error=type(error).__name__)
        context.ended.wait(wait)
        wait = min(wait * 2, _LONGEST_WAIT_SECONDS)


def lay_down(
    store: Store, session: OrganisationSession, batch: str, number: int, outcome: Outcome | None
) -> Laid:
    """Record an outcome in the caller's transaction; the caller commits.

    The result is `done`, or `over` if the chunk was done already, cancelled or deleted.
    """
    if outcome is None:
        return Laid("over")
    work = batch_chunks.finish(store, session, batch, number, outcome)
    return Laid("over") if work is None else Laid("done", tuple(work.kept))


def by_hand(context: Bench, organisation: str, batch: str, chunks: range) -> None:
    """Run these chunks in the calling thread, each in a transaction of its own."""
    for number in chunks:
        outcome = prepare(context, organisation, batch, number)
        with (
            context.store.database.writing() as connection,
            OrganisationSession(connection, organisation) as session,
        ):
            recorded = lay_down(context.store, session, batch, number, outcome)
            session.flush()
        recorded.count_in(context.store)
