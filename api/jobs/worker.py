"""The worker of a process: enqueues new batches, sends heartbeats and recovers orphaned work.

The workflow engine starts with the first batch, so a service without batches never loads it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from api.jobs.chunk_runner import WorkerContext
from api.store.batches import pending_batches, worker_heartbeats

if TYPE_CHECKING:
    from api.jobs.workflow_engine import WorkflowEngine

POLL_SECONDS = 0.5
HEARTBEAT_INTERVAL = timedelta(seconds=5)
_log = structlog.get_logger("nociscreen")


class JobWorker:
    """The worker of this process, which runs in its own thread."""

    def __init__(self, context: WorkerContext, *, at_once: bool) -> None:
        self._context = context
        self._at_once = at_once
        self._engine: WorkflowEngine | None = None
        self._heartbeat_at = datetime.min.replace(tzinfo=UTC)
        self._lost_after = timedelta(seconds=context.settings.worker_timeout_seconds)
        self.name = _choose_name(context)

    def run(self) -> None:
        """Poll for batches until the process stops."""
        wait = POLL_SECONDS
        while not self._context.stop_requested.wait(wait):
            try:
                self._poll()
                wait = POLL_SECONDS
            except Exception as error:  # noqa: BLE001 - mostly a database fault, which passes
                _log.warning("worker_failed", error=type(error).__name__)
                wait = min(wait * 2, 10.0)

    def stop(self) -> None:
        """Give running workflows a moment to finish, then stop."""
        self._context.stop_requested.set()
        if self._engine is not None:
            self._engine.stop()
            self._engine = None

    def _poll(self) -> None:
        now = datetime.now(UTC)
        if self._engine is None and not self._has_work():
            return
        is_due = now - self._heartbeat_at > min(HEARTBEAT_INTERVAL, self._lost_after / 3)
        if is_due:
            self._heartbeat(now)
        is_starting = self._engine is None
        if self._engine is None:
            from api.jobs.workflow_engine import WorkflowEngine

            self._engine = WorkflowEngine(
                self._context, self.name, self._context.settings.job_threads
            )
        if is_due:
            self._recover_orphaned_work(self._engine, now)
        with self._context.store.read_all_organisations() as session:
            waiting = pending_batches.list_pending_batches(session, include_enqueued=is_starting)
        for batch in waiting:
            self._engine.enqueue(batch)
            with self._context.store.write_all_organisations() as session:
                pending_batches.mark_enqueued(session, batch, now)

    def _has_work(self) -> bool:
        if self._at_once:
            return True
        with self._context.store.read_all_organisations() as session:
            return pending_batches.has_unfinished_batches(session)

    def _heartbeat(self, now: datetime) -> None:
        """Send a heartbeat, before this worker starts any workflow, so that none looks orphaned."""
        with self._context.store.write_all_organisations() as session:
            worker_heartbeats.record_heartbeat(session, self.name, now, now - self._lost_after)
        self._heartbeat_at = now

    def _recover_orphaned_work(self, engine: "WorkflowEngine", now: datetime) -> None:
        """Recover the workflows of workers without a recent heartbeat."""
        busy = engine.list_busy_workers()
        with self._context.store.read_all_organisations() as session:
            living = worker_heartbeats.list_live_workers(session, now - self._lost_after)
        lost = busy - living - {self.name}
        if lost:
            _log.warning("workers_lost", count=len(lost))
            engine.recover_workflows(sorted(lost))


@contextmanager
def running_worker(
    context: WorkerContext, *, start_engine: bool = False
) -> Iterator[JobWorker | None]:
    """Run a worker until the block ends; none if the settings allow no job thread.

    With `start_engine` the workflow engine starts even if no batch is waiting.
    """
    if context.settings.job_threads == 0:
        yield None
        return
    worker = JobWorker(context, at_once=start_engine)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()
    try:
        yield worker
    finally:
        context.stop_requested.set()
        thread.join(timeout=30)
        worker.stop()


def _choose_name(context: WorkerContext) -> str:
    """Return the worker's name; work under a stable name resumes at once, not after a timeout."""
    if context.settings.database_url is None:
        return "service"
    return context.settings.worker_name or f"w-{uuid4()}"
