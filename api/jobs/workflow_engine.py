"""The durable workflow engine: DBOS in this process, embedded or shared by many workers.

A workflow ("turn") is a few chunks of one batch. Workflows wait in one queue, partitioned by
organisation and ordered by their number in the batch, so that no batch blocks another. A chunk is
one transaction of the store that commits its results together with DBOS's checkpoint. DBOS's own
tables contain ids only, no patient data. Only this module imports DBOS, and it is imported late
because that is slow.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import sqlcipher3  # type: ignore[import-untyped]
import structlog
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
    SQLAlchemyDatasource,
)
from dbos import error as dbos_errors
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import QueuePool

from api.jobs.chunk_runner import (
    RecordedOutcome,
    WorkerContext,
    WorkerStoppedError,
    record_outcome,
    run_chunk,
)
from api.store.batches.pending_batches import PendingBatch
from api.store.database import engine as databases
from api.store.database.engine import APP_ROLE, Database
from api.store.database.tenancy import OrganisationSession
from api.store.keys.file_key import load_file_key

APPLICATION = "nociscreen"
VERSION = "1"
"""The version of the workflow. It stays the same across releases, so that unfinished workflows
resume. A change of the steps needs a second workflow under another name."""

QUEUE = "batches"
TURN = "turn"
SCHEMA = "nociscreen_jobs"
CHUNKS_PER_TURN = 4
POLL_SECONDS = 0.25
_STOP_SECONDS = 10
_MAX_PRIORITY = 2**31 - 1


class ChunkKey(NamedTuple):
    """The organisation, the batch and the number of a chunk."""

    organisation: str
    batch: str
    number: int


_context: WorkerContext | None = None
_source: Any = None
_log = structlog.get_logger("nociscreen")


class WorkflowEngine:
    """DBOS running in this process; at most one at a time."""

    def __init__(self, context: WorkerContext, name: str, threads: int) -> None:
        global _context, _source  # DBOS has one registry per process
        logging.getLogger("dbos").setLevel(logging.CRITICAL)  # its lines could contain anything
        self._context = context
        self._system = _create_system_engine(context)
        DBOS.destroy(destroy_registry=True)
        DBOS(config=_build_config(self._system, name))
        _context, _source = context, _create_datasource(context)
        DBOS.workflow(name=TURN, max_recovery_attempts=None)(_turn)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=threads,
            partition_worker_concurrency=max(1, threads - 1),
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )

    def enqueue(self, batch: PendingBatch) -> None:
        """Enqueue every workflow of a batch; ids are deterministic, so repeating it is a no-op."""
        for number, first in enumerate(range(0, batch.chunks, CHUNKS_PER_TURN)):
            options: EnqueueOptions = {
                "workflow_name": TURN,
                "queue_name": QUEUE,
                "workflow_id": f"{batch.id}:{number}",
                "app_version": VERSION,
                "priority": min(number + 1, _MAX_PRIORITY),
                "queue_partition_key": batch.organisation,
            }
            last = min(first + CHUNKS_PER_TURN, batch.chunks)
            DBOS.enqueue_workflow_with_options(options, batch.organisation, batch.id, first, last)

    def list_busy_workers(self) -> set[str]:
        """Return the names of the workers with an unfinished workflow, lost workers included."""
        pending = DBOS.list_workflows(
            status="PENDING", app_version=VERSION, load_input=False, load_output=False
        )
        return {workflow.executor_id for workflow in pending if workflow.executor_id}

    def recover_workflows(self, names: list[str]) -> None:
        """Requeue the unfinished workflows of lost workers."""
        DBOS._recover_pending_workflows(names)  # noqa: SLF001 - else a paid service

    def stop(self) -> None:
        """Stop after a moment; unfinished workflows resume elsewhere or later."""
        self._context.stop_requested.set()
        DBOS.destroy(workflow_completion_timeout_sec=_STOP_SECONDS, destroy_registry=True)
        self._system.dispose()


def _turn(organisation: str, batch: str, first: int, last: int) -> None:
    """Run chunks `first` to `last` (excluded) of a batch, each recorded in one step."""
    context, source = _context, _source
    if context is None:
        raise RuntimeError("the workflow engine is not started")
    for number in range(first, last):
        _run_chunk_step(context, source, ChunkKey(organisation, batch, number))


def _run_chunk_step(context: WorkerContext, source: Any, key: ChunkKey) -> None:
    outcome = run_chunk(context, *key)
    isolation = "SERIALIZABLE" if context.store.database.is_embedded else "READ COMMITTED"
    recorded = RecordedOutcome("over")

    def commit() -> str:
        nonlocal recorded
        connection = source.sql_session().connection()
        with OrganisationSession(connection, key.organisation) as session:
            recorded = record_outcome(context.store, session, key.batch, key.number, outcome)
            session.flush()
            return recorded.state

    wait = 0.1
    while True:
        try:
            with context.store.database.lock_writes():
                source.run_tx_step({"name": "chunk", "isolation_level": isolation}, commit)
        except dbos_errors.DBOSException:  # another worker has taken it over
            raise
        except Exception as error:  # noqa: BLE001 - a storage fault: retried
            _log.warning("chunk_failed", batch=key.batch, error=type(error).__name__)
            if context.stop_requested.wait(wait):
                raise WorkerStoppedError from None
            wait = min(wait * 2, 10.0)
        else:
            recorded.count_screenings(context.store)
            return


def _build_config(system: SqlEngine, name: str) -> DBOSConfig:
    return {
        "name": APPLICATION,
        "system_database_engine": system,
        "dbos_system_schema": SCHEMA,
        "application_version": VERSION,
        "executor_id": name,
        "serializer": DBOSPortableJSONSerializer(),
        "enable_otlp": False,
        "log_level": "CRITICAL",
        "use_listen_notify": False,
        "max_executor_threads": 32,
    }


def _create_system_engine(context: WorkerContext) -> SqlEngine:
    """Create the engine for DBOS's own tables: an encrypted file or a schema in PostgreSQL."""
    settings = context.settings
    if settings.database_url is None:
        return _create_embedded_engine(
            settings.jobs_file, load_file_key(settings.jobs_file, context.store.key_ring)
        )
    url = make_url(settings.database_url.get_secret_value())
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10, "application_name": "nociscreen-jobs"},
    )


def _create_embedded_engine(path: Path, key: bytes) -> SqlEngine:
    """Create an engine with DBOS's SQLite settings, but encrypted and with the store's pragmas."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)

    def connect() -> Any:
        connection = databases.connect_sqlite(path, key)
        connection.execute("PRAGMA busy_timeout=30000")
        connection.isolation_level = "IMMEDIATE"
        return connection

    return create_engine(
        "sqlite://",
        module=sqlcipher3.dbapi2,
        creator=connect,
        poolclass=QueuePool,
        pool_size=10,
        max_overflow=0,
        hide_parameters=True,
    )


def _create_datasource(context: WorkerContext) -> Any:
    """Create the source of checkpoints in the store's database, so that both commit together."""
    database, url = context.store.database, context.settings.database_url
    if url is not None:
        SQLAlchemyDatasource.migrate(
            url.get_secret_value(), schema=SCHEMA, application_role=_find_role(database)
        )
    return SQLAlchemyDatasource.create(
        "sqlite://" if url is None else "postgresql://",
        engine=database.write_engine,
        schema=SCHEMA,
        serializer=DBOSPortableJSONSerializer(),
        run_migrations=url is None,
    )


def _find_role(database: Database) -> str | None:
    with database.begin_read() as connection:
        role = connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": APP_ROLE}
        ).first()
    return APP_ROLE if role else None
