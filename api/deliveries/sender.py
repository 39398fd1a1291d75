"""Sends due deliveries, in order for each destination, and retries until they are delivered.

Every attempt is stored and audited before anything is sent. If the process dies, the same bytes are
sent again under the same control id.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import structlog

from api.deliveries import profiles
from api.deliveries.attempt_result import AttemptResult
from api.deliveries.compose import ComposedPayload, compose_payload
from api.deliveries.compose_request import ComposeContext, ComposeRequest
from api.deliveries.screening_snapshot import ScreeningSnapshot, load_screening_snapshot
from api.deliveries.subscription_notification import SubscriptionState
from api.deliveries.transports.fhir import (
    AccessTokenCache,
    FhirServer,
    SmartCredentials,
    send_over_fhir,
)
from api.deliveries.transports.mllp import send_over_mllp
from api.deliveries.transports.rest_hook import send_over_rest_hook
from api.deliveries.transports.webhook import WebhookEndpoint, send_over_webhook
from api.outbound.allowlist import DEFAULT_PORTS, HostPort, parse_target_url
from api.outbound.circuit_breaker import HostAttempt
from api.outbound.connection import ConnectionPolicy, TlsCredentials
from api.problems import Problem
from api.settings import Settings
from api.store.accounts import organisations
from api.store.deliveries import allowed_hosts, destinations, dispatch
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.dispatch import AttemptEnd, ClaimedDelivery, DueDestination, Lease
from api.store.deliveries.outbox import build_control_id
from api.store.screenings import issued_reports
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.organisations.profile import Profile

POLL_INTERVAL_SECONDS = 1.0
FIRST_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 3600.0
INCOMPATIBLE = "incompatible_with_destination"
_log = structlog.get_logger("nociscreen")


class _Job(NamedTuple):
    """A leased delivery, its destination's settings, and the snapshot if not yet composed."""

    delivery: ClaimedDelivery
    snapshot: ScreeningSnapshot | None
    destination: DestinationSecrets
    profile: Profile
    policy: ConnectionPolicy


