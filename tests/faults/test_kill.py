"""Kill -9 while sixteen clients write: what was answered is there, whole, audited, once."""

import http.client
import os
import random
import time
from urllib.parse import urlsplit

from support import builders
from support.faults.concurrent_writers import Writers, ask, post
from support.servers.processes import run, serving

from api.security.tokens.access_tokens import AccessTokens
from api.store.audit import chain
from api.store.operations.startup import open_store
from api.store.screenings import screenings

KILLS = int(os.environ.get("TEST_KILLS", "2"))


def settled(settings, clinic) -> tuple[list, list]:
    """Return the ids of stored screenings, and those that the audit says were stored."""
    store = open_store(settings)
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, clinic.organisation))
        keys = store.organisation_keys.load_keys(session, clinic.organisation)
        assert chain.verify_chain(session, keys.audit) == ()
    created = [row.target for row in rows if row.action == "create"]
    with store.read_all_organisations() as session:
        connection = session.connection()
        stored_ids = list(connection.exec_driver_sql("SELECT id FROM screening").scalars())
        if store.database.is_embedded:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    store.close()
    return stored_ids, created


def test_nothing_answered_is_lost_and_nothing_is_half_written(store_settings):
    store = open_store(store_settings)
    clinic = builders.clinic(store)
    tokens = AccessTokens(
        store_settings.issuer, store_settings.audience, store.signing_keys.look_up_trusted_key
    )
    token = builders.token(store, tokens, clinic)
    store.close()
    chance = random.Random(4711)
    responses, broken = [], []
    for _ in range(KILLS):
        with serving(store_settings) as service, Writers(service.address, token) as writers:
            while not writers.created_screenings:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.05, 0.6))
            service.process.kill()
            service.process.wait()
        assert {request_record.status for request_record in writers.written} == {201}
        responses += writers.created_screenings
        broken += [broken_request for broken_request in writers.broken if broken_request[0]]
    kept_ids, created_ids = settled(store_settings, clinic)
    assert sorted(kept_ids) == sorted(created_ids)
    assert {answer.body["id"] for answer in responses} <= set(kept_ids)
    all_are_whole(store_settings, clinic, responses)
    with serving(store_settings) as service:
        item = responses[0]
        status, stored_screening = ask(service.address, token, f"/v1/screenings/{item.body['id']}")
        assert status == 200
        assert {name: stored_screening[name] for name in item.body} == item.body
        retried_give_one_screening(service.address, token, responses, broken)
    assert run(store_settings, "audit", "verify").returncode == 0
    kept_ids, created_ids = settled(store_settings, clinic)
    assert sorted(kept_ids) == sorted(created_ids)


def all_are_whole(settings, clinic, responses) -> None:
    """Every screening that was answered is there as it was answered, with the answers as sent."""
    store = open_store(settings)
    sent_answers = builders.request(example="phq4")["answers"]
    with store.transaction(clinic.actor) as work:
        for answer in responses:
            stored_screening = screenings.find_screening(work, answer.body["id"])
            members = stored_screening.model_dump(mode="json", by_alias=True)
            stored_members = {name: members[name] for name in answer.body if name != "links"}
            assert stored_members == {name: answer.body[name] for name in stored_members}
            assert stored_members["assessment"]["status"] == "scored"
            assert (stored_screening.answers, stored_screening.patient.reference) == (
                sent_answers,
                answer.reference,
            )
        work.audit("read", "screening", count=len(responses))
    store.close()


def retried_give_one_screening(address, token, responses, broken) -> None:
    """Who was answered gets the same answer; who was cut off gets one, and the same again."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    for answer in [answer for answer in responses if answer.key][-20:]:
        again = post(connection, token, answer.reference, answer.key)
        assert (again.status, again.body) == (201, answer.body)
    for key, reference in broken[-20:]:
        first, second = (post(connection, token, reference, key) for _ in range(2))
        assert first.status == second.status == 201
        assert first.body == second.body
    connection.close()
