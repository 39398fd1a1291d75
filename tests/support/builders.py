"""Builders of stored records: settings for either database, clinics, intakes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection

from api.outbound.allowlist import HostPort
from api.security.scopes import SCOPES
from api.settings import Settings
from api.store import idempotency
from api.store.accounts import clients, organisations
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.deliveries import allowed_hosts, destinations, dispatch, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.forms import drafts, form_settings, links, response_drafts
from api.store.key_ring import create_key_ring_file
from api.store.notifications import occasions
from api.store.operations.startup import open_store
from api.store.patients import legal_holds, merges
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import issued_reports, screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.canonical import CANONICAL_BASE
from schemas.notification import Recipient
from schemas.organisations.form_settings import FormSettings
from schemas.patients.links import Draft
from schemas.patients.patient import KnownPatient
from schemas.patients.response_drafts import DraftContent
from schemas.patients.screening import Screening, ScreeningContext
from scoring.catalogue import load_catalogue
from scoring.engine import assess

FHIR = "http://127.0.0.1:8000/fhir"
CANONICAL = f"{CANONICAL_BASE}/fhir"
"""What canonical URLs begin with."""
LEASE = dispatch.Lease("a process", 60)
EXAMPLES = Path(__file__).parents[2] / "api" / "contract" / "examples"


class Clinic(NamedTuple):
    """An organisation with one client."""

    organisation: str
    client: str
    secret: str

    @property
    def actor(self) -> Actor:
        authority = OPERATOR_ACTOR.authority
        return Actor(
            self.organisation, self.client, "token", "POST /v1/screenings", "r" * 32, authority
        )


def build_store_settings(folder: Path, url: str | None = None, **more: object) -> Settings:
    """Return the settings of a new store: in this folder, or at this URL."""
    ring = folder / "key-ring"
    if url and not ring.exists():
        create_key_ring_file(ring)
    return Settings(
        database_file=folder / "nociscreen.db", key_ring_file=ring, database_url=url, **more
    )


@lru_cache
def _create_empty_store() -> TemporaryDirectory:
    folder = TemporaryDirectory(prefix="nociscreen-empty-")
    open_store(build_store_settings(Path(folder.name))).close()
    return folder


def copy_empty_store(folder: Path) -> Settings:
    """Put an embedded store with the tables of this release into the folder; return its settings.

    All copies have one key ring and one signing key.
    """
    copytree(_create_empty_store().name, folder, dirs_exist_ok=True)
    return build_store_settings(folder)


def build_fixture_settings(request: pytest.FixtureRequest, folder: Path) -> Settings:
    """Return settings for the database of a fixture: `sqlite` or `postgres`, with its tables."""
    if request.param == "sqlite":
        return copy_empty_store(folder)
    cluster = request.getfixturevalue("postgres")
    name = cluster.database(template=request.getfixturevalue("migrated"))
    return build_store_settings(folder, cluster.url(name))


def clinic(store: Store, name: str = "Clinic", scopes=SCOPES, *, test: bool = False) -> Clinic:
    """Add an organisation with a client that has these scopes."""
    created = organisations.add_organisation(store, name, test=test)
    with store.transaction(OPERATOR_ACTOR._replace(organisation=created.id)) as work:
        client = clients.add_client(work, "client", scopes)
        _, secret = clients.add_secret(work, client.id)
        allowed_hosts.add_allowed_host(work, HostPort("ehr.example", 443), private=False)
        work.audit("administer", "client", client.id)
    return Clinic(created.id, client.id, secret)


def open_store_and_add_clinic(settings: Settings) -> str:
    """Return the organisation that a process of its own added."""
    store = open_store(settings)
    organisation = clinic(store).organisation
    store.close()
    return organisation


def token(store: Store, tokens, clinic: Clinic, scopes=SCOPES) -> str:
    """Return an access token of the clinic's client."""
    return tokens.issue(
        store.signing_keys.find_current_key(),
        client=clinic.client,
        organisation=clinic.organisation,
        scopes=scopes,
        lifetime_seconds=900,
    )


def load_example(name: str) -> dict[str, Any]:
    """Return an example intake; one that names nociplastic alone is for its first version."""
    intake = json.loads((EXAMPLES / f"{name}.json").read_text())
    if intake["rulebook"] == "nociplastic":
        intake["rulebook"] = "nociplastic@1.0.0"
    return intake


def request(reference: str = "MRN-0042", example: str = "widespread_pain", **patient: str) -> dict:
    """Return a body for `POST /v1/screenings`."""
    body = load_example(example)
    body["patient"] = {"reference": reference, **patient}
    return body


def fhir_response(number: str = "MRN-0042", **more: Any) -> dict[str, Any]:
    """A QuestionnaireResponse to PHQ-4, as an EHR sends it."""
    answers = {"phq4_nervous": 2, "phq4_worrying": 1, "phq4_interest": 0, "phq4_down": 1}
    items = [
        {"linkId": name, "answer": [{"valueInteger": value}]} for name, value in answers.items()
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{FHIR}/Questionnaire/phq4|1.0.0",
        "status": "completed",
        "subject": {"identifier": {"system": "urn:oid:1.2.3", "value": number}},
        "authored": "2026-11-20T10:00:00Z",
        "item": [{"linkId": "topic.mood", "item": items}],
    } | more


