"""From a CSV file to messages in a hospital, and exactly so many: also where the service is killed.

The receiver is a server not written here.
"""

import http.client
import json
import os
import random
import time
from collections import Counter
from urllib.parse import urlsplit

import hl7
import pytest
from support import builders
from support.batch_files import CSV, csv, done, example, work
from support.builders import do
from support.callers import calling
from support.interop.mllp_receivers import python_hl7
from support.processes import serving

from api.deliveries.compose_request import ComposeContext
from api.deliveries.sender import DeliverySender
from api.fhir.elements import CanonicalUrls
from api.main import create_app
from api.security.access_tokens import AccessTokens
from api.store.audit import chain
from api.store.deliveries import allowed_hosts, destinations, search
from api.store.deliveries.destinations import DestinationSecrets
from api.store.deliveries.search import DeliveryFilters
from api.store.operations.startup import open_store
from scoring.catalogue import load_catalogue

KILLS = int(os.environ.get("NOCISCREEN_BATCH_KILLS", "3"))
EACH = 120
QUICK = {
    "NOCISCREEN_DELIVERY_LEASE_SECONDS": "2",
    "NOCISCREEN_DELIVERY_SECONDS": "1",
    "NOCISCREEN_BATCH_TRIES": "50",
}
PATIENCE = 120.0


def destination(store, clinic, place, **document: str) -> str:
    def make(work_):
        allowed_hosts.add_allowed_host(work_, place, private=True)
        address = f"mllp://{place.host}:{place.port}"
        sealed = DestinationSecrets(
            address=address, options={"document": document or {"how": "url"}}
        )
        return destinations.add_destination(work_, "EHR", "generic-v2", sealed, follows=True)

    return do(store, clinic, make)


def references(messages: list[str]) -> list[str]:
    """The patients' numbers, as the messages tell them."""
    return [str(hl7.parse(each)["PID"][0][3][0][0]) for each in messages]


@pytest.fixture
def service(kept):
    app = create_app(kept)
    yield app
    app.state.refusals.flush()
    app.state.renderer.close()
    app.state.store.close()


def test_a_file_becomes_messages_with_their_reports(service, kept, store, clinic):
    client = calling(service, clinic)
    given = [
        {"patient_reference": "MRN-1", **example()},
        {"patient_reference": None, **example()},
        {"patient_reference": "MRN-2", **example("red_flag")},
    ]
    with python_hl7() as (place, taken):
        to = destination(store, clinic, place, how="inline", form="pdf")
        batch = done(client, csv(*given))
        asked = client.post(batch["links"]["reports"], json={"destination": to}).json()
        work(service)
        house = ComposeContext(
            load_catalogue(), service.state.renderer, CanonicalUrls("https://nociscreen.example")
        )
        assert DeliverySender(store, kept, house).send_all() == 2
        lines = client.get(f"/v1/deliveries?destination={to}").json()["deliveries"]
    assert references(taken) == ["MRN-1", "MRN-2"]
    assert all("^AP^PDF^Base64^JVBERi" in each for each in taken)
    assert [each["state"] for each in lines] == ["delivered"] * 2
    told = client.get(asked["links"]["self"]).json()
    assert (told["rows_enqueued"], told["failed"]) == (2, {"patient_reference": 1})


def ask(address: str, token: str, method: str, path: str, body: str | None = None, **more: str):
    """What is answered, asked again for as long as the service is away."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"} | more)
            response = connection.getresponse()
            content = response.read()
            if response.status not in (429, 503):
                assert response.status in (200, 202), content
                return json.loads(content)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError("the service did not answer")


def until(address: str, token: str, path: str, reached) -> dict:
    end = time.monotonic() + PATIENCE
    while not reached(told := ask(address, token, "GET", path)):
        assert time.monotonic() < end, told
        time.sleep(0.02)
    return told


def is_done(told: dict) -> bool:
    return told["state"] == "done"


def each_is_there_once(kept, clinic, count: int) -> None:
    """As many screenings as rows, one delivery for each, each audited once, the chain whole."""
    store = open_store(kept)
    lines = do(store, clinic, search.list_deliveries, DeliveryFilters(), 1000)
    with store.read_all_organisations() as session:
        acts = [
            (each.action, each.kind, each.target)
            for each in chain.read_entries(session, clinic.organisation)
            if (each.action, each.kind, each.outcome)
            in (("create", "screening", "ok"), ("deliver", "delivery", "enqueued"))
        ]
        held = store.organisation_keys.load_keys(session, clinic.organisation)
        assert chain.verify_chain(session, held.audit) == ()
        kept_rows = session.connection().exec_driver_sql("SELECT count(*) FROM screening").scalar()
    store.close()
    assert {each.state for each in lines} == {"delivered"}
    assert len({each.screening for each in lines}) == len(lines) == kept_rows == count
    expected = [("create", "screening", each.screening) for each in lines]
    expected += [("deliver", "delivery", each.id) for each in lines]
    assert Counter(acts) == Counter(expected)


def test_killed_at_any_moment_each_row_is_kept_and_enqueued_once(kept):
    chance = random.Random(4715)
    store = open_store(kept)
    clinic = builders.clinic(store)
    tokens = AccessTokens(kept.issuer, kept.audience, store.signing_keys.look_up_trusted_key)
    token = builders.token(store, tokens, clinic)
    text = csv(*({"patient_reference": f"MRN-{n}", **example()} for n in range(EACH)))
    with python_hl7() as (place, taken):
        to = destination(store, clinic, place)
        store.close()
        with serving(kept, **QUICK) as served:
            here = served.address, token
            sent = ask(*here, "POST", "/v1/batches", text, **CSV)["links"]
            until(*here, sent["self"], is_done)
            wanted, as_json = json.dumps({"destination": to}), {"Content-Type": "application/json"}
            made = ask(*here, "POST", sent["reports"], wanted, **as_json)["links"]["self"]
        for _ in range(KILLS):
            with serving(kept, **QUICK) as served:
                here = served.address, token
                before = ask(*here, "GET", made)["rows_enqueued"]
                until(*here, made, lambda now, b=before: is_done(now) or now["rows_enqueued"] > b)
                time.sleep(chance.uniform(0, 0.2))
                served.process.kill()
                served.process.wait()
        with serving(kept, **QUICK) as served:
            here = served.address, token
            told = until(*here, made, is_done)
            until(*here, f"/v1/destinations/{to}", lambda now: now["waiting"] == 0)
    assert (told["rows_enqueued"], told["rows_set_aside"]) == (EACH, 0)
    assert set(references(taken)) == {f"MRN-{n}" for n in range(EACH)}
    assert len(taken) <= EACH + KILLS + 1
    each_is_there_once(kept, clinic, EACH)
