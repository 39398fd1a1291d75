"""The entry point to stored records: combines database and keys, and begins transactions."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Executable, exc

from api.observability.metrics import Metrics
from api.store.audit import chain
from api.store.database.engine import LOCK_SECONDS, Database
from api.store.database.prepared_queries import LookUpConnection, PreparedQuery
from api.store.database.tenancy import OrganisationSession
from api.store.errors import NotFoundError
from api.store.group_commit import GroupCommit, NotGroupedError
from api.store.key_ring import KeyRing
from api.store.keys.organisation_keys import OrganisationKeys
from api.store.keys.signing_keys import SigningKeys
from api.store.locks import KeyedLocks
from api.store.transaction import Actor, Transaction
from api.store.withdrawal_ledger import WithdrawalLedger
from schemas.canonical import CANONICAL_BASE
from schemas.organisations.audit import AuditedAction


class Store:
    """Access to all stored records, always in a transaction. Thread-safe."""

    def __init__(
        self, database: Database, ring: KeyRing, ledger: WithdrawalLedger | None = None
    ) -> None:
        self.database = database
        self.metrics = Metrics()
        database.on_fault = self.metrics.record_storage_fault
        self.key_ring = ring
        self.ledger = ledger
        self.ledger_fault: str | None = None
        """What the operator must settle before the service may serve; see `withdrawals`."""
        self.canonical_bases: tuple[str, ...] = (CANONICAL_BASE,)
        """What canonical URLs begin with: the fixed base, then the addresses that the service has
        had; see `canonical_bases`."""
        self.organisation_keys = OrganisationKeys(ring)
        self.signing_keys = SigningKeys(ring, self.read_all_organisations)
        self.key_locks = KeyedLocks()
        self.group_commit = GroupCommit(self._run_group)
        self._look_ups = LookUpConnection(database.engine)

    @contextmanager
    def transaction(
        self, actor: Actor, wait_seconds: float = LOCK_SECONDS
    ) -> Iterator[Transaction]:
        """Begin a unit of work, which must be audited. Raises UnavailableError."""
        withdrawal_ids: list[str] = []
        with (
            self._record_outcome(withdrawal_ids),
            self.database.begin_write(wait_seconds) as connection,
            OrganisationSession(connection, actor.organisation) as session,
        ):
            work = self.join_transaction(session, actor)
            work.withdrawal_ids = withdrawal_ids
            yield work
            session.flush()
            if not work.audit_row_count:
                raise RuntimeError("the transaction wrote no audit row")
        self._count_stored(work)

    def _run_group(
        self,
        organisation: str,
        writes: Sequence[tuple[Actor, Callable[[Transaction], Any]]],
    ) -> list[Any]:
        """Run units of work of one organisation in one transaction; return the result of each.

        Raises NotGroupedError if a statement fails before the COMMIT on a connection that still
        works, and UnavailableError for other faults of the database.
        """
        withdrawal_ids: list[str] = []
        database_errors = exc.DBAPIError, self.database.engine.dialect.loaded_dbapi.Error
        with (
            self._record_outcome(withdrawal_ids),
            self.database.begin_write() as connection,
            OrganisationSession(connection, organisation) as session,
        ):
            try:
                outcomes = self._run_writes(session, writes, withdrawal_ids)
            except database_errors as error:
                if connection.invalidated:
                    raise
                raise NotGroupedError from error
        for work, _ in outcomes:
            self._count_stored(work)
        return [result for _, result in outcomes]

    def _run_writes(
        self,
        session: OrganisationSession,
        writes: Sequence[tuple[Actor, Callable[[Transaction], Any]]],
        withdrawal_ids: list[str],
    ) -> list[tuple[Transaction, Any]]:
        """Run the writes of a group and chain their audit rows; return each with its result."""
        outcomes = []
        acts: list[tuple[AuditedAction, datetime]] = []
        for actor, act in writes:
            work = self.join_transaction(session, actor)
            work.withdrawal_ids, work.group_acts = withdrawal_ids, acts
            outcomes.append((work, act(work)))
            if not work.audit_row_count:
                raise RuntimeError("a write of a group wrote no audit row")
        session.flush()
        keys = self.organisation_keys.load_keys(session, writes[0][0].organisation)
        if keys is not None and acts:
            chain.append_entries(session, keys.audit, acts)
        return outcomes

    def _count_stored(self, work: Transaction) -> None:
        self.metrics.record_audit_rows(work.audit_row_count)
        for status in work.stored_statuses:
            self.metrics.record_screening(status)

    @contextmanager
    def _record_outcome(self, withdrawal_ids: list[str]) -> Iterator[None]:
        """Record in the ledger whether the transaction of these entries was committed."""
        committed = False
        try:
            yield
            committed = True
        finally:
            if self.ledger is not None and withdrawal_ids:
                self.ledger.record_outcome(withdrawal_ids, committed=committed)

    @contextmanager
    def continue_read(self, actor: Actor) -> Iterator[Transaction]:
        """Begin a further read for a streamed response whose audit row is already committed."""
        with (
            self.database.begin_read() as connection,
            OrganisationSession(connection, actor.organisation) as session,
        ):
            yield self.join_transaction(session, actor)

    def join_transaction(self, session: OrganisationSession, actor: Actor) -> Transaction:
        """Return a unit of work on an open session. Raises NotFoundError."""
        keys = self.organisation_keys.load_keys(session, actor.organisation)
        if keys is None:
            raise NotFoundError
        return Transaction(
            session, actor, keys.data, keys.audit, datetime.now(UTC), ledger=self.ledger
        )

    @contextmanager
    def write_all_organisations(self) -> Iterator[OrganisationSession]:
        """Begin a write transaction over all organisations: login, command line, housekeeping."""
        with (
            self.database.begin_write() as connection,
            OrganisationSession(connection, None) as session,
        ):
            yield session
            session.flush()

    @contextmanager
    def read_all_organisations(self) -> Iterator[OrganisationSession]:
        """Begin a read transaction over all organisations, for example to identify a caller."""
        with (
            self.database.begin_read() as connection,
            OrganisationSession(connection, None) as session,
        ):
            yield session

    def look_up(self, query: Executable) -> Any:
        """Return the one row of a query over all organisations, or None."""
        with self.read_all_organisations() as session:
            return session.execute(query).one_or_none()

    def look_up_prepared(self, query: PreparedQuery, **parameters: Any) -> Any:
        """Return the one row of a prepared query over all organisations, or None.

        Raises UnavailableError.
        """
        with self.database.translate_errors():
            rows = self._look_ups.fetch(query, **parameters)
        return rows[0] if rows else None

    def look_up_at_once(self, query: PreparedQuery, **parameters: Any) -> Any:
        """Return the one row of a prepared query, or None, also where a wait is possible.

        It may be called on an event loop. Raises UnavailableError.
        """
        if not self.database.is_embedded:
            return None
        with self.database.translate_errors():
            rows = self._look_ups.fetch_at_once(query, **parameters)
        return rows[0] if rows else None

    def close(self) -> None:
        """Store what waits, and close every database connection."""
        self.group_commit.close()
        self._look_ups.close()
        self.database.engine.dispose()