class DeliverySender:
    """Sends deliveries of every organisation. Several processes may run one each."""

    def __init__(self, store: Store, settings: Settings, context: ComposeContext) -> None:
        self._store, self._settings, self._context = store, settings, context
        self._lease = Lease(str(uuid4()), settings.delivery_lease_seconds)
        self._tokens = AccessTokenCache()

    def list_due_destinations(self) -> list[DueDestination]:
        """List the destinations with a due delivery."""
        with self._store.read_all_organisations() as session:
            return dispatch.list_due_destinations(session, datetime.now(UTC))

    def find_host(self, waiting: DueDestination) -> HostPort:
        """Return the host of a destination. Raises NotFoundError."""
        with self._store.read_all_organisations() as session:
            work = self._store.join_transaction(session, self._actor(waiting))
            address = destinations.find_destination_secrets(work, waiting.destination).address
        return parse_target_url(address, DEFAULT_PORTS).host_port

    def drain(
        self,
        waiting: DueDestination,
        stopping: threading.Event,
        host: HostAttempt,
    ) -> int:
        """Send the due deliveries of one destination; return the number of attempts.

        The first attempt without a response is the host's failure, and the last attempt.
        """
        attempts = 0
        while not (stopping.is_set() or host.has_failed):
            job = self._take_job(waiting)
            if job is None:
                break
            result = self._send(waiting, job)
            attempts += 1
            if result is not None and result.disposition == "no_response":
                host.fail()
        else:
            self._release_lease(waiting)
        return attempts

    def _release_lease(self, waiting: DueDestination) -> None:
        with self._store.transaction(self._actor(waiting)) as work:
            dispatch.release_lease(work, waiting.destination, self._lease)
            work.audit("deliver", "destination", waiting.destination, outcome="released")

    def _take_job(self, waiting: DueDestination) -> _Job | None:
        with self._store.transaction(self._actor(waiting)) as work:
            delivery = dispatch.claim_delivery(work, waiting.destination, self._lease)
            if delivery is None:
                work.audit("deliver", "destination", waiting.destination, outcome="nothing_due")
                return None
            destination = destinations.find_destination_secrets(work, waiting.destination)
            try:
                profile = profiles.apply_options(delivery.profile, destination.options)
            except Problem:  # this release has dropped the profile or one of the options
                dispatch.end_attempt(work, delivery, None, AttemptEnd(INCOMPATIBLE, "profile"))
                work.audit("deliver", "delivery", delivery.id, outcome=INCOMPATIBLE)
                return None
            snapshot = (
                load_screening_snapshot(work, delivery.screening)
                if delivery.payload is None
                else None
            )
            tls_credentials = TlsCredentials(
                destination.authorities, destination.certificate_and_key
            )
            policy = ConnectionPolicy(
                allowed_hosts.list_allowed_hosts(work),
                self._settings.delivery_seconds,
                tls_credentials=tls_credentials,
            )
            work.audit("deliver", "delivery", delivery.id, outcome="taken")
        return _Job(delivery, snapshot, destination, profile, policy)

    def _send(self, waiting: DueDestination, job: _Job) -> AttemptResult | None:
        """Make one attempt; return its result, or None if another process has the delivery."""
        delivery, content, payload = job.delivery, job.delivery.payload, None
        if content is None:
            result = self._compose(job)
            if isinstance(result, AttemptResult):
                self._record_result(waiting, delivery, None, result)
                return result
            payload, content = result, result.content
        with self._store.transaction(self._actor(waiting)) as work:
            if payload is not None and not self._store_payload(work, delivery, payload):
                work.audit("deliver", "delivery", delivery.id, outcome="gone")
                return None
            number = dispatch.begin_attempt(work, delivery, self._lease)
            outcome = "begun" if number is not None else "not_ours"
            work.audit("deliver", "delivery", delivery.id, outcome=outcome)
        if number is None:
            return None
        result = self._transmit(job, content)
        self._record_result(waiting, delivery, number, result)
        return result

    def _store_payload(
        self, work: Transaction, delivery: ClaimedDelivery, payload: ComposedPayload
    ) -> bool:
        """Store the payload, and its report as issued; False if the delivery was erased."""
        if not dispatch.store_payload(work, delivery, payload.content):
            return False
        if (report := payload.report) is not None:
            issued_reports.add_issued_report(
                work, delivery.screening, report.media_type, report.content
            )
        return True

    def _compose(self, job: _Job) -> ComposedPayload | AttemptResult:
        """Return the payload, or the result that says why it can't be composed."""
        if job.snapshot is None:
            raise RuntimeError("expected a snapshot for a delivery without a payload")
        name = build_control_id(job.delivery.id)
        terms = job.destination.subscription
        subscription = None
        if terms is not None:
            number = job.delivery.destination.removeprefix("d-")
            subscription = SubscriptionState(number, terms, job.delivery.seq)
        request = ComposeRequest(
            job.snapshot, job.delivery.event, job.profile, name, datetime.now(UTC), subscription
        )
        try:
            payload = compose_payload(self._context, request)
        except Problem as problem:
            return AttemptResult("transient_failure", "not_composed", problem.code)
        if payload.misfits:
            codes = " ".join(dict.fromkeys(misfit.code for misfit in payload.misfits))
            return AttemptResult("permanent_failure", INCOMPATIBLE, codes)
        return payload

    def _transmit(self, job: _Job, content: bytes) -> AttemptResult:
        name, destination = build_control_id(job.delivery.id), job.destination
        policy = job.policy.start_deadline()
        match job.profile.transport:
            case "mllp":
                return send_over_mllp(content, name, destination.address, policy)
            case "webhook":
                endpoint = WebhookEndpoint(destination.address, destination.webhook_secrets)
                return send_over_webhook(content, name, endpoint, policy)
            case "subscription":
                terms = destination.subscription
                headers = terms.headers if terms else ()
                return send_over_rest_hook(content, destination.address, headers, policy)
            case "fhir":
                smart, key = destination.smart, destination.load_signing_key()
                login = SmartCredentials(smart, key) if smart and key else None
                destination_id, options = job.delivery.destination, job.profile.fhir
                server = FhirServer(
                    destination.address,
                    destination_id,
                    options.mode,
                    login,
                    options.looks_up_patient,
                )
                return send_over_fhir(content, server, self._tokens, policy)

    def _record_result(
        self,
        waiting: DueDestination,
        delivery: ClaimedDelivery,
        number: int | None,
        result: AttemptResult,
    ) -> None:
        ending = self._schedule(delivery, result)
        parked = not ending.delivered and ending.due_at is None
        with self._store.transaction(self._actor(waiting)) as work:
            dispatch.end_attempt(work, delivery, number, ending)
            work.audit("deliver", "delivery", delivery.id, outcome=result.outcome)
        self._store.metrics.record_delivery_attempt(result.outcome)
        if parked:
            _log.warning(
                "delivery parked",
                organisation=waiting.organisation,
                delivery=delivery.id,
                outcome=result.outcome,
            )

    def _schedule(self, delivery: ClaimedDelivery, result: AttemptResult) -> AttemptEnd:
        """Decide whether and when the delivery is tried again."""
        is_error = result.disposition == "transient_failure"
        attempts, errors = delivery.tries + 1, delivery.errors + is_error
        may_retry = attempts < self._settings.delivery_attempts
        if is_error:
            may_retry = may_retry and errors < self._settings.delivery_error_attempts
        due_at = None
        if result.disposition in ("no_response", "transient_failure") and may_retry:
            wait_seconds = max(compute_retry_delay(attempts), result.retry_after_seconds)
            due_at = datetime.now(UTC) + timedelta(seconds=wait_seconds)
        return AttemptEnd(
            result.outcome,
            result.receiver_code,
            result.reply,
            delivered=result.disposition == "delivered",
            is_error=is_error,
            due_at=due_at,
        )

    def _actor(self, waiting: DueDestination) -> Actor:
        service = organisations.SERVICE_ACTOR
        return Actor(waiting.organisation, service.id, service.means)


def compute_retry_delay(attempts: int) -> float:
    """Return the seconds until the next attempt: five, then doubled each time, at most an hour."""
    return float(min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, 20)))
