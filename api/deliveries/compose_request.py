"""Wanted: what is to be told of a screening, and what of the service that takes."""

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
    """What composing needs of the service."""

    rulebooks: Catalogue
    renderer: Layout
    base: Base

    def rulebook(self, subject: Subject) -> LoadedRulebook:
        """The rulebook that the subject was scored by."""
        instrument, _, version = subject.screening.assessment.rulebook.partition("@")
        return self.rulebooks.any_status(instrument, version)


class Wanted(NamedTuple):
    """What is to be told of a subject, how, under which number, and as of when."""

    subject: Subject
    event: Event
    profile: Profile
    control_id: str
    at: datetime
