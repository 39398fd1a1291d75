"""The shape of organisations, and of who may call in their name."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from schemas.base import Frozen, Many
from schemas.patient import READABLE

Title = Annotated[str, Field(min_length=1, max_length=200, pattern=READABLE)]


class Organisation(Frozen):
    """A clinic or hospital that owns its screenings."""

    id: str
    name: Title
    test: bool = Field(description="Everything it prints says that it is a test.")
    active: bool
    retention_years: int | None = Field(description="Kept for so many years, then erased.")
    created_at: datetime


class LiveCredential(Frozen):
    """A secret or an API key as it may be shown: never itself."""

    id: str
    created_at: datetime
    expires_at: datetime | None
    scopes: Many[str] | None = None


class PublishedKey(Frozen):
    """A public key that a client registered."""

    kid: str
    jwk: dict[str, Any]
    created_at: datetime


class Client(Frozen):
    """A program that calls the API, and what it may do."""

    id: str
    name: Title
    scopes: Many[str]
    active: bool
    requests_per_minute: int | None
    created_at: datetime
    secrets: Many[LiveCredential]
    keys: Many[PublishedKey]
    key_set_url: str | None = Field(default=None, description="Where it publishes its keys.")
    api_keys: Many[LiveCredential]


class Practitioner(Frozen):
    """A person of the organisation."""

    id: str
    reference: Title
    name: Title
    scopes: Many[str]
    active: bool
    created_at: datetime
