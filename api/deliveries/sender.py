"""Sends due deliveries, in order for each destination, and retries until they are delivered.

Every attempt is stored and audited before anything is sent. If the process dies, the same bytes are
sent again under the same control id.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import structlog

from api.deliveries import profiles
from api.deliveries.attempt_result import Sent
from api.deliveries.compose import Composed, composed
from api.deliveries.compose_request import House, Wanted
from api.deliveries.screening_snapshot import Subject, subject
from api.deliveries.transports.fhir import Server, SignIn, Tokens, over_fhir
from api.deliveries.transports.mllp import over_mllp
from api.deliveries.transports.webhook import Hook, over_webhook
from api.outbound.connection import Trust, Way
from api.problems import Problem
from api.settings import Settings
from api.store.accounts import organisations
from api.store.deliveries import allowed_hosts, destinations, dispatch
from api.store.deliveries.destinations import Sealed
from api.store.deliveries.dispatch import Ended, Lease, Taken, Waiting
from api.store.deliveries.outbox import control_id
from api.store.screenings import issued_reports
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.profile import Profile

EVERY_SECONDS = 1.0
FIRST_DELAY_SECONDS = 5.0
LONGEST_DELAY_SECONDS = 3600.0
_log = structlog.get_logger("nociscreen")


class _Job(NamedTuple):
    """A leased delivery, its destination's settings, and the snapshot if not yet composed."""

    delivery: Taken
    snapshot: Subject | None
    destination: Sealed
    profile: Profile
    policy: Way


