"""What was withdrawn after a backup stays withdrawn when that backup is restored."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import col
from support.builders import (
    add,
    build_store_settings,
    clinic,
    do,
    fill_patient_record,
    intake,
    run_concurrently,
)
from support.callers import bearing
from support.commands import run_command, run_failing_command
from support.path_resources import public_jwk
from support.servers.postgres import HOMES, dump

from api.main import create_app
from api.outbound.allowlist import HostPort
from api.store.accounts import (
    callers,
    clients,
    invitations,
    issuers,
    organisations,
    practitioners,
    sessions,
)
from api.store.accounts.sessions import SessionLifetimes
from api.store.database.engine import DatabaseError
from api.store.database.tables import LinkRow, ScreeningRow, SessionRow
from api.store.deliveries import allowed_hosts, destinations
from api.store.deliveries.destinations import DestinationSecrets
from api.store.errors import NotFoundError, UnavailableError
from api.store.forms import links
from api.store.operations.backup import create_backup, restore_backup
from api.store.operations.startup import open_store
from api.store.operations.withdrawals import FAULT_TEXT, apply_ledger
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.withdrawal_ledger import COMMITTED, Withdrawal, WithdrawalLedger
from schemas.organisations.issuer import IssuerTerms

PATIENT = PatientSelector("MRN-0042", None)


@pytest.fixture
def settings(store_settings, tmp_path):
    """Settings of an empty store with a ledger, on each database."""
    if store_settings.database_url is None:
        return store_settings
    return store_settings.model_copy(update={"withdrawals_file": tmp_path / "ledger"})


@pytest.fixture
def open_again(settings):
    """Open the store of these settings, and close it after the test."""
    stores = []

    def open_settings(at=settings, *, may_be_unsettled=False):
        stores.append(open_store(at, may_be_unsettled=may_be_unsettled))
        return stores[-1]

    yield open_settings
    for store in stores:
        store.close()


@pytest.fixture
def store(open_again):
    return open_again()


@pytest.fixture
def restore(request, settings, tmp_path):
    """Back up now; return what restores that backup and gives the settings to open it."""

    def back_up(store):
        if store.database.is_embedded:
            create_backup(settings.database_file, store.key_ring, tmp_path / "backup.db")
        else:
            content = dump(settings.database_url.get_secret_value(), "-Fc")

        def restore_now():
            store.close()
            if store.database.is_embedded:
                for path in tmp_path.glob("nociscreen.db*"):
                    path.unlink()
                restore_backup(tmp_path / "backup.db", store.key_ring, settings.database_file)
                return settings
            cluster = request.getfixturevalue("postgres")
            name = cluster.database()
            command = [HOMES[0] / "pg_restore", "-d", cluster.url(name, "postgres")]
            subprocess.run(command, input=content, check=True)
            restored = build_store_settings(tmp_path, cluster.url(name))
            return restored.model_copy(update={"withdrawals_file": settings.ledger_file})

        return restore_now

    return back_up


class Practice:
    """A clinic with one of everything that can be withdrawn, some of it twice."""

    def __init__(self, store) -> None:
        self.clinic = owner = clinic(store)
        year = datetime.now(UTC) + timedelta(days=365)
        self.credentials = owner.client
        self.key, _ = do(store, owner, clients.add_api_key, owner.client, ["score"], year,
                         test=False)  # fmt: skip
        do(store, owner, clients.add_api_key, owner.client, ["score"], year, test=False)
        jwk = public_jwk() | {"kid": "2026-11"}
        self.kid = do(store, owner, clients.add_client_key, owner.client, jwk).kid
        do(store, owner, clients.set_key_set_url, owner.client, "https://ehr.example/jwks")
        self.closed = do(store, owner, clients.add_client, "Closed", ["score"]).id
        self.narrow = do(store, owner, clients.add_client, "Narrow", ["score", "audit:read"]).id
        people = (
            do(store, owner, practitioners.add_practitioner, name, name, ["score", "batches"])
            for name in ("Left", "Fewer")
        )
        self.left, self.fewer = (person.id for person in people)
        terms = IssuerTerms(keys=(public_jwk(),))
        self.issuer = do(store, owner, issuers.add_issuer, "access", f"https://{uuid4()}.example",
                         "here", terms).id  # fmt: skip
        secrets = DestinationSecrets(address="mllps://ehr.example:443")
        self.destination = do(store, owner, destinations.add_destination, "EHR", "generic-v2",
                              secrets, follows=False)  # fmt: skip
        self.hold = do(store, owner, legal_holds.place_hold, PATIENT, "a suit").id
        self.other_hold = do(
            store, owner, legal_holds.place_hold, PatientSelector("MRN-7", None), "a suit"
        ).id
        fill_patient_record(store, owner)
        add(store, owner, "MRN-7")
        self.link, _ = do(store, owner, links.add_link, links.LinkRequest(
            intake("MRN-7").patient, "phq4@1.0.0"))  # fmt: skip
        lifetimes = SessionLifetimes(timedelta(hours=1), timedelta(hours=1))
        self.session = do(store, owner, sessions.begin_session, self.fewer, lifetimes)
        do(store, owner, invitations.add_invitation, self.fewer)

    def withdraw_everything(self, store) -> None:
        own, here = self.clinic.client, self.clinic
        (secret,) = do(store, here, clients.find_client, own).secrets
        do(store, here, clients.revoke_secret, own, secret.id)
        do(store, here, clients.revoke_api_key, own, self.key.id)
        do(store, here, clients.revoke_client_key, own, self.kid)
        do(store, here, clients.delete_key_set_url, own)
        do(store, here, clients.update_client, self.closed, {"active": False})
        do(store, here, clients.update_client, self.narrow, {"scopes": ["score"]})
        do(store, here, practitioners.update_practitioner, self.left, {"active": False})
        fewer = {"scopes": ["score"]}
        do(store, here, practitioners.update_practitioner, self.fewer, fewer)
        do(store, here, issuers.update_issuer, self.issuer, active=False)
        secrets = do(store, here, destinations.find_destination_secrets, self.destination)
        changes = {"active": False}
        do(store, here, destinations.update_destination, self.destination, changes, secrets)
        do(store, here, allowed_hosts.delete_allowed_host, HostPort("ehr.example", 443))
        do(store, here, legal_holds.release_hold, self.hold)
        do(store, here, data_subject_rights.erase_patient, PATIENT)
        do(store, here, links.revoke_link, self.link.id)
        with store.write_all_organisations() as session:
            session.query(SessionRow).delete()

    def describe(self, store) -> dict[str, object]:
        """Everything that the clinic may still do, and everyone whom it still knows."""

        def read(work):
            return {
                "clients": [client.model_dump() for client in clients.list_clients(work)],
                "practitioners": practitioners.list_practitioners(work),
                "issuers": [(item.id, item.active) for item in issuers.list_issuers(work)],
                "destinations": [
                    (item.id, item.active) for item in destinations.list_destinations(work)
                ],
                "hosts": allowed_hosts.list_allowed_hosts(work),
                "holds": legal_holds.list_holds(work),
                "screenings": set(work.list_rows(work.select(ScreeningRow.id))),
                "links": set(
                    work.session.execute(work.select(LinkRow.id, col(LinkRow.revoked_at) != None))  # noqa: E711
                ),
                "sessions": work.count(SessionRow),
            }

        return do(store, self.clinic, read)


def test_everything_withdrawn_after_a_backup_is_withdrawn_after_its_restore(
    store, restore, open_again, settings
):
    practice = Practice(store)
    restore_now = restore(store)
    before = practice.describe(store)
    practice.withdraw_everything(store)
    withdrawn = practice.describe(store)
    assert [name for name in before if before[name] == withdrawn[name]] == []
    restored = restore_now()
    with pytest.raises(DatabaseError, match="withdrawals apply"):
        open_store(restored)
    process = run_command(restored, "withdrawals", "apply")
    assert process.returncode == 0, process.stderr
    assert "api_key 1, client 1, client_scopes 1" in process.stderr
    assert "ended 1 sessions, 1 invitations and 1 links" in process.stderr
    again = open_again(restored)
    assert practice.describe(again) == withdrawn
    with pytest.raises(NotFoundError):
        do(again, practice.clinic, data_subject_rights.export_patient, PATIENT)
    assert (
        callers.authenticate_secret(again, practice.clinic.client, practice.clinic.secret) is None
    )
    assert "MRN" not in settings.ledger_file.read_text()
    assert settings.ledger_file.stat().st_mode & 0o777 == 0o600


def test_a_restored_service_serves_nothing_until_the_operator_decides(
    store, restore, open_again, settings
):
    practice = Practice(store)
    restore_now = restore(store)
    do(store, practice.clinic, clients.revoke_api_key, practice.clinic.client, practice.key.id)
    restored = restore_now()
    settings.ledger_file.rename(settings.ledger_file.with_suffix(".old"))
    service = create_app(restored)
    caller = bearing(service)
    answers = [
        caller.request(method, path)
        for path, methods in service.openapi()["paths"].items()
        for method in methods
        if not path.startswith("/health")
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert caller.get("/v1/screenings").json()["type"] == "/problems/withdrawals_unsettled"
    assert caller.get("/desk").status_code == caller.get("/metrics").status_code == 503
    assert caller.get("/health/live").status_code == 200
    ready = caller.get("/health/ready").json()
    assert ready["errors"][0]["detail"] == FAULT_TEXT["ledger_missing"]
    service.services.renderer.close()
    service.services.store.close()
    for words in (("migrate",), ("withdrawals", "apply")):
        assert FAULT_TEXT["ledger_missing"] in run_failing_command(restored, *words)
    assert run_command(restored, "withdrawals", "accept").returncode == 0
    client = do(open_again(restored), practice.clinic, clients.find_client, practice.clinic.client)
    assert practice.key.id in {key.id for key in client.api_keys}


def test_an_older_ledger_is_found_out_and_accepting_a_database_cancels_what_it_lacks(
    store, restore, open_again, settings
):
    owner = clinic(store)
    ids = [do(store, owner, clients.add_client, name, ["score"]).id for name in ("a", "b")]
    restore_now = restore(store)
    older = settings.ledger_file.read_text()
    for client in ids:
        do(store, owner, clients.update_client, client, {"active": False})
    newer = settings.ledger_file.read_text()
    store.close()
    settings.ledger_file.write_text(older)
    assert open_again(may_be_unsettled=True).ledger_fault == "ledger_missing"
    settings.ledger_file.write_text(newer)
    assert open_again().ledger_fault is None
    restored = restore_now()
    assert open_again(restored, may_be_unsettled=True).ledger_fault == "not_applied"
    process = run_command(restored, "withdrawals", "accept")
    assert "2 withdrawals of the ledger no longer hold" in process.stderr
    again = open_again(restored)
    assert [do(again, owner, clients.find_client, client).active for client in ids] == [True, True]


def test_a_kill_after_the_entry_and_before_the_commit_loses_no_withdrawal(
    store, open_again, settings
):
    owner = clinic(store)
    entry = Withdrawal(str(uuid4()), owner.organisation, "client", (owner.client,))
    store.ledger.append(entry)
    again = open_again()
    assert not do(again, owner, clients.find_client, owner.client).active
    assert entry.id in again.ledger.read().select(COMMITTED)


def test_a_transaction_that_fails_after_its_entry_withdraws_nothing(store, restore, open_again):
    owner = clinic(store)

    def deactivate_and_fail(work):
        clients.update_client(work, owner.client, {"active": False})
        raise NotFoundError

    restore_now = restore(store)
    with pytest.raises(NotFoundError):
        do(store, owner, deactivate_and_fail)
    assert len(store.ledger.read().withdrawals) == 2
    again = open_again(restore_now())
    assert again.ledger_fault is None
    assert apply_ledger(again) == {}
    assert do(again, owner, clients.find_client, owner.client).active


def test_a_withdrawal_that_cannot_be_entered_is_refused(store, settings):
    owner = clinic(store)
    settings.ledger_file.unlink()
    settings.ledger_file.mkdir()
    with pytest.raises(UnavailableError):
        do(store, owner, clients.update_client, owner.client, {"active": False})
    assert do(store, owner, clients.find_client, owner.client).active


def test_a_new_database_begins_with_the_ledger_of_a_lost_one(store, open_again, settings, tmp_path):
    owner = clinic(store)
    do(store, owner, clients.update_client, owner.client, {"active": False})
    fresh = build_store_settings(tmp_path / "fresh", withdrawals_file=settings.ledger_file)
    assert open_again(fresh).ledger_fault is None


def test_an_organisation_that_the_backup_lacks_needs_no_withdrawal(store, restore, open_again):
    restore_now = restore(store)
    owner = clinic(store)
    do(store, owner, organisations.update_organisation, {"active": False})
    other = clinic(store)
    restored = open_again(restore_now(), may_be_unsettled=True)
    assert (restored.ledger_fault, apply_ledger(restored)) == (None, {})
    with pytest.raises(NotFoundError):
        do(restored, other, clients.list_clients)


def test_lines_of_several_writers_and_after_a_cut_off_one_are_whole(tmp_path):
    path: Path = tmp_path / "ledger"
    path.write_text('{"entry":"cut')
    ledgers = [WithdrawalLedger(path) for _ in range(4)]

    def write(number):
        for count in range(20):
            ledgers[number].append(Withdrawal(f"{number}-{count}", "o", "client", ("c",)))

    run_concurrently(4, write)
    assert len(WithdrawalLedger(path).read().withdrawals) == 80
