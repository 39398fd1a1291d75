"""FHIR Subscriptions: destinations that are notified of each screening that fits their topic."""

from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import col

from api.store.database.prepared_queries import OrganisationQuery
from api.store.database.tables import DestinationRow
from api.store.deliveries import destinations, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.outbox import NewDelivery
from api.store.errors import NotFoundError
from api.store.transaction import Transaction
from schemas.organisations.delivery import Destination, SubscriptionTerms
from schemas.patients.patient import KnownPatient

PROFILE = "fhir-subscription"
_ACTIVE = OrganisationQuery(
    select(col(DestinationRow.id))
    .where(col(DestinationRow.profile) == PROFILE, col(DestinationRow.active))
    .order_by(col(DestinationRow.id))
)
"""Asked for each screening that is stored: in an order in which no two transactions deadlock."""


class StoredEvent(NamedTuple):
    """A screening that was stored, as topics see it."""

    screening: str
    patient: KnownPatient
    has_red_flags: bool


def notify_subscribers(work: Transaction, event: StoredEvent) -> None:
    """Enqueue a notification for each active subscription to a topic that the screening fits."""
    for row in work.fetch(_ACTIVE):
        terms = destinations.find_destination_secrets(work, row.id).subscription
        if terms is None or (terms.topic == "red-flag" and not event.has_red_flags):
            continue
        line = outbox.compute_line(work, event.patient)
        outbox.enqueue_delivery(work, NewDelivery(row.id, event.screening, "result", line))


def add_subscription(work: Transaction, number: str, secrets: DestinationSecrets) -> None:
    """Store a subscription under this id."""
    destinations.add_destination(
        work, "FHIR Subscription", PROFILE, secrets, follows=True, requested_id=f"d-{number}"
    )


def find_subscription(work: Transaction, number: str) -> tuple[Destination, SubscriptionTerms]:
    """Return a subscription by its id. Raises NotFoundError."""
    destination = destinations.find_destination(work, f"d-{number}")
    terms = destinations.find_destination_secrets(work, destination.id).subscription
    if destination.profile != PROFILE or terms is None:
        raise NotFoundError
    return destination, terms


def count_events(work: Transaction, destination_id: str) -> int:
    """Return how many notifications were enqueued since the subscription began."""
    return work.load_row(DestinationRow, destination_id).last_seq
