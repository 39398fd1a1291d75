"""Input for composing a delivery: the screening, the event, and the services it needs."""

from datetime import datetime
from typing import NamedTuple

from api.deliveries.screening_snapshot import Subject
from api.documents.render_pool import Layout
from api.fhir.elements import Base
from schemas.delivery import Event
from schemas.profile import Profile
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook


class House(NamedTuple):
    """The rulebooks, the PDF renderer and the canonical URLs of the service."""

    rulebooks: Catalogue
    renderer: Layout
    base: Base

    def rulebook(self, snapshot: Subject) -> LoadedRulebook:
        """Return the rulebook that scored the screening."""
        instrument, _, version = snapshot.screening.assessment.rulebook.partition("@")
        return self.rulebooks.any_status(instrument, version)


class Wanted(NamedTuple):
    """An event of a screening, composed for one destination profile under one control id."""

    subject: Subject
    event: Event
    profile: Profile
    control_id: str
    at: datetime
