"""Routes to manage destinations, and to list allowed hosts and delivery profiles.

Secrets are shown once, when they are created. Only the operator can change the list of allowed
hosts; an organisation can read it.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field, SecretStr

from api.auth.route_guard import require_scope
from api.deliveries import profiles
from api.deliveries.preview import check_destination
from api.deliveries.transports.webhook import generate_webhook_secret
from api.dependencies import IdempotentRequestDep, RequestContextDep
from api.http.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.security.keys import generate_signing_key
from api.store.deliveries import allowed_hosts, destinations
from api.store.deliveries.destinations import DestinationSecrets
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.delivery import AllowedEndpoint, Destination, SmartSignIn
from schemas.organisation import Title
from schemas.profile import Profile

router = APIRouter(prefix="/v1", tags=["deliveries"], route_class=require_scope("admin"))
EXAMPLE_DESTINATION_ID = "d-6f6f6f6f-0000-4000-8000-000000000005"
DestinationId = Annotated[
    str, Path(alias="destination", pattern=r"^d-[0-9a-f-]{36}$", examples=[EXAMPLE_DESTINATION_ID])
]
DestinationAddress = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]
PemText = Annotated[SecretStr, Field(max_length=50_000)]
ProfileOptions = Annotated[
    dict[str, Any],
    Field(max_length=3, description="Overrides of the profile's options: document, v2, fhir."),
]


class TlsSettings(FrozenModel):
    """TLS certificates: CAs to trust instead of the system's, and our client certificate."""

    authorities: PemText | None = Field(default=None, description="CA certificates in PEM.")
    certificate_and_key: PemText | None = Field(
        default=None, description="Client certificate and private key in PEM."
    )


class NewDestination(FrozenModel):
    """A new destination. The profile decides if `address` is an `mllp(s)` or `http(s)` URL."""

    name: Title
    profile: Annotated[str, Field(max_length=40)]
    address: DestinationAddress
    follows: bool = True
    options: ProfileOptions = Field(default_factory=dict)
    smart: SmartSignIn | None = None
    tls: TlsSettings | None = None


class DestinationChange(FrozenModel):
    """Changes to a destination; omitted members stay as they are."""

    name: Title | None = None
    address: DestinationAddress | None = None
    active: bool | None = None
    follows: bool | None = None
    options: ProfileOptions | None = None


class DestinationWithSecret(Destination):
    """A destination with its new webhook secret, which is shown only once."""

    webhook_secret: str | None


class DestinationList(FrozenModel):
    """All destinations of the organisation."""

    destinations: Many[Destination]


class AllowedHostList(FrozenModel):
    """Hosts and ports that the organisation's deliveries may be sent to."""

    places: Many[AllowedEndpoint]


class DeliveryProfileList(FrozenModel):
    """All delivery profiles; unconfirmed facts are assumptions."""

    profiles: Many[Profile]


@router.get(
    "/places",
    operation_id="list_allowed_hosts",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List allowed hosts",
)
def list_allowed_hosts(acts: RequestContextDep) -> AllowedHostList:
    """List the hosts and ports that the operator has allowed."""
    with acts.transaction() as work:
        places = [
            AllowedEndpoint(
                **allowed_host.host_port._asdict(), private=allowed_host.is_private_allowed
            )
            for allowed_host in allowed_hosts.list_allowed_hosts(work)
        ]
        work.audit("list", "place")
    return AllowedHostList(places=tuple(places))


@router.get(
    "/delivery-profiles",
    operation_id="list_profiles",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List delivery profiles",
)
def list_profiles(acts: RequestContextDep) -> DeliveryProfileList:
    """List how each kind of receiver accepts a screening, and which facts are unconfirmed."""
    with acts.transaction() as work:
        work.audit("list", "profile")
    return DeliveryProfileList(profiles=tuple(profiles.load_profiles().values()))


@router.get(
    "/destinations",
    operation_id="list_destinations",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List destinations",
)
def list_destinations(acts: RequestContextDep) -> DestinationList:
    """List every destination, with its numbers of waiting and parked deliveries."""
    with acts.transaction() as work:
        response = DestinationList(destinations=tuple(destinations.list_destinations(work)))
        work.audit("list", "destination")
    return response


