"""Routes to manage destinations, and to list allowed hosts and delivery profiles.

Secrets are shown once, when they are created. Only the operator can change the list of allowed
hosts; an organisation can read it.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field, SecretStr

from api.auth.route_guard import guarded
from api.deliveries import profiles
from api.deliveries.preview import check
from api.deliveries.transports.webhook import new_secret
from api.dependencies import Acting, Creating
from api.http.error_responses import GUARDED, TAKING, refusals
from api.security.signatures import new_signing_key
from api.store.deliveries import allowed_hosts, destinations
from api.store.deliveries.destinations import Sealed
from api.store.idempotency import Answer
from api.store.transaction import Transaction
from schemas.base import Frozen, Many
from schemas.delivery import Destination, Place, Smart
from schemas.organisation import Title
from schemas.profile import Profile

router = APIRouter(prefix="/v1", tags=["deliveries"], route_class=guarded("admin"))
A_DESTINATION = "d-6f6f6f6f-0000-4000-8000-000000000005"
DestinationId = Annotated[
    str, Path(alias="destination", pattern=r"^d-[0-9a-f-]{36}$", examples=[A_DESTINATION])
]
Address = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]
Pem = Annotated[SecretStr, Field(max_length=50_000)]
Options = Annotated[
    dict[str, Any],
    Field(max_length=3, description="Overrides of the profile's options: document, v2, fhir."),
]


class Tls(Frozen):
    """TLS certificates: CAs to trust instead of the system's, and our client certificate."""

    authorities: Pem | None = Field(default=None, description="CA certificates in PEM.")
    certificate_and_key: Pem | None = Field(
        default=None, description="Client certificate and private key in PEM."
    )


class NewDestination(Frozen):
    """A new destination. The profile decides if `address` is an `mllp(s)` or `http(s)` URL."""

    name: Title
    profile: Annotated[str, Field(max_length=40)]
    address: Address
    follows: bool = True
    options: Options = Field(default_factory=dict)
    smart: Smart | None = None
    tls: Tls | None = None


class DestinationChange(Frozen):
    """Changes to a destination; omitted members stay as they are."""

    name: Title | None = None
    address: Address | None = None
    active: bool | None = None
    follows: bool | None = None
    options: Options | None = None


class MadeDestination(Destination):
    """A destination with its new webhook secret, which is shown only once."""

    webhook_secret: str | None


class ListOfDestinations(Frozen):
    """All destinations of the organisation."""

    destinations: Many[Destination]


class ListOfPlaces(Frozen):
    """Hosts and ports that the organisation's deliveries may be sent to."""

    places: Many[Place]


class ListOfProfiles(Frozen):
    """All delivery profiles; unconfirmed facts are assumptions."""

    profiles: Many[Profile]


@router.get(
    "/places",
    operation_id="list_places",
    responses=refusals(*GUARDED),
    summary="List allowed hosts",
)
def list_places(acts: Acting) -> ListOfPlaces:
    """List the hosts and ports that the operator has allowed."""
    with acts.transaction() as work:
        places = [
            Place(**allowed_host.place._asdict(), private=allowed_host.private)
            for allowed_host in allowed_hosts.allowed(work)
        ]
        work.audit("list", "place")
    return ListOfPlaces(places=tuple(places))


@router.get(
    "/delivery-profiles",
    operation_id="list_profiles",
    responses=refusals(*GUARDED),
    summary="List delivery profiles",
)
def list_profiles(acts: Acting) -> ListOfProfiles:
    """List how each kind of receiver accepts a screening, and which facts are unconfirmed."""
    with acts.transaction() as work:
        work.audit("list", "profile")
    return ListOfProfiles(profiles=tuple(profiles.profiles().values()))


@router.get(
    "/destinations",
    operation_id="list_destinations",
    responses=refusals(*GUARDED),
    summary="List destinations",
)
def list_destinations(acts: Acting) -> ListOfDestinations:
    """List every destination, with its numbers of waiting and parked deliveries."""
    with acts.transaction() as work:
        response = ListOfDestinations(destinations=tuple(destinations.every(work)))
        work.audit("list", "destination")
    return response


