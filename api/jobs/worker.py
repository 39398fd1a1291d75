"""Work in a process: finds batches that nobody began, keeps being heard of, replaces the dead.

The engine is started when there is something to do for it: a service that sees no batch never
loads it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from api.jobs.chunk_runner import Bench
from api.store.batches import batches, worker_heartbeats

if TYPE_CHECKING:
    from api.jobs.workflow_engine import Engine

LOOK_SECONDS = 0.5
HEARD = timedelta(seconds=5)
_log = structlog.get_logger("nociscreen")


class Work:
    """The work of this process, in a thread of its own until it is ended."""

    def __init__(self, bench: Bench, *, at_once: bool) -> None:
        self._bench = bench
        self._at_once = at_once
        self._engine: Engine | None = None
        self._heard_at = datetime.min.replace(tzinfo=UTC)
        self._lost = timedelta(seconds=bench.settings.worker_lost_seconds)
        self.name = _name(bench)

    def go_on(self) -> None:
        """Look for work until the bench is ended."""
        wait = LOOK_SECONDS
        while not self._bench.ended.wait(wait):
            try:
                self._look()
                wait = LOOK_SECONDS
            except Exception as error:  # noqa: BLE001 - the database, mostly: it comes back
                _log.warning("work", error=type(error).__name__)
                wait = min(wait * 2, 10.0)

    def end(self) -> None:
        """Give what is under way a moment, and end."""
        self._bench.ended.set()
        if self._engine is not None:
            self._engine.stop()
            self._engine = None

    def _look(self) -> None:
        now = datetime.now(UTC)
        if self._engine is None and not self._is_wanted():
            return
        if due := now - self._heard_at > min(HEARD, self._lost / 3):
            self._be_heard(now)
        if begins := self._engine is None:
            from api.jobs.workflow_engine import Engine

            self._engine = Engine(self._bench, self.name, self._bench.settings.job_threads)
        if due:
            self._replace_the_dead(self._engine, now)
        with self._bench.store.glance() as session:
            waiting = batches.waiting(session, again=begins)
        for each in waiting:
            self._engine.enqueue(each)
            with self._bench.store.across() as session:
                batches.enqueued(session, each, now)

    def _is_wanted(self) -> bool:
        if self._at_once:
            return True
        with self._bench.store.glance() as session:
            return batches.unfinished(session)

    def _be_heard(self, now: datetime) -> None:
        """Before any turn is begun: whoever has begun one was heard of."""
        with self._bench.store.across() as session:
            worker_heartbeats.be_heard(session, self.name, now, now - self._lost)
        self._heard_at = now

    def _replace_the_dead(self, engine: "Engine", now: datetime) -> None:
        """Whoever has begun a turn and is not heard of is gone, whether it was known or not."""
        begun = engine.at_work()
        with self._bench.store.glance() as session:
            gone = begun - worker_heartbeats.living(session, now - self._lost) - {self.name}
        if gone:
            _log.warning("workers_lost", count=len(gone))
            engine.take_over(sorted(gone))


@contextmanager
def at_work(bench: Bench, *, at_once: bool = False) -> Iterator[Work | None]:
    """Work beside the block until it ends; not at all where the settings give it no thread."""
    if bench.settings.job_threads == 0:
        yield None
        return
    work = Work(bench, at_once=at_once)
    thread = threading.Thread(target=work.go_on, name="work", daemon=True)
    thread.start()
    try:
        yield work
    finally:
        bench.ended.set()
        thread.join(timeout=30)
        work.end()


def _name(bench: Bench) -> str:
    """A stable name takes up its own work at once; any other is taken over when it is missed."""
    if bench.settings.database_url is None:
        return "service"
    return bench.settings.worker_name or f"w-{uuid4()}"
