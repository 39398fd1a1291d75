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
from support.contract_document import read_contract
from support.path_resources import public_jwk
from support.servers.postgres import HOMES, dump

from api.main import create_app
from api.outbound.allowlist import AllowedHost, HostPort
from api.store import approvals
from api.store.accounts import (
    callers,
    clients,
    invitations,
    issuers,
    login_credentials,
    organisations,
    practitioners,
    quotas,
    sessions,
)
from api.store.accounts.sessions import SessionLifetimes
from api.store.batches import batches
from api.store.database.engine import DatabaseError
from api.store.database.tables import BatchRow, LinkRow, RecoveryCodeRow, ScreeningRow, SessionRow
from api.store.deliveries import allowed_hosts, destinations, outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.errors import NotFoundError, UnavailableError
from api.store.forms import links
from api.store.operations.backup import create_backup, restore_backup
from api.store.operations.startup import open_store
from api.store.operations.withdrawal_acts import ACTS
from api.store.operations.withdrawals import FAULT_TEXT, apply_ledger, end_all_access
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings
from api.store.withdrawal_ledger import COMMITTED, Withdrawal, WithdrawalLedger
from schemas.organisations.approvals import ErasureRequest, RequestedPatient
from schemas.organisations.issuer import IssuerTerms

PATIENT = PatientSelector("MRN-0042", None)
PACS = HostPort("pacs.example", 443)


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
    assert "ended 1 sessions, 1 invitations, 1 links and every access token" in process.stderr
    again = open_again(restored)
    assert practice.describe(again) == withdrawn
    with pytest.raises(NotFoundError):
        do(again, practice.clinic, data_subject_rights.export_patient, PATIENT)
    assert (
        callers.authenticate_secret(again, practice.clinic.client, practice.clinic.secret) is None
    )
    assert "MRN" not in settings.ledger_file.read_text()
    assert settings.ledger_file.stat().st_mode & 0o777 == 0o600


