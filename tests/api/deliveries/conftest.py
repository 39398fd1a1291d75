"""A store with a clinic that may send, and a sender for it."""

import pytest
from support import builders
from support.builders import Clinic, do

from api.deliveries.compose_request import ComposeContext
from api.deliveries.sender import DeliverySender
from api.documents.render_pool import RendererPool
from api.fhir.elements import CanonicalUrls
from api.store.deliveries import allowed_hosts, destinations, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.screenings import screenings
from scoring.catalogue import load_catalogue


@pytest.fixture(scope="session")
def renderer():
    made = RendererPool(1, 4, 60.0)
    yield made
    made.close()


@pytest.fixture
def house(renderer):
    return ComposeContext(load_catalogue(), renderer, CanonicalUrls("https://nociscreen.example"))


@pytest.fixture
def clinic(store) -> Clinic:
    return builders.clinic(store)


@pytest.fixture
def sender(store, kept, house):
    quick = {"delivery_seconds": 5.0, "delivery_tries": 3, "delivery_error_tries": 2}
    return DeliverySender(store, kept.model_copy(update=quick), house)


@pytest.fixture
def send(store, clinic):
    """Puts a screening on its way to a place; what it gives is the ids of both and destination."""

    def sent(
        place, profile="generic-v2", scheme="mllp", path="", screening=None, where=None, **more
    ):
        given = screening or builders.add(store, clinic, name="Test, Pat", system="urn:oid:1.2.3")
        address = f"{scheme}://{place.host}:{place.port}{path}"

        def make(work):
            allowed_hosts.add_allowed_host(work, place, private=True)
            to = where or destinations.add_destination(
                work, "EHR", profile, DestinationSecrets(address=address, **more), follows=True
            )
            line = (
                outbox.SINGLE_LINE if scheme == "mllp" else outbox.compute_line(work, given.patient)
            )
            wanted = outbox.NewDelivery(to, given.id, "result", line)
            return outbox.enqueue_delivery(work, wanted).id, given.id, to

        return do(store, clinic, make)

    return sent


@pytest.fixture
def found(store, clinic):
    """A delivery as it is now."""
    return lambda delivery: do(store, clinic, outbox.find_delivery, delivery)


@pytest.fixture
def of(store, clinic):
    """A screening as it is now."""
    return lambda screening: do(store, clinic, screenings.find_screening, screening)


@pytest.fixture
def at_once(store):
    """Makes whatever waits due now, as time would."""

    def hurry() -> None:
        with builders.tampering(store) as connection:
            connection.exec_driver_sql("UPDATE delivery SET due_at = created_at")
            connection.exec_driver_sql("UPDATE destination SET lease_until = NULL")

    return hurry
