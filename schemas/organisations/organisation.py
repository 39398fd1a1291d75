"""Models of organisations, their clients and their practitioners."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from schemas.base import FrozenModel, Many
from schemas.notification import EmailAddress
from schemas.text import READABLE, TEXT_RULE

Title = Annotated[str, Field(min_length=1, max_length=200, pattern=READABLE), TEXT_RULE]

_TITLES = TypeAdapter[dict[str, Title]](dict[str, Title])


def require_titles(changes: Mapping[str, Any]) -> None:
    """Check the name and the reference among the changes of a row. Raises ValidationError."""
    titles = {name: changes[name] for name in ("name", "reference") if name in changes}
    _TITLES.validate_python(titles, strict=True)


class Organisation(FrozenModel):
    """A clinic or hospital that owns its screenings."""

    id: str
    name: Title
    test: bool = Field(description="Every document is marked as a test.")
    active: bool
    retention_years: int | None = Field(description="Retention in years; null means unlimited.")
    second_approval: bool = Field(
        default=False,
        description="Erasure, merging and new clients need the approval of a second person.",
    )
    created_at: datetime


class CredentialSummary(FrozenModel):
    """A client secret or API key without its value."""

    id: str
    created_at: datetime
    expires_at: datetime | None
    scopes: Many[str] | None = None


class PublishedKey(FrozenModel):
    """A public key registered by a client."""

    kid: str
    jwk: dict[str, Any]
    created_at: datetime


class Client(FrozenModel):
    """A program that calls the API, with its scopes and credentials."""

    id: str
    name: Title
    scopes: Many[str]
    active: bool
    requests_per_minute: int | None
    created_at: datetime
    secrets: Many[CredentialSummary]
    keys: Many[PublishedKey]
    key_set_url: str | None = Field(
        default=None, description="Where the client publishes its keys."
    )
    api_keys: Many[CredentialSummary]


class Practitioner(FrozenModel):
    """A person of the organisation who can sign in."""

    id: str
    reference: Title
    name: Title
    scopes: Many[str]
    active: bool
    email: EmailAddress | None = Field(
        default=None, description="Where notifications go. It is not the name to sign in with."
    )
    gets_alerts: bool = Field(
        default=True, description="Whether red flags and arrived answers are sent to `email`."
    )
    created_at: datetime
