"""Destinations: who receives deliveries, and the places and profiles that there are for them.

Secrets are shown once, when they are made. Where connections may go is told by whoever runs the
service: an organisation reads that list and cannot change it.
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
    Field(max_length=3, description="What is other than in the profile: document, v2, fhir."),
]


class Tls(Frozen):
    """By what a receiver proves itself, where not by the system's authorities, and we to it."""

    authorities: Pem | None = Field(default=None, description="Certificates in PEM.")
    certificate_and_key: Pem | None = Field(default=None, description="Our own, in PEM.")


class NewDestination(Frozen):
    """A destination to be made. `address`: mllps://, mllp://, https:// or http://, by profile."""

    name: Title
    profile: Annotated[str, Field(max_length=40)]
    address: Address
    follows: bool = True
    options: Options = Field(default_factory=dict)
    smart: Smart | None = None
    tls: Tls | None = None


class DestinationChange(Frozen):
    """What may be changed of a destination; what is left out stays."""

    name: Title | None = None
    address: Address | None = None
    active: bool | None = None
    follows: bool | None = None
    options: Options | None = None


class MadeDestination(Destination):
    """A new destination; a webhook's secret is shown this once."""

    webhook_secret: str | None


class ListOfDestinations(Frozen):
    """All destinations of the organisation."""

    destinations: Many[Destination]


class ListOfPlaces(Frozen):
    """Where connections in the organisation's name may go."""

    places: Many[Place]


class ListOfProfiles(Frozen):
    """The kinds of receivers that there are; facts that are not confirmed are believed only."""

    profiles: Many[Profile]


@router.get(
    "/places",
    operation_id="list_places",
    responses=refusals(*GUARDED),
    summary="List the places that may be reached",
)
def list_places(acts: Acting) -> ListOfPlaces:
    """Hosts and ports that whoever runs the service has allowed."""
    with acts.transaction() as work:
        listed = [
            Place(**each.place._asdict(), private=each.private)
            for each in allowed_hosts.allowed(work)
        ]
        work.audit("list", "place")
    return ListOfPlaces(places=tuple(listed))


@router.get(
    "/delivery-profiles",
    operation_id="list_profiles",
    responses=refusals(*GUARDED),
    summary="List delivery profiles",
)
def list_profiles(acts: Acting) -> ListOfProfiles:
    """How each kind of receiver takes a screening, and what of that nobody has confirmed."""
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
    """Every destination, and how much waits for it or was given up."""
    with acts.transaction() as work:
        listed = ListOfDestinations(destinations=tuple(destinations.every(work)))
        work.audit("list", "destination")
    return listed


@router.post(
    "/destinations",
    operation_id="add_destination",
    status_code=201,
    response_model=MadeDestination,
    responses=refusals(*TAKING, 409),
    summary="Make a destination",
)
def add_destination(wanted: NewDestination, creating: Creating) -> Response:
    """At a place that is allowed. Its key for SMART Backend Services is made here."""

    def made(work: Transaction) -> Answer:
        content = _sealed(wanted)
        profile = check(wanted.profile, content, allowed_hosts.allowed(work))
        secret = new_secret() if profile.transport == "webhook" else None
        if secret is not None:
            content = content.model_copy(update={"webhook_secrets": (secret,)})
        made_id = destinations.add(
            work, wanted.name, wanted.profile, content, follows=wanted.follows
        )
        found = destinations.found(work, made_id)
        work.audit("administer", "destination", made_id)
        told = MadeDestination(**dict(found), webhook_secret=secret)
        return Answer(201, told.model_dump_json().encode(), f"/v1/destinations/{made_id}")

    return creating.once(made)


@router.get(
    "/destinations/{destination}",
    operation_id="read_destination",
    responses=refusals(*GUARDED, 404),
    summary="Read a destination",
)
def read_destination(destination: DestinationId, acts: Acting) -> Destination:
    """All but its secrets."""
    with acts.transaction() as work:
        found = destinations.found(work, destination)
        work.audit("read", "destination", destination)
    return found


@router.patch(
    "/destinations/{destination}",
    operation_id="change_destination",
    responses=refusals(*TAKING, 404, 409),
    summary="Change a destination",
)
def change_destination(
    destination: DestinationId, change: DestinationChange, acts: Acting
) -> Destination:
    """What is named is changed. What was composed already is sent as it was composed."""
    with acts.transaction() as work:
        before = destinations.found(work, destination)
        named = change.model_dump(exclude_none=True)
        inside: dict[str, Any] = {
            name: named.pop(name) for name in ("address", "options") if name in named
        }
        content = destinations.opened(work, destination).model_copy(update=inside)
        if inside:
            check(before.profile, content, allowed_hosts.allowed(work))
        destinations.change(work, destination, named, content)
        changed = destinations.found(work, destination)
        work.audit("administer", "destination", destination)
    return changed


@router.post(
    "/destinations/{destination}/webhook-secrets",
    operation_id="add_webhook_secret",
    status_code=201,
    response_model=MadeDestination,
    responses=refusals(*GUARDED, 404, 409),
    summary="Change a webhook's secret",
)
def add_webhook_secret(destination: DestinationId, creating: Creating) -> Response:
    """Signed by the new secret and by the one before it, until the next one is made."""

    def made(work: Transaction) -> Answer:
        content, secret = destinations.opened(work, destination), new_secret()
        kept = (secret, *content.webhook_secrets[:1])
        content = content.model_copy(update={"webhook_secrets": kept})
        destinations.change(work, destination, {}, content)
        found = destinations.found(work, destination)
        work.audit("rotate", "destination", destination)
        told = MadeDestination(**dict(found), webhook_secret=secret)
        return Answer(201, told.model_dump_json().encode())

    return creating.once(made)


@router.delete(
    "/destinations/{destination}",
    operation_id="drop_destination",
    status_code=204,
    responses=refusals(*GUARDED, 404, 409),
    summary="Forget a destination",
)
def drop_destination(destination: DestinationId, acts: Acting) -> None:
    """Only where nothing was ever sent; otherwise make it inactive."""
    with acts.transaction() as work:
        destinations.drop(work, destination)
        work.audit("administer", "destination", destination)


def _sealed(wanted: NewDestination) -> Sealed:
    tls = wanted.tls or Tls()
    key = new_signing_key("ES384") if wanted.smart else None
    return Sealed(
        address=wanted.address,
        options=wanted.options,
        smart=wanted.smart,
        key_kid=key.kid if key else None,
        key_pem=key.private_pem.decode() if key else None,
        authorities=_text(tls.authorities),
        certificate_and_key=_text(tls.certificate_and_key),
    )


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
