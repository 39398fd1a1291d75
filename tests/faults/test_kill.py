"""Kill -9 while sixteen clients write: what was answered is there, whole, audited, once."""

import http.client
import os
import random
import time
from urllib.parse import urlsplit

from support import builders
from support.concurrent_writers import Writers, ask, post
from support.processes import run, serving

from api.security.access_tokens import AccessTokens
from api.store.audit import chain
from api.store.operations.startup import open_store
from api.store.screenings import screenings

KILLS = int(os.environ.get("NOCISCREEN_KILLS", "5"))


def settled(settings, clinic) -> tuple[list, list]:
    """The ids of kept screenings, and those that the audit says were kept."""
    store = open_store(settings)
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, clinic.organisation))
        held = store.organisation_keys.load_keys(session, clinic.organisation)
        assert chain.verify_chain(session, held.audit) == ()
    created = [row.target for row in rows if row.action == "create"]
    with store.read_all_organisations() as session:
        connection = session.connection()
        kept = list(connection.exec_driver_sql("SELECT id FROM screening").scalars())
        if store.database.is_embedded:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    store.close()
    return kept, created


def test_nothing_answered_is_lost_and_nothing_is_half_written(kept):
    store = open_store(kept)
    clinic = builders.clinic(store)
    tokens = AccessTokens(kept.issuer, kept.audience, store.signing_keys.look_up_trusted_key)
    token = builders.token(store, tokens, clinic)
    store.close()
    chance = random.Random(4711)
    answered, broken = [], []
    for _ in range(KILLS):
        with serving(kept) as served, Writers(served.address, token) as writers:
            while not writers.kept:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.05, 0.6))
            served.process.kill()
            served.process.wait()
        assert {each.status for each in writers.written} == {201}
        answered += writers.kept
        broken += [each for each in writers.broken if each[0]]
    kept_ids, created_ids = settled(kept, clinic)
    assert sorted(kept_ids) == sorted(created_ids)
    assert {each.body["id"] for each in answered} <= set(kept_ids)
    all_are_whole(kept, clinic, answered)
    with serving(kept) as served:
        each = answered[0]
        status, found = ask(served.address, token, f"/v1/screenings/{each.body['id']}")
        assert status == 200
        assert {name: found[name] for name in each.body} == each.body
        retried_give_one_screening(served.address, token, answered, broken)
    assert run(kept, "audit", "verify").returncode == 0
    kept_ids, created_ids = settled(kept, clinic)
    assert sorted(kept_ids) == sorted(created_ids)


def all_are_whole(settings, clinic, answered) -> None:
    """Every screening that was answered is there as it was answered, with the answers as sent."""
    store = open_store(settings)
    sent = builders.request(example="phq4")["answers"]
    with store.transaction(clinic.actor) as work:
        for each in answered:
            found = screenings.find_screening(work, each.body["id"])
            told = found.model_dump(mode="json", by_alias=True)
            whole = {name: told[name] for name in each.body if name != "links"}
            assert whole == {name: each.body[name] for name in whole}
            assert whole["assessment"]["status"] == "scored"
            assert (found.answers, found.patient.reference) == (sent, each.reference)
        work.audit("read", "screening", count=len(answered))
    store.close()


def retried_give_one_screening(address, token, answered, broken) -> None:
    """Who was answered gets the same answer; who was cut off gets one, and the same again."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    for each in [each for each in answered if each.key][-20:]:
        again = post(connection, token, each.reference, each.key)
        assert (again.status, again.body) == (201, each.body)
    for key, reference in broken[-20:]:
        first, second = (post(connection, token, reference, key) for _ in range(2))
        assert first.status == second.status == 201
        assert first.body == second.body
    connection.close()
