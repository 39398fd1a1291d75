"""The shape of signing in: who is signed in, and what an invitation says."""

from datetime import datetime

from pydantic import Field

from schemas.base import Frozen
from schemas.organisation import Practitioner


class Invitation(Frozen):
    """An invitation to choose what to sign in with, once."""

    id: str
    practitioner: str
    created_at: datetime
    expires_at: datetime


class NewInvitation(Invitation):
    """A new invitation with its address, which is shown this once."""

    url: str = Field(description="Give it to the practitioner, and to nobody else.")


class SignedIn(Frozen):
    """A practitioner who is signed in, and where."""

    session: str
    practitioner: Practitioner
    organisation: str
    organisation_name: str
    test: bool
    since: datetime
    seen_at: datetime
    ends_at: datetime
