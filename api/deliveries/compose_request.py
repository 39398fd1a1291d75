"""Input for composing a delivery: the screening, the event, and the services it needs."""

from datetime import datetime
from typing import NamedTuple

from api.auth.services import PdfRenderer
from api.deliveries.screening_snapshot import ScreeningSnapshot
from api.deliveries.subscription_notification import SubscriptionState
from api.fhir.elements import CanonicalUrls
from schemas.organisations.delivery import DeliveryEvent
from schemas.organisations.profile import Profile
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook


class ComposeContext(NamedTuple):
    """The rulebooks, the PDF renderer and the canonical URLs of the service."""

    rulebooks: Catalogue
    renderer: PdfRenderer
    canonical_urls: CanonicalUrls

    def find_rulebook(self, snapshot: ScreeningSnapshot) -> LoadedRulebook:
        """Return the rulebook that scored the screening."""
        return self.rulebooks.find_version(snapshot.screening.assessment.rulebook)


class ComposeRequest(NamedTuple):
    """An event of a screening, composed for one destination profile under one control id."""

    snapshot: ScreeningSnapshot
    event: DeliveryEvent
    profile: Profile
    control_id: str
    composed_at: datetime
    subscription: SubscriptionState | None = None
