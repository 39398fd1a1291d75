"""A store, a clinic in it, and a sender of its deliveries."""

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
    pool = RendererPool(1, 4, 60.0)
    yield pool
    pool.close()


@pytest.fixture
def compose_context(renderer):
    return ComposeContext(load_catalogue(), renderer, CanonicalUrls("https://nociscreen.example"))


@pytest.fixture
def store(own_store):
    """A store of its own for each test: a sender sends what is due of every organisation."""
    return own_store


@pytest.fixture
def clinic(store) -> Clinic:
    return builders.clinic(store)


@pytest.fixture
def sender(store, store_settings, compose_context):
    limits = {"delivery_seconds": 5.0, "delivery_attempts": 3, "delivery_error_attempts": 2}
    return DeliverySender(store, store_settings.model_copy(update=limits), compose_context)


@pytest.fixture
def send(store, clinic):
    """Enqueues a screening for a host; returns the ids of delivery, screening and destination."""

    def enqueue(
        host_port,
        profile="generic-v2",
        scheme="mllp",
        path="",
        screening=None,
        destination_id=None,
        **secrets,
    ):
        screening = screening or builders.add(
            store, clinic, name="Test, Pat", system="urn:oid:1.2.3"
        )
        address = f"{scheme}://{host_port.host}:{host_port.port}{path}"

        def enqueue_in(work):
            allowed_hosts.add_allowed_host(work, host_port, private=True)
            receiver = destination_id or destinations.add_destination(
                work, "EHR", profile, DestinationSecrets(address=address, **secrets), follows=True
            )
            line = outbox.SINGLE_LINE
            if scheme != "mllp":
                line = outbox.compute_line(work, screening.patient)
            delivery = outbox.NewDelivery(receiver, screening.id, "result", line)
            return outbox.enqueue_delivery(work, delivery).id, screening.id, receiver

        return do(store, clinic, enqueue_in)

    return enqueue


@pytest.fixture
def find_delivery(store, clinic):
    """Returns a delivery as it is now."""
    return lambda delivery: do(store, clinic, outbox.find_delivery, delivery)


@pytest.fixture
def find_screening(store, clinic):
    """Returns a screening as it is now."""
    return lambda screening: do(store, clinic, screenings.find_screening, screening)


@pytest.fixture
def make_due(store):
    """Makes all waiting deliveries due, as the passing of time would."""

    def reset_times() -> None:
        with builders.tampering_connection(store) as connection:
            connection.exec_driver_sql("UPDATE delivery SET due_at = created_at")
            connection.exec_driver_sql("UPDATE destination SET lease_until = NULL")

    return reset_times
