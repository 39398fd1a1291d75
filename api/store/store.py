"""The store: opens the database with its keys, and gives transactions in one organisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from api.observability.metrics import Metrics
from api.problems import Problem
from api.store.database.engine import LOCK_SECONDS, Database
from api.store.database.tenancy import OrganisationSession
from api.store.key_ring import KeyRing
from api.store.keys.organisation_keys import OrganisationKeys
from api.store.keys.signing_keys import SigningKeys
from api.store.locks import NamedTurns
from api.store.transaction import Actor, Transaction


class Store:
    """Everything kept. Safe to use from many threads; every use is a transaction."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self.database = database
        self.metrics = Metrics()
        database.on_fault = self.metrics.storage_fault
        self.ring = ring
        self.keys = OrganisationKeys(ring)
        self.signing = SigningKeys(ring, self.glance)
        self.under_way = NamedTurns()

    @contextmanager
    def transaction(
        self, actor: Actor, wait_seconds: float = LOCK_SECONDS
    ) -> Iterator[Transaction]:
        """One unit of work in the actor's organisation: audited, or nothing of it stays.

        Raises Problem `unavailable` where the database does not serve, or a writer of this process
        holds the file for longer than that; and whatever the block raises.
        """
        with (
            self.database.writing(wait_seconds) as connection,
            OrganisationSession(connection, actor.organisation) as session,
        ):
            yield (work := self.within(session, actor))
            session.flush()
            if not work.audited:
                raise RuntimeError("a transaction left no row of audit")
        self.metrics.audited(work.audited)
        for status in work.kept:
            self.metrics.kept(status)

    @contextmanager
    def reading_on(self, actor: Actor) -> Iterator[Transaction]:
        """More of what an act, audited when it began, reads piece by piece while it is sent."""
        with (
            self.database.reading() as connection,
            OrganisationSession(connection, actor.organisation) as session,
        ):
            yield self.within(session, actor)

    def within(self, session: OrganisationSession, actor: Actor) -> Transaction:
        """Work in one organisation inside a session that is open already."""
        held = self.keys.of(session, actor.organisation)
        if held is None:
            raise Problem("not_found")
        return Transaction(session, actor, held.data, held.audit, datetime.now(UTC))

    @contextmanager
    def across(self) -> Iterator[OrganisationSession]:
        """A transaction over all organisations: for sign-in, the command line and upkeep alone."""
        with (
            self.database.writing() as connection,
            OrganisationSession(connection, None) as session,
        ):
            yield session
            session.flush()

    @contextmanager
    def glance(self) -> Iterator[OrganisationSession]:
        """A reading transaction over all organisations: whose call is this?"""
        with (
            self.database.reading() as connection,
            OrganisationSession(connection, None) as session,
        ):
            yield session

    def close(self) -> None:
        """Give back every connection."""
        self.database.engine.dispose()
