"""The sender: whatever is due goes out, each destination in its order, until it has arrived.

Each try is written down, and audited, before anything leaves: what a dead process may have sent is
known, and sent again byte for byte under the same number.
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
    """A delivery with what is needed to send it."""

    taken: Taken
    subject: Subject | None
    sealed: Sealed
    profile: Profile
    way: Way


class Sender:
    """Sends for every organisation. Safe to run in any number of processes at once."""

    def __init__(self, store: Store, settings: Settings, house: House) -> None:
        self._store, self._settings, self._house = store, settings, house
        self._lease = Lease(str(uuid4()), settings.delivery_lease_seconds)
        self._tokens = Tokens()

    def due(self) -> list[Waiting]:
        """The destinations for which something is to be sent now."""
        with self._store.glance() as session:
            return dispatch.waiting(session, datetime.now(UTC))

    def send_all(self) -> int:
        """Send whatever is due, one destination after the other; how many tries it were."""
        return sum(self.work_off(each) for each in self.due())

    def work_off(self, waiting: Waiting, ended: threading.Event | None = None) -> int:
        """Send whatever is due at one destination; how many tries it were."""
        tries = 0
        while ended is None or not ended.is_set():
            job = self._job(waiting)
            if job is None:
                break
            self._send(waiting, job)
            tries += 1
        else:
            self._release(waiting)
        return tries

    def _release(self, waiting: Waiting) -> None:
        with self._store.transaction(self._actor(waiting)) as work:
            dispatch.release(work, waiting.destination, self._lease)
            work.audit("deliver", "destination", waiting.destination, outcome="released")

    def _job(self, waiting: Waiting) -> _Job | None:
        with self._store.transaction(self._actor(waiting)) as work:
            taken = dispatch.take(work, waiting.destination, self._lease)
            if taken is None:
                work.audit("deliver", "destination", waiting.destination, outcome="nothing_due")
                return None
            sealed = destinations.opened(work, waiting.destination)
            try:
                profile = profiles.own(taken.profile, sealed.options)
            except Problem:  # a release knows the profile, or one of these options, no more
                dispatch.end(work, taken, None, Ended("unfit", "profile"))
                work.audit("deliver", "delivery", taken.id, outcome="unfit")
                return None
            about = subject(work, taken.screening) if taken.payload is None else None
            trust = Trust(sealed.authorities, sealed.certificate_and_key)
            way = Way(allowed_hosts.allowed(work), self._settings.delivery_seconds, trust=trust)
            work.audit("deliver", "delivery", taken.id, outcome="taken")
        return _Job(taken, about, sealed, profile, way)

    def _send(self, waiting: Waiting, job: _Job) -> None:
        content, made = job.taken.payload, None
        if content is None:
            cooked = self._composed(job)
            if isinstance(cooked, Sent):
                self._end(waiting, job.taken, None, cooked)
                return
            made, content = cooked, cooked.content
        with self._store.transaction(self._actor(waiting)) as work:
            if made is not None and not self._kept(work, job.taken, made):
                work.audit("deliver", "delivery", job.taken.id, outcome="gone")
                return
            number = dispatch.begin(work, job.taken, self._lease)
            told = "begun" if number is not None else "not_ours"
            work.audit("deliver", "delivery", job.taken.id, outcome=told)
        if number is not None:
            self._end(waiting, job.taken, number, self._over(job, content))

    def _kept(self, work: Transaction, taken: Taken, made: Composed) -> bool:
        """Keep what will be sent, and its report as issued; False where it was erased."""
        if not dispatch.made(work, taken, made.content):
            return False
        if made.report is not None:
            issued_reports.issue(work, taken.screening, made.report.media_type, made.report.content)
        return True

    def _composed(self, job: _Job) -> Composed | Sent:
        """What is to be sent; or why it cannot be."""
        if job.subject is None:
            raise RuntimeError("what was not composed has a subject")
        name = control_id(job.taken.id)
        wanted = Wanted(job.subject, job.taken.event, job.profile, name, datetime.now(UTC))
        try:
            made = composed(self._house, wanted)
        except Problem as problem:
            return Sent("error", "not_composed", problem.code)
        if made.misfits:
            codes = " ".join(dict.fromkeys(each.code for each in made.misfits))
            return Sent("never", "unfit", codes)
        return made

    def _over(self, job: _Job, content: bytes) -> Sent:
        name, sealed = control_id(job.taken.id), job.sealed
        match job.profile.transport:
            case "mllp":
                return over_mllp(content, name, sealed.address, job.way)
            case "webhook":
                hook = Hook(sealed.address, sealed.webhook_secrets)
                return over_webhook(content, name, hook, job.way)
            case "fhir":
                key = sealed.signing_key()
                sign_in = SignIn(sealed.smart, key) if sealed.smart and key else None
                whose, mode = job.taken.destination, job.profile.fhir.mode
                server = Server(sealed.address, whose, mode, sign_in)
                return over_fhir(content, server, self._tokens, job.way)

    def _end(self, waiting: Waiting, taken: Taken, number: int | None, sent: Sent) -> None:
        ended = self._ended(taken, sent)
        parked = not ended.delivered and ended.due_at is None
        with self._store.transaction(self._actor(waiting)) as work:
            dispatch.end(work, taken, number, ended)
            work.audit("deliver", "delivery", taken.id, outcome=sent.outcome)
        self._store.metrics.tried(sent.outcome, parked=parked)
        if parked:
            _log.warning(
                "delivery parked",
                organisation=waiting.organisation,
                delivery=taken.id,
                outcome=sent.outcome,
            )

    def _ended(self, taken: Taken, sent: Sent) -> Ended:
        tries, errors = taken.tries + 1, taken.errors + (sent.fate == "error")
        due_at = None
        more = tries < self._settings.delivery_tries
        if sent.fate == "error":
            more = more and errors < self._settings.delivery_error_tries
        if sent.fate in ("again", "error") and more:
            due_at = datetime.now(UTC) + timedelta(seconds=max(delay(tries), sent.wait_seconds))
        return Ended(
            sent.outcome,
            sent.code,
            sent.reply,
            delivered=sent.fate == "delivered",
            error=sent.fate == "error",
            due_at=due_at,
        )

    def _actor(self, waiting: Waiting) -> Actor:
        own = organisations.SERVICE
        return Actor(waiting.organisation, own.id, own.means)


def delay(tries: int) -> float:
    """Seconds until the next try: five after the first, then twice as long, at most an hour."""
    return float(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(tries - 1, 20)))


@contextmanager
def sending(sender: Sender, workers: int) -> Iterator[None]:
    """Send in threads of our own until the block ends; what is under way then is finished first."""
    ended = threading.Event()
    busy: set[Waiting] = set()
    guard = threading.Lock()

    def work(waiting: Waiting) -> None:
        try:
            sender.work_off(waiting, ended)
        except Problem as problem:
            _log.warning("delivery", problem=problem.code)
        except Exception as error:  # noqa: BLE001 - one destination's trouble stays its own
            _log.error("delivery", error=type(error).__name__)
        finally:
            with guard:
                busy.discard(waiting)

    def look(pool: ThreadPoolExecutor) -> None:
        while not ended.wait(EVERY_SECONDS):
            try:
                due = sender.due()
            except Problem as problem:
                _log.warning("delivery", problem=problem.code)
                continue
            for each in due:
                with guard:
                    if each in busy or len(busy) >= workers:
                        continue
                    busy.add(each)
                pool.submit(work, each)

    with ThreadPoolExecutor(workers, thread_name_prefix="delivery") as pool:
        looking = threading.Thread(target=look, args=(pool,), name="deliveries", daemon=True)
        looking.start()
        try:
            yield
        finally:
            ended.set()
            looking.join(timeout=30)