@router.post(
    "/destinations",
    operation_id="add_destination",
    status_code=201,
    response_model=MadeDestination,
    responses=refusals(*TAKING, 409),
    summary="Add a destination",
)
def add_destination(new_destination: NewDestination, creating: Creating) -> Response:
    """Add a destination at an allowed host. A key for SMART Backend Services is generated."""

    def create(work: Transaction) -> Answer:
        content = _build_sealed(new_destination)
        profile = check(new_destination.profile, content, allowed_hosts.allowed(work))
        secret = new_secret() if profile.transport == "webhook" else None
        if secret is not None:
            content = content.model_copy(update={"webhook_secrets": (secret,)})
        destination_id = destinations.add(
            work,
            new_destination.name,
            new_destination.profile,
            content,
            follows=new_destination.follows,
        )
        destination = destinations.found(work, destination_id)
        work.audit("administer", "destination", destination_id)
        response = MadeDestination(**dict(destination), webhook_secret=secret)
        return Answer(
            201, response.model_dump_json().encode(), f"/v1/destinations/{destination_id}"
        )

    return creating.once(create)


@router.get(
    "/destinations/{destination}",
    operation_id="read_destination",
    responses=refusals(*GUARDED, 404),
    summary="Read a destination",
)
def read_destination(destination: DestinationId, acts: Acting) -> Destination:
    """Return a destination without its secrets."""
    with acts.transaction() as work:
        stored = destinations.found(work, destination)
        work.audit("read", "destination", destination)
    return stored


@router.patch(
    "/destinations/{destination}",
    operation_id="change_destination",
    responses=refusals(*TAKING, 404, 409),
    summary="Change a destination",
)
def change_destination(
    destination: DestinationId, change: DestinationChange, acts: Acting
) -> Destination:
    """Change the given members. Deliveries composed before the change are sent as composed."""
    with acts.transaction() as work:
        before = destinations.found(work, destination)
        columns = change.model_dump(exclude_none=True)
        sealed_changes: dict[str, Any] = {
            name: columns.pop(name) for name in ("address", "options") if name in columns
        }
        content = destinations.opened(work, destination).model_copy(update=sealed_changes)
        if sealed_changes:
            check(before.profile, content, allowed_hosts.allowed(work))
        destinations.change(work, destination, columns, content)
        after = destinations.found(work, destination)
        work.audit("administer", "destination", destination)
    return after


@router.post(
    "/destinations/{destination}/webhook-secrets",
    operation_id="add_webhook_secret",
    status_code=201,
    response_model=MadeDestination,
    responses=refusals(*GUARDED, 404, 409),
    summary="Rotate a webhook secret",
)
def add_webhook_secret(destination: DestinationId, creating: Creating) -> Response:
    """Add a secret. Webhooks are signed with it and its predecessor until the next rotation."""

    def rotate(work: Transaction) -> Answer:
        content, secret = destinations.opened(work, destination), new_secret()
        valid_secrets = (secret, *content.webhook_secrets[:1])
        content = content.model_copy(update={"webhook_secrets": valid_secrets})
        destinations.change(work, destination, {}, content)
        updated = destinations.found(work, destination)
        work.audit("rotate", "destination", destination)
        response = MadeDestination(**dict(updated), webhook_secret=secret)
        return Answer(201, response.model_dump_json().encode())

    return creating.once(rotate)


@router.delete(
    "/destinations/{destination}",
    operation_id="drop_destination",
    status_code=204,
    responses=refusals(*GUARDED, 404, 409),
    summary="Delete a destination",
)
def drop_destination(destination: DestinationId, acts: Acting) -> None:
    """Delete a destination that has no deliveries; otherwise deactivate it instead."""
    with acts.transaction() as work:
        destinations.drop(work, destination)
        work.audit("administer", "destination", destination)


def _build_sealed(new_destination: NewDestination) -> Sealed:
    tls = new_destination.tls or Tls()
    key = new_signing_key("ES384") if new_destination.smart else None
    return Sealed(
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