@router.post(
    "/destinations",
    operation_id="add_destination",
    status_code=201,
    response_model=DestinationWithSecret,
    responses=error_responses(*BODY_ERRORS, 409),
    summary="Add a destination",
)
def add_destination(new_destination: NewDestination, creating: IdempotentRequestDep) -> Response:
    """Add a destination at an allowed host. A key for SMART Backend Services is generated."""

    def create(work: Transaction) -> IdempotentResponse:
        content = _build_secrets(new_destination)
        profile = check_destination(
            new_destination.profile, content, allowed_hosts.list_allowed_hosts(work)
        )
        secret = generate_webhook_secret() if profile.transport == "webhook" else None
        if secret is not None:
            content = content.model_copy(update={"webhook_secrets": (secret,)})
        destination_id = destinations.add_destination(
            work,
            new_destination.name,
            new_destination.profile,
            content,
            follows=new_destination.follows,
        )
        destination = destinations.find_destination(work, destination_id)
        work.audit("administer", "destination", destination_id)
        response = DestinationWithSecret(**dict(destination), webhook_secret=secret)
        return IdempotentResponse(
            201, response.model_dump_json().encode(), f"/v1/destinations/{destination_id}"
        )

    return creating.run_once(create)


@router.get(
    "/destinations/{destination}",
    operation_id="read_destination",
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Read a destination",
)
def read_destination(destination: DestinationId, acts: RequestContextDep) -> Destination:
    """Return a destination without its secrets."""
    with acts.transaction() as work:
        response = destinations.find_destination(work, destination)
        work.audit("read", "destination", destination)
    return response


@router.patch(
    "/destinations/{destination}",
    operation_id="change_destination",
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Change a destination",
)
def change_destination(
    destination: DestinationId, change: DestinationChange, acts: RequestContextDep
) -> Destination:
    """Change the given members. Deliveries composed before the change are sent as composed."""
    with acts.transaction() as work:
        before = destinations.find_destination(work, destination)
        columns = change.model_dump(exclude_none=True)
        secret_changes: dict[str, Any] = {
            name: columns.pop(name) for name in ("address", "options") if name in columns
        }
        content = destinations.find_destination_secrets(work, destination).model_copy(
            update=secret_changes
        )
        if secret_changes:
            check_destination(before.profile, content, allowed_hosts.list_allowed_hosts(work))
        destinations.update_destination(work, destination, columns, content)
        after = destinations.find_destination(work, destination)
        work.audit("administer", "destination", destination)
    return after


@router.post(
    "/destinations/{destination}/webhook-secrets",
    operation_id="add_webhook_secret",
    status_code=201,
    response_model=DestinationWithSecret,
    responses=error_responses(*GUARDED_ERRORS, 404, 409),
    summary="Rotate a webhook secret",
)
def add_webhook_secret(destination: DestinationId, creating: IdempotentRequestDep) -> Response:
    """Add a secret. Webhooks are signed with it and its predecessor until the next rotation."""

    def rotate(work: Transaction) -> IdempotentResponse:
        content = destinations.find_destination_secrets(work, destination)
        secret = generate_webhook_secret()
        valid_secrets = (secret, *content.webhook_secrets[:1])
        content = content.model_copy(update={"webhook_secrets": valid_secrets})
        destinations.update_destination(work, destination, {}, content)
        updated = destinations.find_destination(work, destination)
        work.audit("rotate", "destination", destination)
        response = DestinationWithSecret(**dict(updated), webhook_secret=secret)
        return IdempotentResponse(201, response.model_dump_json().encode())

    return creating.run_once(rotate)


@router.delete(
    "/destinations/{destination}",
    operation_id="delete_destination",
    status_code=204,
    responses=error_responses(*GUARDED_ERRORS, 404, 409),
    summary="Delete a destination",
)
def delete_destination(destination: DestinationId, acts: RequestContextDep) -> None:
    """Delete a destination that has no deliveries; otherwise deactivate it instead."""
    with acts.transaction() as work:
        destinations.delete_destination(work, destination)
        work.audit("administer", "destination", destination)


def _build_secrets(new_destination: NewDestination) -> DestinationSecrets:
    tls = new_destination.tls or TlsSettings()
    key = generate_signing_key("ES384") if new_destination.smart else None
    return DestinationSecrets(
        address=new_destination.address,
        options=new_destination.options,
        smart=new_destination.smart,
        key_kid=key.kid if key else None,
        key_pem=key.private_pem.decode() if key else None,
        authorities=_reveal(tls.authorities),
        certificate_and_key=_reveal(tls.certificate_and_key),
    )


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
