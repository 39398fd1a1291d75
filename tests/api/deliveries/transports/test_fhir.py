"""FHIR push: to a stand-in EHR not written here, signed in as SMART Backend Services say."""

import json
import subprocess
import urllib.request
from urllib.parse import parse_qs

import jwt
import pytest
from support.builders import do, intake
from support.interop.fhir_validators import NODE, faults, needs_node
from support.interop.loopback_servers import listening

from api.outbound.allowlist import HostPort
from api.security.keys import generate_signing_key
from api.store.deliveries import allowed_hosts, dispatch
from api.store.screenings import screenings
from schemas.delivery import SmartSignIn

TOKEN = "a-token-of-the-ehr"
TYPES = ("QuestionnaireResponse", "Observation", "RiskAssessment", "DocumentReference")


@pytest.fixture(scope="module")
def ehr():
    process = subprocess.Popen(
        ["node", NODE / "ehr_http.mjs", TOKEN], stdout=subprocess.PIPE, text=True
    )
    yield HostPort("127.0.0.1", int(process.stdout.readline()))
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def key():
    return generate_signing_key("ES384")


@pytest.fixture
def signed_in(key):
    """A token endpoint that checks the assertion by a library not written here; what it saw."""
    seen: list[dict] = []

    def serve(line) -> None:
        read = b""
        while b"\r\n\r\n" not in read:
            read += line.recv(65536)
        head, _, body = read.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += line.recv(65536)
        form = {name: each[0] for name, each in parse_qs(body.decode()).items()}
        address = f"http://127.0.0.1:{place.port}/token"
        public = jwt.PyJWK(key.public_jwk())
        claims = jwt.decode(
            form["client_assertion"], public, algorithms=["ES384"], audience=address,
            options={"require": ["iss", "sub", "aud", "exp", "jti"]},
        )  # fmt: skip
        assert claims["exp"] - claims["iat"] <= 300
        assert claims["iss"] == claims["sub"] == "nociscreen-client"
        seen.append(form | {"claims": claims})
        told = json.dumps({"access_token": TOKEN, "token_type": "bearer", "expires_in": 300})
        line.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(told)}\r\n\r\n{told}".encode())

    with listening(serve) as place:
        yield place, seen


@pytest.fixture
def push(send, signed_in, key, store, clinic):
    where, _ = signed_in

    def pushed(ehr, profile="generic-fhir", **more):
        do(store, clinic, lambda work: allowed_hosts.add_allowed_host(work, where, private=True))
        smart = SmartSignIn(
            token_url=f"http://127.0.0.1:{where.port}/token", client_id="nociscreen-client"
        )
        return send(
            ehr, profile, "http", "/fhir", smart=smart, key_kid=key.kid,
            key_pem=key.private_pem.decode(), **more,
        )  # fmt: skip

    return pushed


def held(ehr, kind: str, **query: str) -> list[dict]:
    """What the EHR has of this type."""
    query = "&".join(f"{name}={value}" for name, value in query.items())
    request = urllib.request.Request(
        f"http://127.0.0.1:{ehr.port}/fhir/{kind}?_count=500&{query}",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - on loopback
        return [each["resource"] for each in json.load(answer).get("entry", [])]


def again(store, clinic, delivery: str) -> None:
    """The answer never came: it waits as it did."""
    from api.store.deliveries import outbox

    do(store, clinic, outbox.resend_delivery, delivery)


@needs_node
@pytest.mark.parametrize("mode", ["transaction", "single"])
def test_the_ehr_has_each_thing_once_however_often_it_was_sent(
    ehr, push, sender, found, store, clinic, mode, signed_in
):
    before = {kind: len(held(ehr, kind)) for kind in TYPES}
    delivery, _, _ = push(ehr, options={"fhir": {"mode": mode}})
    sender.send_all()
    assert found(delivery).state == "delivered", found(delivery)
    again(store, clinic, delivery)
    sender.send_all()
    assert [each.outcome for each in found(delivery).attempts] == ["accepted", "accepted"]
    assert {kind: len(held(ehr, kind)) - before[kind] for kind in TYPES} == dict.fromkeys(TYPES, 1)
    assert len(signed_in[1]) == 1
    response = held(ehr, "QuestionnaireResponse")[-1]["id"]
    assert any(
        each["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{response}"}]
        for each in held(ehr, "Observation")
    )
    assert faults(held(ehr, "DocumentReference")[-1:]) == [[]]


@needs_node
def test_what_was_entered_in_error_says_so_there(ehr, push, sender, store, clinic, of, found):
    delivery, screening, _ = push(ehr)
    sender.send_all()
    assert found(delivery).state == "delivered"
    do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
    before = {each["id"]: each["status"] for each in held(ehr, "Observation")}
    sender.send_all()
    after = {each["id"]: each["status"] for each in held(ehr, "Observation")}
    assert len(after) == len(before)
    assert [after[each] for each in after if after[each] != before[each]] == ["entered-in-error"]