class LaterActs:
    """Acts after a backup that take a right away or give protection, and the question for each.

    `before` and `after` are the answers before the acts and after them.
    """

    def __init__(self, store) -> None:
        self.store, self.owner = store, clinic(store)
        self.other = clinic(store)
        self.dismissed = [self.do(practitioners.add_practitioner, name, name, ["score"]).id
                          for name in ("password", "factor", "identity", "codes")]  # fmt: skip
        self.password, self.factor, self.identity, self.codes = self.dismissed
        for person in (self.password, self.factor, self.codes):
            self.set_password(person, "old")
        (self.code, *_) = self.set_password(self.codes, "old")
        self.do(login_credentials.set_identity, self.identity, "https://idp.example", "old")
        self.do(issuers.update_issuer, self.add_issuer(), terms=self.terms("score", "batches"))
        self.client = self.do(clients.add_client, "Slower", ["score"], 500).id
        self.do(organisations.update_organisation, {"second_approval": True, "retention_years": 9})
        self.do(quotas.update_quotas, {"waiting_rows": 900})
        self.do(allowed_hosts.add_allowed_host, PACS, private=True)
        self.where = DestinationSecrets(address="mllps://ehr.example:443")
        self.destination = self.do(destinations.add_destination, "EHR", "generic-v2", self.where,
                                   follows=False)  # fmt: skip
        self.wrong, screening = (add(store, self.owner, number) for number in ("MRN-7", "MRN-8"))
        self.held = PatientSelector("MRN-8", None)
        self.released = PatientSelector("MRN-9", None)
        self.do(links.add_link, links.LinkRequest(intake("MRN-9").patient, "phq4@1.0.0"))
        new = outbox.NewDelivery(self.destination, screening.id, "result", outbox.SINGLE_LINE)
        self.delivery = self.do(outbox.enqueue_delivery, new).id
        self.batch, self.erased_batch = self.add_batch(), self.add_batch()
        self.rejected = self.request_erasure("MRN-8")
        self.request_erasure("MRN-10")
        add(store, self.owner, "MRN-10")

    def do(self, act, *arguments, **options):
        return do(self.store, self.owner, act, *arguments, **options)

    def set_password(self, person, password_hash):
        new = login_credentials.NewCredentials(person, password_hash, "A" * 32, 0)
        return self.do(login_credentials.set_credentials, person, new)

    def terms(self, *scopes):
        return IssuerTerms(keys=(public_jwk(),), scopes=scopes)

    def add_issuer(self):
        self.issuer = self.do(issuers.add_issuer, "access", f"https://{uuid4()}.example", "here",
                              self.terms("score")).id  # fmt: skip
        return self.issuer

    def add_batch(self):
        batch = batches.NewBatch("score", "phq4@1.0.0", "0", {})
        return self.do(batches.add_batch, batch, [], datetime.now(UTC) + timedelta(days=1)).id

    def request_erasure(self, number):
        request = ErasureRequest(patient=RequestedPatient(reference=number))
        return self.do(approvals.submit_request, request).id

    def act(self) -> None:
        self.do(login_credentials.update_password, self.password, "new")
        self.set_password(self.factor, "new")
        self.do(login_credentials.set_identity, self.identity, "https://idp.example", "new")
        assert self.do(login_credentials.use_second_factor, self.codes, self.code)
        self.do(issuers.update_issuer, self.issuer, terms=self.terms("score"))
        self.do(clients.update_client, self.client, {"requests_per_minute": 5})
        self.do(organisations.update_organisation, {"retention_years": 5})
        self.do(quotas.update_quotas, {"waiting_rows": 50})
        self.do(allowed_hosts.add_allowed_host, PACS, private=False)
        elsewhere = DestinationSecrets(address="mllps://other.example:443")
        self.do(destinations.update_destination, self.destination, {}, elsewhere)
        self.do(outbox.cancel_delivery, self.delivery)
        self.do(batches.cancel_batch, self.batch)
        self.do(data_subject_rights.erase_batch, self.erased_batch)
        wrong = self.do(screenings.find_screening, self.wrong.id)
        self.do(screenings.mark_entered_in_error, wrong, "another patient")
        self.do(legal_holds.place_hold, self.held, "a suit")
        hold = self.do(legal_holds.place_hold, self.released, "a suit")
        self.do(legal_holds.release_hold, hold.id)
        self.do(legal_holds.place_hold, PatientSelector("MRN-99", None), "not stored here")
        kinds = ["erasure"]
        self.do(approvals.decide_request, self.rejected, kinds, is_approved=False)
        self.do(data_subject_rights.erase_patient, PatientSelector("MRN-10", None))
        do(self.store, self.other, organisations.update_organisation, {"second_approval": True})
        do(self.store, self.other, organisations.update_organisation, {"active": False})

    def answer(self, store) -> dict[str, object]:
        """What still holds of each right, and each protection."""
        here = self.owner.organisation

        def read(work):
            limits = clients.find_client(work, self.client).requests_per_minute
            terms = next(
                item.terms for item in issuers.list_issuers(work) if item.id == self.issuer
            )
            codes = [row.used_at for row in work.list_rows(work.select(RecoveryCodeRow).where(
                col(RecoveryCodeRow.practitioner_id) == self.codes))]  # fmt: skip
            sends = destinations.find_destination(work, self.destination)
            screening = screenings.find_screening(work, self.wrong.id)
            own = organisations.find_own_organisation(work)
            return {
                "client_limit": limits,
                "issuer": terms.scopes,
                "unused recovery codes": codes.count(None),
                "retention": own.retention_years,
                "quota": quotas.load_quotas(work.session, here).waiting_rows,
                "private host": AllowedHost(PACS, True) in allowed_hosts.list_allowed_hosts(work),
                "old address": sends.active and sends.address == self.where.address,
                "delivery": outbox.find_delivery(work, self.delivery).state,
                "batch": work.load_row(BatchRow, self.batch).cancelled_at is not None,
                "erased batch": work.count(BatchRow, col(BatchRow.id) == self.erased_batch),
                "in error": screening.state,
                "held": bool(legal_holds.list_holds(work, self.held)),
                "released": bool(legal_holds.list_holds(work, self.released)),
                "requests": len(approvals.list_approvals(work, ["erasure"])),
            }

        return do(store, self.owner, read) | {
            "old passwords": [
                login_credentials.read_password_hash(store, here, person) == "old"
                for person in (self.password, self.factor, self.codes)
            ],
            "old identity": login_credentials.look_up_identity(store, "https://idp.example", "old"),
            "other organisation": [
                (item.active, item.second_approval)
                for item in store_organisations(store)
                if item.id == self.other.organisation
            ],
        }


def store_organisations(store):
    with store.read_all_organisations() as session:
        return organisations.list_organisations(session)


def test_rights_taken_away_and_protection_given_after_a_backup_hold_after_its_restore(
    store, restore, open_again
):
    acts = LaterActs(store)
    before, kid = acts.answer(store), store.signing_keys.find_current_key().kid
    restore_now = restore(store)
    acts.act()
    after = acts.answer(store)
    assert [question for question in before if before[question] == after[question]] == ["released"]
    again = open_again(restore_now(), may_be_unsettled=True)
    assert acts.answer(again) == before
    counts = apply_ledger(again)
    assert (counts["login"], counts["placed_hold_without_patient"]) == (2, 1)
    assert acts.answer(again) == after
    end_all_access(again)
    assert [key.kid != kid for key in again.signing_keys.list_published_keys()] == [True]
    entries = again.ledger.read().withdrawals.values()
    Practice(again).withdraw_everything(again)
    kinds = {entry.kind for entry in again.ledger.read().withdrawals.values()}
    assert kinds == ACTS.keys()
    assert "MRN" not in "".join(target for entry in entries for target in entry.targets)


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
        for path, methods in read_contract()["paths"].items()
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
