"""Launches of the desk from an EHR (SMART App Launch), as a public client with PKCE.

The operator registers the EHR: its FHIR address, the client id that it gave to this service, and
its keys. No secret is stored; those of a launch are only in the browser, encrypted.

LaunchError    the launch is refused; `reason` is for the log and the audit alone
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from api.auth.ehr_client import EhrClient, EhrError
from api.auth.services import Services
from api.desk.access.ehr_patient import build_known_patient
from api.desk.access.sealed_values import seal_value, unseal_value
from api.fhir.elements import ID_PATTERN
from api.outbound.allowlist import parse_target_url
from api.outbound.http_client import HTTP_SCHEMES, OutboundRequest
from api.security.base64url import encode_base64url
from api.security.jwks import parse_jwks
from api.security.signatures import InvalidTokenError
from api.security.tokens.id_tokens import VerifiedIdentity, verify_id_token
from api.store.accounts import issuers
from api.store.accounts.issuers import TrustedIssuer
from schemas.patients.patient import KnownPatient

FLOW_SECONDS = 600
RETURN_PATH = "/launch/return"
_FLOW, _CONTEXT = b"a launch from an EHR", b"the context of a launch and its user"
_SCOPES = "openid fhirUser"


class LaunchError(Exception):
    """The launch is not valid, or the EHR gave no valid response."""

    def __init__(self, reason: str, organisation: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.organisation = reason, organisation


class LaunchContext(NamedTuple):
    """Who launched the desk, as the EHR says, and for which patient.

    The issuer is the FHIR address that the operator registered. What the EHR calls itself never
    names an account: it could be the name of another EHR or of the identity provider.
    `ehr_practitioner` is the id of the EHR's Practitioner, for the audit alone; empty if the EHR
    names none.
    """

    organisation: str
    issuer: str
    subject: str
    ehr_practitioner: str
    patient: KnownPatient | None


class _Flow(NamedTuple):
    """One launch in progress."""

    fhir_url: str
    state: str
    nonce: str
    verifier: str


class SmartLaunch:
    """Launches from the EHRs that organisations trust."""

    def __init__(self, services: Services) -> None:
        self._settings, self._store = services.settings, services.store
        self._ehr: EhrClient = services.ehr_client
        self._redirect_uri = f"{services.settings.public_url}{RETURN_PATH}"

    def start_launch(self, fhir_url: str, launch: str) -> tuple[str, str]:
        """Return the URL of the EHR's authorization and the sealed flow. Raises LaunchError.

        Without a `launch` of the EHR the launch is standalone, and the EHR asks for the patient.
        """
        registration = self._find_registration(fhir_url)
        configuration = self._discover(registration)
        endpoint = _read_url(configuration, "authorization_endpoint", registration)
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
        flow = _Flow(registration.issuer.issuer, state, nonce, verifier)
        capabilities = configuration.get("capabilities") or ()
        read_scope = "patient/Patient.r" + ("" if "permission-v2" in capabilities else "ead")
        scopes = f"{_SCOPES} {'launch' if launch else 'launch/patient'} {read_scope}"
        parameters = {
            "response_type": "code",
            "client_id": registration.issuer.terms.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": scopes,
            "state": state,
            "aud": registration.issuer.issuer,
            "nonce": nonce,
            "code_challenge": encode_base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        } | ({"launch": launch} if launch else {})
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"
        return url, seal_value(self._store.key_ring, _FLOW, list(flow), FLOW_SECONDS)

    def finish_launch(self, cookie: str, response: Mapping[str, str]) -> LaunchContext:
        """Return who launched the desk for whom. Raises LaunchError."""
        value = unseal_value(self._store.key_ring, _FLOW, cookie)
        if value is None:
            raise LaunchError("no_flow")
        flow = _Flow(*value)
        registration = self._find_registration(flow.fhir_url)
        organisation = registration.issuer.organisation
        state = response.get("state", "")
        if not secrets.compare_digest(state.encode(), flow.state.encode()):
            raise LaunchError("state", organisation)
        if not response.get("code"):
            raise LaunchError("no_code", organisation)
        configuration = self._discover(registration)
        issuer = str(configuration.get("issuer") or registration.issuer.issuer)
        is_named = bool(configuration.get("authorization_response_iss_parameter_supported"))
        if response.get("iss", "" if is_named else issuer) != issuer:  # RFC 9207
            raise LaunchError("other_issuer", organisation)
        token = self._redeem_code(registration, configuration, response["code"], flow)
        identity = self._verify_identity(registration, issuer, token, flow.nonce)
        patient = self._read_patient(registration, token)
        fhir_url = registration.issuer.issuer
        practitioner = _find_practitioner(identity.fhir_user, fhir_url)
        return LaunchContext(organisation, fhir_url, identity.subject, practitioner, patient)

    def seal_context(self, context: LaunchContext) -> str:
        """Return the context for the browser's cookie."""
        patient = context.patient.model_dump(mode="json") if context.patient else None
        value = [*context[:4], patient]
        return seal_value(self._store.key_ring, _CONTEXT, value, FLOW_SECONDS)

    def unseal_context(self, cookie: str) -> LaunchContext | None:
        """Return the context of a cookie; None if it is not valid or too old."""
        value = unseal_value(self._store.key_ring, _CONTEXT, cookie)
        if value is None:
            return None
        organisation, issuer, subject, practitioner, patient_value = value
        patient = KnownPatient.model_validate(patient_value) if patient_value else None
        return LaunchContext(organisation, issuer, subject, practitioner, patient)

    def _find_registration(self, fhir_url: str) -> TrustedIssuer:
        for name in dict.fromkeys((fhir_url, fhir_url.rstrip("/"), f"{fhir_url}/")):
            if 0 < len(name) <= 500:
                registration = issuers.look_up_trusted_issuer(self._store, "launch", name)
                if registration is not None:
                    return registration
        raise LaunchError("issuer")

    def _discover(self, registration: TrustedIssuer) -> dict[str, Any]:
        url = f"{registration.issuer.issuer.rstrip('/')}/.well-known/smart-configuration"
        return self._fetch(registration, OutboundRequest("GET", url, _ACCEPT), "discovery")

    def _redeem_code(
        self, registration: TrustedIssuer, configuration: Mapping[str, Any], code: str, flow: _Flow
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": registration.issuer.terms.client_id,
            "code_verifier": flow.verifier,
        }
        headers = _ACCEPT | {"Content-Type": "application/x-www-form-urlencoded"}
        url = _read_url(configuration, "token_endpoint", registration)
        request = OutboundRequest("POST", url, headers, urlencode(form).encode())
        return self._fetch(registration, request, "token")

    def _verify_identity(
        self, registration: TrustedIssuer, issuer: str, token: Mapping[str, Any], nonce: str
    ) -> VerifiedIdentity:
        """Return whom the ID token names, by the keys that the operator registered."""
        terms, organisation = registration.issuer.terms, registration.issuer.organisation
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise LaunchError("no_id_token", organisation)
        keys = terms.keys
        try:
            if not keys and terms.key_set_url is not None:
                request = OutboundRequest("GET", terms.key_set_url, _ACCEPT)
                keys = parse_jwks(self._fetch(registration, request, "keys"))
            return verify_id_token(
                id_token, keys=keys, issuer=issuer, client=terms.client_id or "", nonce=nonce
            )
        except InvalidTokenError as error:
            raise LaunchError(f"id_token_{error.reason or 'invalid'}", organisation) from None
        except ValueError:
            raise LaunchError("keys_unreadable", organisation) from None

    def _read_patient(
        self, registration: TrustedIssuer, token: Mapping[str, Any]
    ) -> KnownPatient | None:
        """Return the patient of the launch; None without one."""
        patient_id, access_token = token.get("patient"), token.get("access_token")
        if patient_id is None:
            return None
        organisation, terms = registration.issuer.organisation, registration.issuer.terms
        if not isinstance(patient_id, str) or not isinstance(access_token, str):
            raise LaunchError("patient", organisation)
        fhir_url = registration.issuer.issuer
        try:
            resource = self._ehr.read_patient(organisation, fhir_url, patient_id, access_token)
        except EhrError as error:
            raise LaunchError(f"patient_{error.reason}", organisation) from None
        patient = build_known_patient(resource, terms.patient_system, fhir_url)
        if patient is None:
            raise LaunchError("patient_not_certain", organisation)
        return patient

    def _fetch(
        self, registration: TrustedIssuer, request: OutboundRequest, step: str
    ) -> dict[str, Any]:
        try:
            return self._ehr.fetch_object(registration.issuer.organisation, request)
        except EhrError as error:
            reason = f"{step}_{error.reason}"
            raise LaunchError(reason, registration.issuer.organisation) from None


_ACCEPT = {"Accept": "application/json"}


def _find_practitioner(fhir_user: str, fhir_url: str) -> str:
    """Return the id of the EHR's Practitioner that `fhirUser` names; empty for any other user."""
    reference = fhir_user.removeprefix(f"{fhir_url.rstrip('/')}/")
    match = re.fullmatch(rf"Practitioner/({ID_PATTERN})", reference)
    return match[1] if match else ""


def _read_url(configuration: Mapping[str, Any], name: str, registration: TrustedIssuer) -> str:
    """Return an endpoint of the EHR's configuration, which must use TLS where the EHR does."""
    url = configuration.get(name)
    try:
        target = parse_target_url(url if isinstance(url, str) else "", HTTP_SCHEMES)
    except ValueError:
        raise LaunchError("discovery_unreadable", registration.issuer.organisation) from None
    if registration.issuer.issuer.startswith("https://") and not target.uses_tls:
        raise LaunchError("discovery_not_encrypted", registration.issuer.organisation)
    return str(url)
