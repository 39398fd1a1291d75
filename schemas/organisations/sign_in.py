"""Models of invitations and of signed-in practitioners."""

from datetime import datetime

from pydantic import Field

from schemas.base import FrozenModel
from schemas.organisations.organisation import Practitioner


class Invitation(FrozenModel):
    """A single-use invitation to set up login credentials."""

    id: str
    practitioner: str
    created_at: datetime
    expires_at: datetime


class NewInvitation(Invitation):
    """A new invitation with its address, which is shown only once."""

    url: str = Field(description="Give this address only to the practitioner.")


class PractitionerSession(FrozenModel):
    """The session of a signed-in practitioner."""

    session: str
    practitioner: Practitioner
    organisation: str
    organisation_name: str
    test: bool
    since: datetime
    seen_at: datetime
    ends_at: datetime
