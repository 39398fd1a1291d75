"""Reads JSON from an EHR, at hosts that the operator allowed for the organisation.

EhrError    there was no acceptable response; `reason` is for the log and the audit alone
"""

from typing import Any

from api.outbound.allowlist import parse_target_url
from api.outbound.bulkhead import Bulkhead, BulkheadFullError
from api.outbound.circuit_breaker import CircuitBreaker, HostUnavailableError
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import HTTP_SCHEMES, OutboundRequest, OutboundResponse, send_request
from api.security.strict_json import decode_json
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.deliveries import allowed_hosts
from api.store.store import Store

MAX_RESPONSE_BYTES = 256 * 1024
DEADLINE_SECONDS = 10.0
_GIVES_NO_RESPONSE = ("unresolvable", "unreachable", "tls_failed", "timeout", "connection_lost")


class EhrError(Exception):
    """The EHR can't be reached, or its response is not what was asked for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EhrClient:
    """A client of the EHRs of every organisation. Thread-safe."""

    def __init__(
        self, store: Store, bulkhead: Bulkhead, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._store, self._bulkhead = store, bulkhead
        self._deadline_seconds = deadline_seconds
        self._hosts = CircuitBreaker()

    def fetch_object(self, organisation: str, request: OutboundRequest) -> dict[str, Any]:
        """Return the JSON object of a response with status 200. Raises EhrError."""
        try:
            host = parse_target_url(request.url, HTTP_SCHEMES).host_port
            with (
                self._bulkhead.enter(organisation),
                self._hosts.enter_with_others((organisation, host)) as attempt,
            ):
                try:
                    response = self._send(organisation, request)
                except OutboundError as error:
                    if error.reason in _GIVES_NO_RESPONSE:
                        attempt.fail()
                    raise
            content = decode_json(response.content)
        except OutboundError as error:
            raise EhrError(error.reason) from None
        except (BulkheadFullError, HostUnavailableError):
            raise EhrError("busy") from None
        except ValueError:
            raise EhrError("unreadable") from None
        if response.status != 200 or not isinstance(content, dict):
            raise EhrError("refused" if response.status >= 400 else "unreadable")
        return content

    def read_patient(
        self, organisation: str, fhir_url: str, patient_id: str, access_token: str
    ) -> dict[str, Any]:
        """Return the Patient with this id. Raises EhrError."""
        headers = {
            "Accept": "application/fhir+json",
            "Authorization": f"Bearer {access_token}",
        }
        url = f"{fhir_url.rstrip('/')}/Patient/{patient_id}"
        patient = self.fetch_object(organisation, OutboundRequest("GET", url, headers))
        if patient.get("resourceType") != "Patient" or patient.get("id") != patient_id:
            raise EhrError("other_patient")
        return patient

    def _send(self, organisation: str, request: OutboundRequest) -> OutboundResponse:
        actor = SERVICE_ACTOR._replace(organisation=organisation)
        with self._store.read_all_organisations() as session:
            work = self._store.join_transaction(session, actor)
            hosts = allowed_hosts.list_allowed_hosts(work)
        policy = ConnectionPolicy(hosts, self._deadline_seconds)
        return send_request(request, policy, MAX_RESPONSE_BYTES)