@needs_node
def test_a_correction_replaces_the_document_there(ehr, push, sender, store, clinic, of):
    before = len(held(ehr, "DocumentReference"))
    _, screening, _ = push(ehr)
    sender.send_all()
    corrected = intake(name="Test, Pat", system="urn:oid:1.2.3")
    do(store, clinic, screenings.amend_screening, of(screening), corrected)
    sender.send_all()
    documents = held(ehr, "DocumentReference")
    assert len(documents) == before + 2
    assert [each for each in documents if each.get("relatesTo")][-1]["relatesTo"][0]["code"] == (
        "replaces"
    )


@needs_node
@pytest.mark.parametrize("profile", ["athena-practice", "epic-note", "oracle-health"])
def test_a_profile_of_one_document_sends_one_of_its_format(ehr, push, sender, found, profile):
    before = {kind: len(held(ehr, kind)) for kind in TYPES}
    delivery, _, _ = push(ehr, profile)
    sender.send_all()
    assert found(delivery).state == "delivered", found(delivery)
    after = {kind: len(held(ehr, kind)) - before[kind] for kind in TYPES}
    assert after == dict.fromkeys(TYPES, 0) | {"DocumentReference": 1}
    kind = held(ehr, "DocumentReference")[-1]["content"][0]["attachment"]["contentType"]
    assert kind.startswith(
        {"athena-practice": "application/rtf", "epic-note": "text/plain"}.get(
            profile, "application/pdf"
        )
    )


def test_a_withdrawal_that_the_receiver_does_not_take_is_parked_and_shown(
    push, sender, store, clinic, of
):
    from api.store.deliveries import search

    def taking(line) -> None:
        while line.recv(1 << 20):
            line.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with listening(taking) as place:
        _, screening, where = push(place, "athena-practice")
        sender.send_all()
        do(store, clinic, screenings.mark_entered_in_error, of(screening), "wrong patient")
        sender.send_all()
    lines = do(store, clinic, search.list_deliveries, search.DeliveryFilters(destination=where), 9)
    assert {(each.event, each.state, each.reason) for each in lines} == {
        ("result", "delivered", ""),
        ("withdrawal", "parked", "unfit"),
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [(400, "parked"), (422, "parked"), (412, "parked"), (401, "waiting"), (429, "waiting"),
     (503, "waiting")],
)  # fmt: skip
def test_what_a_status_means_for_what_comes_next(status, state, send, sender, found):
    def refusing(line) -> None:
        line.recv(65536)
        line.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

    with listening(refusing) as place:
        delivery, _, _ = send(place, "generic-fhir", "http", "/fhir")
        sender.send_all()
    assert (found(delivery).state, found(delivery).attempts[-1].code) == (state, str(status))


def test_one_patients_trouble_holds_up_no_other_and_keeps_their_own_order(
    send, sender, found, store, clinic
):
    from support.builders import add

    answers = iter([503, 200])

    def serve(line) -> None:
        line.recv(1 << 20)
        body = json.dumps({"entry": [{"response": {"status": "201"}}] * 4})
        told = f"HTTP/1.1 {next(answers)} X\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        line.sendall(told.encode())

    small = {"document": {"how": "url"}}
    with listening(serve) as place:
        first, one, where = send(place, "generic-fhir", "http", "/fhir", options=small)
        second, _, _ = send(place, "generic-fhir", "http", "/fhir", where=where)
        other = add(store, clinic, "MRN-OTHER")
        third, _, _ = send(place, "generic-fhir", "http", "/fhir", screening=other, where=where)
        sender.send_all()
    assert one
    assert [found(each).state for each in (first, second, third)] == [
        "waiting", "waiting", "delivered",
    ]  # fmt: skip


def test_whoever_lost_the_lease_writes_nothing_down(send, store, clinic, found):
    delivery, _, where = send(HostPort("127.0.0.1", 1))
    mine, theirs = (dispatch.Lease(each, 60) for each in ("mine", "theirs"))
    taken = do(store, clinic, dispatch.claim_delivery, where, mine)
    assert do(store, clinic, dispatch.claim_delivery, where, theirs) is None
    do(store, clinic, dispatch.store_payload, taken, b"MSH")
    assert do(store, clinic, dispatch.begin_attempt, taken, theirs) is None
    number = do(store, clinic, dispatch.begin_attempt, taken, mine)
    do(store, clinic, dispatch.release_lease, where, mine)
    later = do(store, clinic, dispatch.claim_delivery, where, theirs)
    assert (later.id, later.payload) == (delivery, b"MSH")
    assert found(delivery).attempts[0].outcome == "unknown"
    late = dispatch.AttemptEnd("accepted", "AA", delivered=True)
    assert do(store, clinic, dispatch.end_attempt, taken, number, late) is False
    assert found(delivery).state == "waiting"
