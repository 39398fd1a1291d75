"""One chunk, from taken to done: tried, tried again, set aside in the end; never lost, never twice.

The try is counted before the work, the work is done outside of any transaction, and the results
are laid down in one. Trouble of the database is waited out: it is no fault of the rows.
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
from api.store.batches import chunks as batche_chunks
from api.store.batches.batches import DELIVERIES, SCORE
from api.store.batches.chunks import Outcome, Taken
from api.store.database.tenancy import OrganisationSession
from api.store.store import Store
from api.store.transaction import Actor
from scoring.catalogue import Catalogue

_LONGEST_WAIT = 10.0
_log = structlog.get_logger("nociscreen")


class Bench:
    """What work on chunks needs; ends when it is told to."""

    def __init__(
        self, store: Store, settings: Settings, rulebooks: Catalogue, renderer: Renderer
    ) -> None:
        self.store = store
        self.settings = settings
        self.rulebooks = rulebooks
        self.renderer = renderer
        self.ended = threading.Event()

    def outcome(self, taken: Taken) -> Outcome:
        """What comes of a chunk. Raises where it may be tried again."""
        tries = self.settings.batch_tries
        if taken.batch.kind == SCORE:
            return score(self.rulebooks, taken, tries)
        options = taken.batch.options
        own = Actor(options["organisation"], SERVICE.id, SERVICE.means)
        with self.store.reading_on(own) as work:
            printed = issuance.printed_in(work, test=options["test"])
        if taken.batch.kind == DELIVERIES:
            house = House(self.rulebooks, self.renderer, Base(self.settings.public_url))
            return deliver(house, printed, receiver_of(self.store, options), taken, tries)
        return print_reports(self.rulebooks, self.renderer, printed, taken, tries)


class Laid(NamedTuple):
    """How a chunk was laid down, and the status of each screening that was kept with it."""

    told: str
    kept: tuple[str, ...] = ()

    def count_in(self, store: Store) -> None:
        """Count what was kept, once it is committed."""
        for status in self.kept:
            store.metrics.kept(status)


class EndedError(BaseException):
    """The process is to end: what is under way is left as it is, and goes on elsewhere or later.

    No Exception: whoever records failures of work must not take it for one.
    """


def prepare(bench: Bench, organisation: str, batch: str, number: int) -> Outcome | None:
    """What came of the chunk, to be committed; None where there is nothing to do any more."""
    wait = 0.05
    while True:
        if bench.ended.is_set():
            raise EndedError
        try:
            taken = batche_chunks.take(bench.store, organisation, batch, number)
            return None if taken is None else bench.outcome(taken)
        except Problem as problem:
            _log.warning("batch", batch=batch, chunk=number, problem=problem.code)
            if problem.code == "not_found":  # its organisation is gone
                return None
        except (Exception, PanicException) as error:  # noqa: BLE001 - it is tried again, so often
            _log.warning("batch", batch=batch, chunk=number, error=type(error).__name__)
        bench.ended.wait(wait)
        wait = min(wait * 2, _LONGEST_WAIT)


def lay_down(
    store: Store, session: OrganisationSession, batch: str, number: int, outcome: Outcome | None
) -> Laid:
    """In the transaction of the caller: `done`, or `over` where it was done or there is no need."""
    if outcome is None:
        return Laid("over")
    work = batche_chunks.finish(store, session, batch, number, outcome)
    return Laid("over") if work is None else Laid("done", tuple(work.kept))


def by_hand(bench: Bench, organisation: str, batch: str, chunks: range) -> None:
    """Do these chunks here and now, each in a transaction of its own."""
    for number in chunks:
        outcome = prepare(bench, organisation, batch, number)
        with (
            bench.store.database.writing() as connection,
            OrganisationSession(connection, organisation) as session,
        ):
            laid = lay_down(bench.store, session, batch, number, outcome)
            session.flush()
        laid.count_in(bench.store)