@lru_cache
def assessed(example: str) -> tuple[dict[str, Any], Any]:
    """The answers of an example, and their assessment."""
    text = (EXAMPLES / f"{example}.json").read_text()
    exact = json.loads(text, parse_float=Decimal)["answers"]
    assessment = assess(load_catalogue().find_version("nociplastic@1.0.0"), exact, attested=True)
    return json.loads(text)["answers"], assessment


def intake(
    reference: str = "MRN-0042", example: str = "widespread_pain", note: str = "n", **patient
):
    """Return the scored intake of an example."""
    answers, assessment = assessed(example)
    patient_record = KnownPatient(reference=reference, **patient)
    return ScoredIntake(patient_record, ScreeningContext(note=note), answers, assessment)


def add(store: Store, clinic: Clinic, reference: str = "MRN-0042", **more: str) -> Screening:
    """Store a screening and return it."""
    with store.transaction(clinic.actor) as work:
        created = screenings.add_screening(work, intake(reference, **more))
        work.audit("create", "screening", created.id)
    return created


def do(store: Store, clinic: Clinic, act, *arguments, **options):
    """Call a function of the store in an audited transaction of its own."""
    with store.transaction(clinic.actor) as work:
        outcome = act(work, *arguments, **options)
        work.audit("administer")
    return outcome


def fill_patient_record(store: Store, clinic: Clinic, reference: str = "MRN-0042", word: str = "w"):
    """Store every kind of record that a patient can have; return two of the screenings."""
    words = {"note": f"note-{word}", "name": f"name-{word}"}
    created = add(store, clinic, f"old-{word}", example="red_flag", **words)
    do(
        store,
        clinic,
        merges.merge_patients,
        PatientSelector(f"old-{word}", None),
        PatientSelector(reference, None),
    )
    created = do(store, clinic, screenings.find_screening, created.id)

    def hang(work: Transaction) -> Screening:
        allowed_hosts.add_allowed_host(work, HostPort("ehr.example", 443), private=False)
        content = DestinationSecrets(address=f"mllps://ehr.example:443/#{word}")
        where = destinations.add_destination(work, "EHR", "generic-v2", content, follows=False)
        new_delivery = outbox.NewDelivery(where, created.id, "result", outbox.SINGLE_LINE)
        delivery_id = outbox.enqueue_delivery(work, new_delivery).id
        claim = dispatch.claim_delivery(work, where, LEASE)
        dispatch.store_payload(work, claim, f"MSH payload-{word}".encode())
        number = dispatch.begin_attempt(work, claim, LEASE)
        dispatch.end_attempt(
            work, claim, number, dispatch.AttemptEnd("error", "AE", f"reply-{word}".encode())
        )
        assert outbox.find_delivery(work, delivery_id).state == "parked"
        screenings.acknowledge_red_flags(work, created, f"dr-{word}", f"done-{word}")
        issued_reports.add_issued_report(
            work, created.id, "application/pdf", f"%PDF report-{word}".encode()
        )
        amended = screenings.amend_screening(work, created, intake(reference, **words))
        screenings.mark_entered_in_error(work, created, f"reason-{word}")
        options = idempotency.build_keyed_request(
            work, "POST /v1/screenings", f"key-{created.id}", b"body"
        )
        answer = idempotency.IdempotentResponse(201, f"answer-{word}".encode(), None, amended.id)
        idempotency.run_once(work, options, lambda: answer)
        legal_hold = legal_holds.place_hold(work, PatientSelector(reference, None), f"hold-{word}")
        legal_holds.release_hold(work, legal_hold.id)
        patient_record = KnownPatient(reference=reference, name=f"name-{word}")
        link, _ = links.add_link(work, links.LinkRequest(patient_record, "phq4@1.0.0", 90))
        drafts.save_draft(work, link.id, Draft(answers={"word": f"answer-{word}"}, tier="T0"))
        content = DraftContent(
            received=json.dumps({"note": f"draft-{word}"}), canonical="q|1", instrument="phq4"
        )
        response_drafts.add_draft(work, str(uuid4()), patient_record, content)
        recipient = Recipient(medium="email", address=f"address-{word}@example.org")
        occasions.invite_patient(work, link, recipient, f"https://example.org/url-{word}", 0)
        form_settings.update_form_settings(work, FormSettings(privacy={"en": f"privacy-{word}"}))
        return amended

    return created, do(store, clinic, hang)


@contextmanager
def tampering_connection(store: Store) -> Iterator[Connection]:
    """Yield a connection of the database's administrator: no trigger, no role, no filter."""
    if store.database.is_embedded:
        with store.database.begin_write() as connection:
            triggers = connection.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).all()
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            yield connection
            for _, definition in triggers:
                connection.exec_driver_sql(definition)
        return
    administrator = create_engine(store.database.engine.url.set(username="postgres"))
    with administrator.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield connection
    administrator.dispose()


def run_concurrently(threads: int, act) -> list[Any]:
    """Return the result or the exception of each thread, all started together."""

    def run(number: int) -> Any:
        try:
            return act(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
