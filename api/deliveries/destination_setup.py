"""Adds and changes destinations, for the API and the desk alike.

Secrets are returned once, when they are created.
"""

from typing import Annotated, Any

from pydantic import Field, SecretStr, computed_field

from api.deliveries.preview import check_destination
from api.deliveries.transports.webhook import generate_webhook_secret
from api.security.keys import generate_signing_key
from api.store.deliveries import allowed_hosts, destinations
from api.store.deliveries.destinations import DestinationSecrets
from api.store.transaction import Transaction
from schemas.base import FrozenModel
from schemas.organisations.delivery import Destination, SmartSignIn
from schemas.organisations.organisation import Title

DestinationAddress = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]
PemText = Annotated[SecretStr, Field(max_length=50_000)]
ProfileOptions = Annotated[
    dict[str, Any],
    Field(
        max_length=4,
        description="Overrides of the profile's options: document, v2, fhir, edition.",
    ),
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

    secret: str | None = Field(
        description="The secret that signs webhooks, shown only this once; null for other profiles."
    )

    @computed_field(  # type: ignore[prop-decorator]
        json_schema_extra={"deprecated": True}, description="The former name of `secret`."
    )
    @property
    def webhook_secret(self) -> str | None:
        """Return the secret."""
        return self.secret


def add_destination(work: Transaction, new_destination: NewDestination) -> DestinationWithSecret:
    """Add a destination. Raises Problem `invalid_request` or `conflict`, as its checks do."""
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
    work.audit("administer", "destination", destination_id)
    destination = destinations.find_destination(work, destination_id)
    return DestinationWithSecret(**dict(destination), secret=secret)


def change_destination(
    work: Transaction, destination_id: str, change: DestinationChange
) -> Destination:
    """Change the given members. Raises NotFoundError, or Problem as the checks do."""
    before = destinations.find_destination(work, destination_id)
    columns = change.model_dump(exclude_none=True)
    secret_changes: dict[str, Any] = {
        name: columns.pop(name) for name in ("address", "options") if name in columns
    }
    content = destinations.find_destination_secrets(work, destination_id).model_copy(
        update=secret_changes
    )
    if secret_changes:
        check_destination(before.profile, content, allowed_hosts.list_allowed_hosts(work))
    destinations.update_destination(work, destination_id, columns, content)
    work.audit("administer", "destination", destination_id)
    return destinations.find_destination(work, destination_id)


def rotate_webhook_secret(work: Transaction, destination_id: str) -> DestinationWithSecret:
    """Add a secret; the one before it stays valid. Raises NotFoundError."""
    content = destinations.find_destination_secrets(work, destination_id)
    secret = generate_webhook_secret()
    valid_secrets = (secret, *content.webhook_secrets[:1])
    content = content.model_copy(update={"webhook_secrets": valid_secrets})
    destinations.update_destination(work, destination_id, {}, content)
    work.audit("rotate", "destination", destination_id)
    destination = destinations.find_destination(work, destination_id)
    return DestinationWithSecret(**dict(destination), secret=secret)


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
