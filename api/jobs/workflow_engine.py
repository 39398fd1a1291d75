"""The engine of durable work: DBOS in this process, embedded or shared by many workers.

A turn is a few chunks of one batch. Turns wait in one queue, apart by organisation, small numbers
first: so that no batch keeps another waiting. A chunk is one transaction of the store in which its
results and DBOS's checkpoint commit together. DBOS's own tables hold ids and nothing of a patient.
This is the only module that knows DBOS; it is imported late, for it takes its time.
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

from api.jobs.chunk_runner import Bench, EndedError, Laid, lay_down, prepare
from api.store.batches.batches import Waiting
from api.store.database import engine as databases
from api.store.database.engine import APP_ROLE, Database
from api.store.database.tenancy import OrganisationSession
from api.store.keys.file_key import file_key

APPLICATION = "nociscreen"
VERSION = "1"
"""The version of the workflow. It stays when the program changes: work begun goes on. A change of
the steps themselves needs a workflow of another name beside this one."""

QUEUE = "batches"
TURN = "turn"
SCHEMA = "nociscreen_jobs"
CHUNKS_EACH_TURN = 4
POLL_SECONDS = 0.25
_LAST_MOMENTS = 10
_MOST_PRIORITY = 2**31 - 1


class Place(NamedTuple):
    """A chunk by its organisation, its batch, and its number."""

    organisation: str
    batch: str
    number: int


_bench: Bench | None = None
_source: Any = None
_log = structlog.get_logger("nociscreen")


class Engine:
    """DBOS at work in this process; there is one of it at a time."""

    def __init__(self, bench: Bench, name: str, threads: int) -> None:
        global _bench, _source  # DBOS has one registry in a process, so has this
        logging.getLogger("dbos").setLevel(logging.CRITICAL)  # its lines are not ours to vouch for
        self._bench = bench
        self._system = _system(bench)
        DBOS.destroy(destroy_registry=True)
        DBOS(config=_config(self._system, name))
        _bench, _source = bench, _datasource(bench)
        DBOS.workflow(name=TURN, max_recovery_attempts=None)(_turn)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=threads,
            partition_worker_concurrency=max(1, threads - 1),
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )

    def enqueue(self, batch: Waiting) -> None:
        """Let every turn of the batch wait in the queue. Doing it again changes nothing."""
        for number, first in enumerate(range(0, batch.chunks, CHUNKS_EACH_TURN)):
            options: EnqueueOptions = {
                "workflow_name": TURN,
                "queue_name": QUEUE,
                "workflow_id": f"{batch.id}:{number}",
                "app_version": VERSION,
                "priority": min(number + 1, _MOST_PRIORITY),
                "queue_partition_key": batch.organisation,
            }
            last = min(first + CHUNKS_EACH_TURN, batch.chunks)
            DBOS.enqueue_workflow_with_options(options, batch.organisation, batch.id, first, last)

    def at_work(self) -> set[str]:
        """The names of the workers that have begun a turn and not ended it, dead ones too."""
        begun = DBOS.list_workflows(
            status="PENDING", app_version=VERSION, load_input=False, load_output=False
        )
        return {each.executor_id for each in begun if each.executor_id}

    def take_over(self, names: list[str]) -> None:
        """Let others do what these workers, who are gone, had begun."""
        DBOS._recover_pending_workflows(names)  # noqa: SLF001 - its paid service aside, the one way

    def stop(self) -> None:
        """End: what is under way has a moment; the rest goes on elsewhere or later."""
        self._bench.ended.set()
        DBOS.destroy(workflow_completion_timeout_sec=_LAST_MOMENTS, destroy_registry=True)
        self._system.dispose()


def _turn(organisation: str, batch: str, first: int, last: int) -> None:
    """Some chunks of a batch, one after another; each is laid down in one step, done once."""
    bench, source = _bench, _source
    if bench is None:
        raise RuntimeError("there is no bench to work on")
    for number in range(first, last):
        _chunk(bench, source, Place(organisation, batch, number))


def _chunk(bench: Bench, source: Any, place: Place) -> None:
    outcome = prepare(bench, *place)
    isolation = "SERIALIZABLE" if bench.store.database.embedded else "READ COMMITTED"
    laid = Laid("over")

    def commit() -> str:
        nonlocal laid
        connection = source.sql_session().connection()
        with OrganisationSession(connection, place.organisation) as session:
            laid = lay_down(bench.store, session, place.batch, place.number, outcome)
            session.flush()
            return laid.told

    wait = 0.1
    while True:
        try:
            with bench.store.database.turn():
                source.run_tx_step({"name": "chunk", "isolation_level": isolation}, commit)
        except dbos_errors.DBOSException:  # another has taken it over
            raise
        except Exception as error:  # noqa: BLE001 - trouble of storage: waited out, then done again
            _log.warning("batch", batch=place.batch, error=type(error).__name__)
            if bench.ended.wait(wait):
                raise EndedError from None
            wait = min(wait * 2, 10.0)
        else:
            laid.count_in(bench.store)
            return


def _config(system: SqlEngine, name: str) -> DBOSConfig:
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


def _system(bench: Bench) -> SqlEngine:
    """Where DBOS keeps its own: an encrypted file, or a schema of the same PostgreSQL."""
    settings = bench.settings
    if settings.database_url is None:
        return _embedded(settings.jobs_file, file_key(settings.jobs_file, bench.store.ring))
    address = make_url(settings.database_url.get_secret_value())
    return create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10, "application_name": "nociscreen-jobs"},
    )


def _embedded(path: Path, key: bytes) -> SqlEngine:
    """As DBOS sets SQLite up, but for the key, the log and the care in writing it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)

    def connect() -> Any:
        connection = databases.connected(path, key)
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


def _datasource(bench: Bench) -> Any:
    """Where checkpoints lie: beside the results, so that both commit in one transaction."""
    database, url = bench.store.database, bench.settings.database_url
    if url is not None:
        SQLAlchemyDatasource.migrate(
            url.get_secret_value(), schema=SCHEMA, application_role=_role(database)
        )
    return SQLAlchemyDatasource.create(
        "sqlite://" if url is None else "postgresql://",
        engine=database.immediate,
        schema=SCHEMA,
        serializer=DBOSPortableJSONSerializer(),
        run_migrations=url is None,
    )


def _role(database: Database) -> str | None:
    with database.reading() as connection:
        found = connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": APP_ROLE}
        ).first()
    return APP_ROLE if found else None
