"""Kill -9 of whoever sends, at random moments: nothing is lost, and what comes twice is the same.

A server not written here takes the messages. For every kill, at most the one message that was on
its way to it may come a second time: byte for byte the same, under the same number.
"""

import os
import random
import time
from collections import Counter

import hl7
from support import builders
from support.builders import do
from support.interop.mllp_receivers import python_hl7
from support.processes import serving

from api.store.deliveries import allowed_hosts, destinations, outbox, search
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.search import DeliveryFilters
from api.store.operations.startup import open_store

KILLS = int(os.environ.get("NOCISCREEN_KILLS", "3"))
EACH = 8
QUICK = {"NOCISCREEN_DELIVERY_LEASE_SECONDS": "2", "NOCISCREEN_DELIVERY_SECONDS": "1"}


def enqueued(store, clinic, where: str, count: int) -> list[str]:
    """So many screenings on their way."""
    given = [builders.add(store, clinic, f"MRN-{n}") for n in range(count)]
    return [
        do(
            store,
            clinic,
            outbox.enqueue_delivery,
            outbox.NewDelivery(where, each.id, "result", outbox.SINGLE_LINE),
        ).control_id
        for each in given
    ]


def made(store, clinic, place) -> str:
    def make(work):
        allowed_hosts.add_allowed_host(work, place, private=True)
        address = f"mllp://{place.host}:{place.port}"
        options = {"document": {"how": "url"}}
        sealed = DestinationSecrets(address=address, options=options)
        return destinations.add_destination(work, "EHR", "generic-v2", sealed, follows=True)

    return do(store, clinic, make)


def states(settings, clinic) -> Counter:
    store = open_store(settings)
    lines = do(store, clinic, search.list_deliveries, DeliveryFilters(), 1000)
    store.close()
    return Counter(each.state for each in lines)


def test_nothing_is_lost_and_at_most_what_was_on_its_way_comes_twice(kept):
    chance = random.Random(4712)
    with python_hl7() as (place, taken):
        store = open_store(kept)
        clinic = builders.clinic(store)
        where = made(store, clinic, place)
        wanted = enqueued(store, clinic, where, EACH * KILLS)
        store.close()
        for number in range(KILLS):
            before = len(taken)
            with serving(kept, **QUICK) as served:
                while len(taken) < before + 1 + number % 2:
                    time.sleep(0.005)
                time.sleep(chance.uniform(0, 0.3))
                served.process.kill()
                served.process.wait()
        with serving(kept, **QUICK):
            while states(kept, clinic) != {"delivered": len(wanted)}:
                time.sleep(0.3)
    names = [str(hl7.parse(each)["MSH"][0][10]) for each in taken]
    twice = {name: count for name, count in Counter(names).items() if count > 1}
    assert set(names) == set(wanted)
    assert sum(count - 1 for count in twice.values()) <= KILLS
    for name in twice:
        assert len({text for told, text in zip(names, taken, strict=True) if told == name}) == 1
    assert list(dict.fromkeys(names)) == wanted