class Sender:
    """Sends deliveries of every organisation. Several processes may run one each."""

    def __init__(self, store: Store, settings: Settings, context: House) -> None:
        self._store, self._settings, self._context = store, settings, context
        self._lease = Lease(str(uuid4()), settings.delivery_lease_seconds)
        self._tokens = Tokens()

    def due(self) -> list[Waiting]:
        """List the destinations with a due delivery."""
        with self._store.glance() as session:
            return dispatch.waiting(session, datetime.now(UTC))

    def send_all(self) -> int:
        """Send all due deliveries, destination by destination; return the number of attempts."""
        return sum(self.work_off(destination) for destination in self.due())

    def work_off(self, waiting: Waiting, stopping: threading.Event | None = None) -> int:
        """Send the due deliveries of one destination; return the number of attempts."""
        attempts = 0
        while stopping is None or not stopping.is_set():
            job = self._take_job(waiting)
            if job is None:
                break
            self._send(waiting, job)
            attempts += 1
        else:
            self._release_lease(waiting)
        return attempts

    def _release_lease(self, waiting: Waiting) -> None:
        with self._store.transaction(self._actor(waiting)) as work:
            dispatch.release(work, waiting.destination, self._lease)
            work.audit("deliver", "destination", waiting.destination, outcome="released")

    def _take_job(self, waiting: Waiting) -> _Job | None:
        with self._store.transaction(self._actor(waiting)) as work:
            delivery = dispatch.take(work, waiting.destination, self._lease)
            if delivery is None:
                work.audit("deliver", "destination", waiting.destination, outcome="nothing_due")
                return None
            destination = destinations.opened(work, waiting.destination)
            try:
                profile = profiles.own(delivery.profile, destination.options)
            except Problem:  # this release has dropped the profile or one of the options
                dispatch.end(work, delivery, None, Ended("unfit", "profile"))
                work.audit("deliver", "delivery", delivery.id, outcome="unfit")
                return None
            snapshot = subject(work, delivery.screening) if delivery.payload is None else None
            trust = Trust(destination.authorities, destination.certificate_and_key)
            policy = Way(allowed_hosts.allowed(work), self._settings.delivery_seconds, trust=trust)
            work.audit("deliver", "delivery", delivery.id, outcome="taken")
        return _Job(delivery, snapshot, destination, profile, policy)

    def _send(self, waiting: Waiting, job: _Job) -> None:
        delivery, content, payload = job.delivery, job.delivery.payload, None
        if content is None:
            result = self._compose(job)
            if isinstance(result, Sent):
                self._record_result(waiting, delivery, None, result)
                return
            payload, content = result, result.content
        with self._store.transaction(self._actor(waiting)) as work:
            if payload is not None and not self._store_payload(work, delivery, payload):
                work.audit("deliver", "delivery", delivery.id, outcome="gone")
                return
            number = dispatch.begin(work, delivery, self._lease)
            outcome = "begun" if number is not None else "not_ours"
            work.audit("deliver", "delivery", delivery.id, outcome=outcome)
        if number is not None:
            self._record_result(waiting, delivery, number, self._transmit(job, content))

    def _store_payload(self, work: Transaction, delivery: Taken, payload: Composed) -> bool:
        """Store the payload, and its report as issued; False if the delivery was erased."""
        if not dispatch.made(work, delivery, payload.content):
            return False
        if (report := payload.report) is not None:
            issued_reports.issue(work, delivery.screening, report.media_type, report.content)
        return True

    def _compose(self, job: _Job) -> Composed | Sent:
        """Return the payload, or the result that says why it can't be composed."""
        if job.snapshot is None:
            raise RuntimeError("expected a snapshot for a delivery without a payload")
        name = control_id(job.delivery.id)
        request = Wanted(job.snapshot, job.delivery.event, job.profile, name, datetime.now(UTC))
        try:
            payload = composed(self._context, request)
        except Problem as problem:
            return Sent("transient_failure", "not_composed", problem.code)
        if payload.misfits:
            codes = " ".join(dict.fromkeys(misfit.code for misfit in payload.misfits))
            return Sent("permanent_failure", "unfit", codes)
        return payload

    def _transmit(self, job: _Job, content: bytes) -> Sent:
        name, destination = control_id(job.delivery.id), job.destination
        match job.profile.transport:
            case "mllp":
                return over_mllp(content, name, destination.address, job.policy)
            case "webhook":
                endpoint = Hook(destination.address, destination.webhook_secrets)
                return over_webhook(content, name, endpoint, job.policy)
            case "fhir":
                smart, key = destination.smart, destination.signing_key()
                login = SignIn(smart, key) if smart and key else None
                destination_id, mode = job.delivery.destination, job.profile.fhir.mode
                server = Server(destination.address, destination_id, mode, login)
                return over_fhir(content, server, self._tokens, job.policy)

    def _record_result(
        self, waiting: Waiting, delivery: Taken, number: int | None, result: Sent
    ) -> None:
        ended = self._schedule(delivery, result)
        parked = not ended.delivered and ended.due_at is None
        with self._store.transaction(self._actor(waiting)) as work:
            dispatch.end(work, delivery, number, ended)
            work.audit("deliver", "delivery", delivery.id, outcome=result.outcome)
        self._store.metrics.tried(result.outcome, parked=parked)
        if parked:
            _log.warning(
                "delivery parked",
                organisation=waiting.organisation,
                delivery=delivery.id,
                outcome=result.outcome,
            )

    def _schedule(self, delivery: Taken, result: Sent) -> Ended:
        """Decide whether and when the delivery is tried again."""
        is_error = result.fate == "transient_failure"
        attempts, errors = delivery.tries + 1, delivery.errors + is_error
        may_retry = attempts < self._settings.delivery_tries
        if is_error:
            may_retry = may_retry and errors < self._settings.delivery_error_tries
        due_at = None
        if result.fate in ("no_response", "transient_failure") and may_retry:
            wait_seconds = max(delay(attempts), result.wait_seconds)
            due_at = datetime.now(UTC) + timedelta(seconds=wait_seconds)
        return Ended(
            result.outcome,
            result.code,
            result.reply,
            delivered=result.fate == "delivered",
            error=is_error,
            due_at=due_at,
        )

    def _actor(self, waiting: Waiting) -> Actor:
        service = organisations.SERVICE
        return Actor(waiting.organisation, service.id, service.means)


def delay(attempts: int) -> float:
    """Return the seconds until the next attempt: five, then doubled each time, at most an hour."""
    return float(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(attempts - 1, 20)))


@contextmanager
def sending(sender: Sender, workers: int) -> Iterator[None]:
    """Send in background threads until the block ends; attempts in progress are then completed."""
    stopping = threading.Event()
    busy: set[Waiting] = set()
    busy_lock = threading.Lock()

    def send(destination: Waiting) -> None:
        try:
            sender.work_off(destination, stopping)
        except Problem as problem:
            _log.warning("delivery", problem=problem.code)
        except Exception as error:  # noqa: BLE001 - one destination's failure must not stop the others
            _log.error("delivery", error=type(error).__name__)
        finally:
            with busy_lock:
                busy.discard(destination)

    def poll(pool: ThreadPoolExecutor) -> None:
        while not stopping.wait(EVERY_SECONDS):
            try:
                due = sender.due()
            except Problem as problem:
                _log.warning("delivery", problem=problem.code)
                continue
            for destination in due:
                with busy_lock:
                    if destination in busy or len(busy) >= workers:
                        continue
                    busy.add(destination)
                pool.submit(send, destination)

    with ThreadPoolExecutor(workers, thread_name_prefix="delivery") as pool:
        poller = threading.Thread(target=poll, args=(pool,), name="deliveries", daemon=True)
        poller.start()
        try:
            yield
        finally:
            stopping.set()
            poller.join(timeout=30)
