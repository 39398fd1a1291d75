"""Kill -9 of the sender at random moments: nothing is lost, and repeated messages are identical.

An independent server receives the messages. For each kill, at most the message in flight may arrive
twice, with the same bytes under the same control id.
"""

import os
import random
import time
from collections import Counter

import hl7
from support import builders
from support.builders import do
from support.interop.mllp_receivers import running_hl7_server
from support.servers.processes import serving

from api.store.deliveries import allowed_hosts, destinations, outbox, search
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.search import DeliveryFilters
from api.store.operations.startup import open_store

KILLS = int(os.environ.get("TEST_KILLS", "1"))
DELIVERIES_PER_KILL = 8
FAST_SETTINGS = {"NOCISCREEN_DELIVERY_LEASE_SECONDS": "2", "NOCISCREEN_DELIVERY_SECONDS": "1"}


def enqueue_deliveries(store, clinic, destination_id: str, count: int) -> list[str]:
    """Enqueue as many new screenings, and return the control ids."""
    screenings = [builders.add(store, clinic, f"MRN-{n}") for n in range(count)]
    return [
        do(
            store,
            clinic,
            outbox.enqueue_delivery,
            outbox.NewDelivery(destination_id, screening.id, "result", outbox.SINGLE_LINE),
        ).control_id
        for screening in screenings
    ]


def add_mllp_destination(store, clinic, host_port) -> str:
    def add_in(work):
        allowed_hosts.add_allowed_host(work, host_port, private=True)
        address = f"mllp://{host_port.host}:{host_port.port}"
        options = {"document": {"how": "url"}}
        content = DestinationSecrets(address=address, options=options)
        return destinations.add_destination(work, "EHR", "generic-v2", content, follows=True)

    return do(store, clinic, add_in)


def count_states(settings, clinic) -> Counter:
    store = open_store(settings)
    deliveries = do(store, clinic, search.list_deliveries, DeliveryFilters(), 1000)
    store.close()
    return Counter(delivery.state for delivery in deliveries)


def test_no_message_is_lost_and_only_those_in_flight_arrive_twice(store_settings):
    chance = random.Random(4712)
    with running_hl7_server() as (host_port, messages):
        store = open_store(store_settings)
        clinic = builders.clinic(store)
        destination_id = add_mllp_destination(store, clinic, host_port)
        count = DELIVERIES_PER_KILL * KILLS
        control_ids = enqueue_deliveries(store, clinic, destination_id, count)
        store.close()
        for number in range(KILLS):
            before = len(messages)
            with serving(store_settings, **FAST_SETTINGS) as service:
                while len(messages) < before + 1 + number % 2:
                    time.sleep(0.005)
                time.sleep(chance.uniform(0, 0.3))
                service.process.kill()
                service.process.wait()
        with serving(store_settings, **FAST_SETTINGS):
            while count_states(store_settings, clinic) != {"delivered": count}:
                time.sleep(0.3)
    received_ids = [str(hl7.parse(message)["MSH"][0][10]) for message in messages]
    assert list(dict.fromkeys(received_ids)) == control_ids
    assert len(received_ids) - count <= KILLS
    assert len(set(messages)) == count
