"""The settings at the desk: each act of an administrator has a page, and each page acts."""

import io
import json
import re
from pathlib import Path

import pytest
import typer.main
from PIL import Image
from support import builders
from support.browser.practitioners import (
    PASSWORD,
    add_practitioner_login,
    follow_to_faults,
    open_browser,
    open_signed_in_browser,
    read_csrf_token,
    submit_form,
)
from support.builders import do
from support.callers import replace_service
from support.path_resources import public_jwk

from api.cli import main
from api.desk.emergency_directory import load_countries
from api.desk.routes import ROUTERS
from api.forms.link_urls import find_link_reach
from api.http.rate_limit import RateLimiter
from api.outbound.allowlist import HostPort
from api.security.scopes import ADMIN_SCOPES, SCOPES
from api.store.accounts import clients, letterheads, organisations, practitioners, sessions
from api.store.database.tables import ScreeningRow
from api.store.deliveries import allowed_hosts, destinations
from api.store.errors import NotFoundError
from api.store.forms import form_settings
from api.store.patients import legal_holds
from schemas.organisations.form_settings import EmergencyNumber, FormSettings

OPENAPI = Path(__file__).parents[3] / "openapi" / "openapi.json"
PRACTICE = "/desk/practice"
OPERATOR = "the operator's: it opens the service to others, or concerns several organisations"
SUBSCRIBER = "the subscriber's: a program manages its own Subscriptions over FHIR"
INTERFACE = "the interface engineer's: the rules are a table as data, checked as a whole"
PAGES_OF_OPERATIONS = {
    "create_subscription": SUBSCRIBER,
    "read_subscription": SUBSCRIBER,
    "read_subscription_status": SUBSCRIBER,
    "delete_subscription": SUBSCRIBER,
    "read_message_rules": INTERFACE,
    "replace_message_rules": INTERFACE,
    "read_organisation": f"GET {PRACTICE}",
    "change_organisation": f"POST {PRACTICE}",
    "read_form_settings": "GET /desk/forms",
    "replace_form_settings": "POST /desk/forms",
    "list_practitioners": f"GET {PRACTICE}/practitioners",
    "add_practitioner": f"POST {PRACTICE}/practitioners",
    "read_practitioner": f"GET {PRACTICE}/practitioners/{{practitioner}}",
    "change_practitioner": f"POST {PRACTICE}/practitioners/{{practitioner}}",
    "invite_practitioner": f"POST {PRACTICE}/practitioners/{{practitioner}}/invitations",
    "list_clients": f"GET {PRACTICE}/programs",
    "add_client": f"POST {PRACTICE}/programs",
    "read_client": f"GET {PRACTICE}/programs/{{client}}",
    "change_client": f"POST {PRACTICE}/programs/{{client}}",
    "add_secret": f"POST {PRACTICE}/programs/{{client}}/secrets",
    "delete_secret": f"POST {PRACTICE}/programs/{{client}}/secrets/{{credential}}/delete",
    "add_key": f"POST {PRACTICE}/programs/{{client}}/keys",
    "delete_key": f"POST {PRACTICE}/programs/{{client}}/keys/{{credential}}/delete",
    "set_key_set": f"POST {PRACTICE}/programs/{{client}}/key-set",
    "delete_key_set": f"POST {PRACTICE}/programs/{{client}}/key-set",
    "add_api_key": f"POST {PRACTICE}/programs/{{client}}/api-keys",
    "revoke_api_key": f"POST {PRACTICE}/programs/{{client}}/api-keys/{{credential}}/delete",
    "list_allowed_hosts": f"GET {PRACTICE}/destinations",
    "list_profiles": f"GET {PRACTICE}/destinations",
    "list_destinations": f"GET {PRACTICE}/destinations",
    "add_destination": f"POST {PRACTICE}/destinations",
    "read_destination": f"GET {PRACTICE}/destinations/{{destination}}",
    "change_destination": f"POST {PRACTICE}/destinations/{{destination}}",
    "delete_destination": f"POST {PRACTICE}/destinations/{{destination}}/delete",
    "add_webhook_secret": f"POST {PRACTICE}/destinations/{{destination}}/webhook-secrets",
    "export_patient": f"POST {PRACTICE}/patient-data/export",
    "erase_patient": f"POST {PRACTICE}/patient-data/erase",
    "erase_patient_by_delete": f"POST {PRACTICE}/patient-data/erase",
    "merge_patients": f"POST {PRACTICE}/patient-data/merge",
    "list_client_approvals": f"GET {PRACTICE}/approvals",
    "list_patient_approvals": f"GET {PRACTICE}/approvals",
    "decide_client_approval": f"POST {PRACTICE}/approvals/{{approval}}",
    "decide_patient_approval": f"POST {PRACTICE}/approvals/{{approval}}",
    "place_hold": f"POST {PRACTICE}/patient-data/holds",
    "release_hold": f"POST {PRACTICE}/patient-data/holds/{{hold}}/release",
}
PAGES_OF_COMMANDS = {
    "first": "the operator's: `serve` does it on a new embedded database",
    "organisation add": OPERATOR,
    "organisation list": OPERATOR,
    "organisation change": f"POST {PRACTICE}",
    "organisation letterhead": f"POST {PRACTICE}",
    "organisation quotas": OPERATOR,
    "client add": f"POST {PRACTICE}/programs",
    "client list": f"GET {PRACTICE}/programs",
    "client change": f"POST {PRACTICE}/programs/{{client}}",
    "client secret": f"POST {PRACTICE}/programs/{{client}}/secrets",
    "client revoke-secret": f"POST {PRACTICE}/programs/{{client}}/secrets/{{credential}}/delete",
    "client key": f"POST {PRACTICE}/programs/{{client}}/keys",
    "client api-key": f"POST {PRACTICE}/programs/{{client}}/api-keys",
    "client revoke-api-key": f"POST {PRACTICE}/programs/{{client}}/api-keys/{{credential}}/delete",
    "practitioner add": f"POST {PRACTICE}/practitioners",
    "practitioner invite": f"POST {PRACTICE}/practitioners/{{practitioner}}/invitations",
    "practitioner list": f"GET {PRACTICE}/practitioners",
    "practitioner change": f"POST {PRACTICE}/practitioners/{{practitioner}}",
    "destination add": f"POST {PRACTICE}/destinations",
    "destination list": f"GET {PRACTICE}/destinations",
    "destination change": f"POST {PRACTICE}/destinations/{{destination}}",
    "allowed-host add": OPERATOR,
    "allowed-host remove": OPERATOR,
    "allowed-host list": f"GET {PRACTICE}/destinations",
    "issuer add": OPERATOR,
    "issuer list": OPERATOR,
    "issuer change": OPERATOR,
    "issuer remove": OPERATOR,
}
PRACTICE_FIELDS = {
    "name": "Harbour Practice", "own_name": "Dr Ada Example", "address": "Quay 1\r\nHamburg",
    "phone": "040 1234567", "time_zone": "Europe/Berlin", "language": "de",
    "retention_years": "10", "patient_languages": "de",
}  # fmt: skip
PAGES = [
    *(
        "",
        "/logo",
        "/numbers",
        "/practitioners",
        "/programs",
        "/destinations",
        "/patient-data",
        "/approvals",
    ),
]


@pytest.fixture
def store(kept_service):
    replace_service(kept_service, rate_limiter=RateLimiter())
    return kept_service.services.store


@pytest.fixture
def administrator(store, kept_clinic):
    return add_practitioner_login(store, kept_clinic, SCOPES)


@pytest.fixture
def desk(kept_service, administrator):
    return open_signed_in_browser(kept_service, administrator)


def submit(desk, path: str, page: str = "", **fields):
    """Submit a form with the token of `page` and the practitioner's own password."""
    return submit_form(desk, page or path, path, **{"current_password": PASSWORD} | fields)


def list_admin_operations() -> set[str]:
    """Return the id of each operation whose token needs a scope of an administrator."""
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    operations = [
        operation
        for methods in document["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict)
    ]
    return {
        operation["operationId"]
        for operation in operations
        if any(
            scope in ADMIN_SCOPES for scope in (operation["security"] or [{}])[0].get("token", ())
        )
    }


def list_admin_commands() -> set[str]:
    """Return each command below `nociscreen admin`."""
    group = typer.main.get_command(main).commands["admin"]
    names = set()
    for name, command in group.commands.items():
        subcommands = getattr(command, "commands", None)
        names |= {f"{name} {sub}" for sub in subcommands} if subcommands else {name}
    return names


class TestEveryActOfAnAdministrator:
    def test_has_a_page_or_a_reason(self):
        routes = {
            f"{method} {route.path}"
            for router in ROUTERS
            for route in router.routes
            for method in getattr(route, "methods", None) or ()
        }
        assert set(PAGES_OF_OPERATIONS) == list_admin_operations()
        assert set(PAGES_OF_COMMANDS) == list_admin_commands()
        pages = {*PAGES_OF_OPERATIONS.values(), *PAGES_OF_COMMANDS.values()}
        assert {page for page in pages if page.startswith(("GET", "POST"))} - routes == set()

    @pytest.mark.parametrize("path", PAGES)
    def test_is_for_administrators_alone(self, kept_service, store, kept_clinic, path):
        other = open_signed_in_browser(kept_service, add_practitioner_login(store, kept_clinic))
        assert other.get(f"{PRACTICE}{path}").status_code == 403
        assert open_browser(kept_service).get(f"{PRACTICE}{path}").status_code == 303
        assert PRACTICE not in other.get("/desk").text


class TestPractice:
    def test_saves_what_patients_and_reports_show(self, store, kept_clinic, desk, administrator):
        before = FormSettings(ask_again_days=30)
        do(store, kept_clinic, form_settings.update_form_settings, before)
        assert submit(desk, PRACTICE, **PRACTICE_FIELDS).status_code == 303
        organisation = do(store, kept_clinic, organisations.find_own_organisation)
        assert (organisation.name, organisation.retention_years) == ("Harbour Practice", 10)
        letterhead = do(
            store,
            kept_clinic,
            lambda work: letterheads.find_letterhead(work.session, work.organisation),
        )
        assert (letterhead.address, letterhead.time_zone) == (
            ("Quay 1", "Hamburg"),
            "Europe/Berlin",
        )
        practitioner = do(store, kept_clinic, practitioners.find_practitioner, administrator.id)
        assert practitioner.name == "Dr Ada Example"
        after = do(store, kept_clinic, form_settings.load_form_settings)
        assert after == FormSettings(
            ask_again_days=30, practice_phone="040 1234567", languages=("de",)
        )

    @pytest.mark.parametrize(
        ("changes", "faulty"),
        [({"name": ""}, "name"), ({"own_name": "x" * 201}, "own_name"),
         ({"address": "a\n" * 6}, "address"), ({"phone": "call us"}, "phone"),
         ({"time_zone": "Mars/Olympus"}, "time_zone"), ({"language": "xx"}, "language"),
         ({"retention_years": "0"}, "retention_years"),
         ({"retention_years": "ten"}, "retention_years"),
         ({"patient_languages": "xx"}, "patient_languages")],
        ids=str,
    )  # fmt: skip
    def test_each_fault_is_named_and_linked(self, store, kept_clinic, desk, changes, faulty):
        answer = submit(desk, PRACTICE, **PRACTICE_FIELDS | changes)
        assert answer.status_code == 422
        assert re.findall(r'<li><a href="#(\w+)">', answer.text) == [faulty]
        assert f'id="{faulty}"' in answer.text
        assert f'id="{faulty}-wrong"' in answer.text
        organisation = do(store, kept_clinic, organisations.find_own_organisation)
        assert organisation.name != PRACTICE_FIELDS["name"]

    def test_a_logo_is_uploaded_shown_and_removed(self, desk):
        image = io.BytesIO()
        Image.new("RGB", (8, 8), "navy").save(image, "PNG")
        logo, token = image.getvalue(), read_csrf_token(desk.get(PRACTICE).text)

        def upload(content, **fields):
            files = {"logo": ("logo.png", content, "image/png")}
            response = desk.post(f"{PRACTICE}/logo", data={"token": token} | fields, files=files)
            return follow_to_faults(desk, response)

        assert upload(logo, token="wrong").status_code == 403
        assert upload(b"GIF89a").status_code == 422
        assert upload(b"\x89PNG" * 2000).status_code == 422
        assert desk.get(f"{PRACTICE}/logo").status_code == 404
        assert upload(logo).status_code == 303
        answer = desk.get(f"{PRACTICE}/logo")
        assert (answer.content, answer.headers["content-type"]) == (logo, "image/png")
        assert upload(b"").status_code == 303
        assert desk.get(f"{PRACTICE}/logo").status_code == 404


class TestNumbers:
    PATH = f"{PRACTICE}/numbers"

    def test_a_suggestion_is_saved_once_it_is_confirmed(self, store, kept_clinic, desk):
        page = desk.get(f"{self.PATH}?country=DE").text
        assert 'value="116 016"' in page
        fields = {"kind0": "emergency", "number0": "112", "suggested0": "yes",
                  "kind1": "violence", "number1": "116 016", "label1": "Hilfetelefon"}  # fmt: skip
        refusal = submit(desk, self.PATH, **fields)
        assert (refusal.status_code, 'href="#confirmed0"' in refusal.text) == (422, True)
        assert submit(desk, self.PATH, **fields, confirmed0="yes").status_code == 303
        saved = do(store, kept_clinic, form_settings.load_form_settings).emergency_numbers
        assert saved == (
            EmergencyNumber(number="112"),
            EmergencyNumber(label="Hilfetelefon", number="116 016", violence=True),
        )

    @pytest.mark.parametrize(
        ("fields", "faulty"),
        [({"number2": "call us"}, "number0"), ({"label4": "Emergency"}, "number0"),
         ({"number0": "112", "kind0": "other"}, "kind0"),
         ({"number0": "112", "label0": "x" * 121}, "label0")],
        ids=str,
    )  # fmt: skip
    def test_each_fault_is_named_and_linked(self, store, kept_clinic, desk, fields, faulty):
        kinds = {f"kind{row}": "emergency" for row in range(8)}
        answer = submit(desk, self.PATH, **kinds | fields)
        assert (answer.status_code, f'href="#{faulty}"' in answer.text) == (422, True)
        assert not do(store, kept_clinic, form_settings.load_form_settings).emergency_numbers

    def test_every_suggestion_has_a_source_and_a_name_in_each_language(self):
        assert len(load_countries()) >= 10
        for country in load_countries().values():
            assert set(country.names) == {"en", "de", "es"}
            assert len(country.suggest_numbers()) == len(country.list_sources())


class TestPractitioners:
    PATH = f"{PRACTICE}/practitioners"

    def test_a_colleague_is_invited_changed_and_deactivated(
        self, kept_service, store, kept_clinic, desk
    ):
        fields = {"name": "Dr New", "reference": "new", "scopes": "screenings:read"}
        refusal = submit(desk, self.PATH, **fields | {"current_password": "wrong"})
        assert (refusal.status_code, "This is not your current password" in refusal.text) == (
            422, True)  # fmt: skip
        created = submit(desk, self.PATH, **fields)
        invitation = re.search(r'value="http://127.0.0.1:8000(/invitation/[^"]+)"', created.text)[1]
        assert "only on this computer" in created.text
        assert open_browser(kept_service).get(invitation).status_code == 200
        assert submit(desk, self.PATH, **fields).status_code == 422
        colleague = do(store, kept_clinic, practitioners.list_practitioners)[-1]
        path = f"{self.PATH}/{colleague.id}"
        again = submit(desk, f"{path}/invitations", path)
        assert "/invitation/" in again.text
        assert open_browser(kept_service).get(invitation).status_code == 404
        change = {"name": "Dr Newer", "scopes": "reports:read", "email": "new@clinic.example"}
        assert submit(desk, path, **change).status_code == 303
        colleague = do(store, kept_clinic, practitioners.find_practitioner, colleague.id)
        assert (colleague.name, colleague.scopes, colleague.active) == (
            "Dr Newer",
            ("reports:read",),
            False,
        )
        assert (colleague.email, colleague.gets_alerts) == ("new@clinic.example", False)

    def test_say_that_no_alert_is_sent_without_a_mail_server(
        self, kept_service, monkeypatch, desk, administrator
    ):
        own_page = f"{self.PATH}/{administrator.id}"
        for path in (self.PATH, own_page):
            assert "No alerts are sent" in desk.get(path).text
        settings = kept_service.services.settings.model_copy(
            update={"smtp_host": "mail.example", "smtp_sender": "us@mail.example"}
        )
        replace_service(kept_service, monkeypatch, settings=settings)
        for path in (self.PATH, own_page):
            assert "No alerts are sent" not in desk.get(path).text

    def test_administrators_cannot_lock_themselves_out(
        self, store, kept_clinic, desk, administrator
    ):
        path = f"{self.PATH}/{administrator.id}"
        refusal = submit(desk, path, name="Dr Ada", scopes="screenings:read", active="yes")
        assert (refusal.status_code, "your own access" in refusal.text) == (422, True)
        colleague = do(store, kept_clinic, practitioners.find_practitioner, administrator.id)
        assert "organisation:admin" in colleague.scopes

    def test_sessions_of_a_colleague_are_ended(self, kept_service, store, kept_clinic, desk):
        login = add_practitioner_login(store, kept_clinic)
        colleague = open_signed_in_browser(kept_service, login)
        path = f"{self.PATH}/{login.id}"
        assert submit(desk, f"{path}/sessions/end", path).status_code == 303
        assert colleague.get("/desk").status_code == 303
        assert do(store, kept_clinic, sessions.count_sessions, login.id) == 0


class TestPrograms:
    PATH = f"{PRACTICE}/programs"

    def test_a_program_gets_and_loses_credentials(self, store, kept_clinic, desk):
        fields = {"name": "EHR", "scopes": "score", "requests_per_minute": "60"}
        assert submit(desk, self.PATH, **fields | {"current_password": ""}).status_code == 422
        path = submit(desk, self.PATH, **fields).headers["location"].partition("?")[0]
        client_id = path.rpartition("/")[2]
        secret = submit(desk, f"{path}/secrets", path)
        assert "You will see it only once" in secret.text
        key = submit(desk, f"{path}/api-keys", path, key_scopes="score", days="30")
        assert "You will see it only once" in key.text
        jwk = json.dumps(public_jwk())
        assert submit(desk, f"{path}/keys", path, jwk="{}").status_code == 422
        assert submit(desk, f"{path}/keys", path, jwk=jwk).status_code == 303
        refusal = submit(desk, f"{path}/key-set", path, key_set_url="https://other.example/keys")
        assert (refusal.status_code, "has not allowed this host" in refusal.text) == (422, True)
        client = do(store, kept_clinic, clients.find_client, client_id)
        assert client.requests_per_minute == 60
        answer = desk.get(path).text
        for kind, credential in (("secrets", client.secrets[0].id),
                                 ("api-keys", client.api_keys[0].id),
                                 ("keys", client.keys[0].kid)):  # fmt: skip
            delete = f"{path}/{kind}/{credential}/delete"
            assert delete in answer
            assert submit(desk, delete, path).status_code == 303
        change = submit(desk, path, name="Old EHR", scopes="score")
        assert change.status_code == 303
        after = do(store, kept_clinic, clients.find_client, client_id)
        assert (after.name, after.active, after.secrets, after.api_keys, after.keys) == (
            "Old EHR", False, (), (), ())  # fmt: skip


class TestDestinations:
    PATH = f"{PRACTICE}/destinations"

    def test_a_receiver_is_added_at_an_allowed_host_changed_and_deleted(
        self, store, kept_clinic, desk
    ):
        fields = {"name": "Hook", "profile": "generic-webhook", "follows": "yes",
                  "address": "https://hook.example/in"}  # fmt: skip
        refusal = submit(desk, self.PATH, **fields)
        assert (refusal.status_code, "has not allowed this host" in refusal.text) == (422, True)
        do(store, kept_clinic, allowed_hosts.add_allowed_host, HostPort("hook.example", 443),
           private=False)  # fmt: skip
        assert submit(desk, self.PATH, **fields, options="{").status_code == 422
        assert submit(desk, self.PATH, **fields | {"name": ""}).status_code == 422
        assert "You will see it only once" in submit(desk, self.PATH, **fields).text
        (destination,) = do(store, kept_clinic, destinations.list_destinations)
        path = f"{self.PATH}/{destination.id}"
        change = fields | {"name": "Hook 2", "options": '{"edition": "full"}', "active": "yes"}
        assert submit(desk, path, **change).status_code == 303
        destination = do(store, kept_clinic, destinations.find_destination, destination.id)
        assert (destination.name, destination.options) == ("Hook 2", {"edition": "full"})
        rotated = submit(desk, f"{path}/webhook-secrets", path)
        assert "You will see it only once" in rotated.text
        assert submit(desk, f"{path}/delete", path).status_code == 303
        with pytest.raises(NotFoundError):
            do(store, kept_clinic, destinations.find_destination, destination.id)


class TestPatientData:
    PATH = f"{PRACTICE}/patient-data"

    def test_a_patient_is_held_exported_merged_and_erased(self, store, kept_clinic, desk):
        builders.add(store, kept_clinic, "MRN-0042", name="Jo Canary")
        patient = {"reference": "MRN-0042"}
        unproved = submit(desk, f"{self.PATH}/export", self.PATH, **patient, current_password="x")
        assert (unproved.status_code, "Canary" in unproved.text) == (422, False)
        exported = submit(desk, f"{self.PATH}/export", self.PATH, **patient)
        assert exported.json()["screenings"][0]["patient"]["reference"] == "MRN-0042"
        assert "MRN" not in exported.headers["content-disposition"]
        hold_answer = submit(
            desk, f"{self.PATH}/holds", self.PATH, **patient, reason="A court case"
        )
        assert hold_answer.status_code == 303
        assert "A court case" in desk.get(self.PATH).text
        erase = f"{self.PATH}/erase"
        refusal = submit(desk, erase, self.PATH, **patient, sure="yes")
        assert (refusal.status_code, "legal hold" in refusal.text) == (422, True)
        (hold,) = do(store, kept_clinic, legal_holds.list_holds)
        assert submit(desk, f"{self.PATH}/holds/{hold.id}/release", self.PATH).status_code == 303
        merge = submit(desk, f"{self.PATH}/merge", self.PATH, **patient, survivor="MRN-0043")
        assert merge.headers["location"].endswith("?notice=merged")
        unknown = submit(desk, erase, self.PATH, reference="MRN-0999", sure="yes")
        assert "Nothing is stored under this number" in unknown.text
        survivor = {"reference": "MRN-0043"}
        assert submit(desk, erase, self.PATH, **survivor).status_code == 422
        assert submit(desk, erase, self.PATH, **survivor, sure="yes").status_code == 303

    def test_an_erasure_waits_for_a_colleague_where_the_practice_requires_one(
        self, kept_service, store, kept_clinic, desk
    ):
        assert submit(desk, PRACTICE, **PRACTICE_FIELDS, second_approval="yes").status_code == 303
        assert "Only the operator of the service can end this" in desk.get(PRACTICE).text
        builders.add(store, kept_clinic, "MRN-0042")
        approvals = f"{PRACTICE}/approvals"
        erasure = submit(desk, f"{self.PATH}/erase", self.PATH, reference="MRN-0042", sure="yes")
        assert erasure.headers["location"] == f"{approvals}?notice=requested"
        own_page = desk.get(approvals).text
        assert ("MRN-0042" in own_page, "Approve</button>" in own_page) == (True, False)
        (path,) = re.findall(rf'action="({approvals}/[^"]+)"', own_page)
        refusal = submit(desk, path, approvals, decision="approve")
        assert (refusal.status_code, "it is your own" in refusal.text) == (422, True)
        login = add_practitioner_login(store, kept_clinic, ["patients:admin"])
        colleague = open_signed_in_browser(kept_service, login)
        assert "Approve</button>" in colleague.get(approvals).text
        unproved = submit(colleague, path, approvals, decision="approve", current_password="x")
        assert unproved.status_code == 422
        approval = submit(colleague, path, approvals, decision="approve")
        assert approval.headers["location"] == f"{approvals}?notice=approved"
        assert do(store, kept_clinic, lambda work: work.count(ScreeningRow)) == 0


class TestWhatAnAdministratorLacks:
    def test_is_neither_offered_nor_given_and_only_own_pages_are_linked(
        self, kept_service, store, kept_clinic
    ):
        login = add_practitioner_login(store, kept_clinic, ["score", "clients:admin"])
        desk = open_signed_in_browser(kept_service, login)
        page = desk.get(f"{PRACTICE}/programs").text
        assert 'value="screenings:read"' not in page
        assert f'href="{PRACTICE}/patient-data"' not in page
        assert f'href="{PRACTICE}/programs"' in desk.get("/desk/account").text
        assert desk.get(f"{PRACTICE}/patient-data").status_code == 403
        fields = {"name": "EHR", "scopes": ["score", "screenings:read"]}
        refusal = submit(desk, f"{PRACTICE}/programs", **fields)
        assert (refusal.status_code, "permissions that you have" in refusal.text) == (422, True)
        fields = {"name": "EHR", "scopes": "score", "requests_per_minute": "999999"}
        refusal = submit(desk, f"{PRACTICE}/programs", **fields)
        assert (refusal.status_code, "more than your own limit" in refusal.text) == (422, True)
        path = f"{PRACTICE}/programs/{kept_clinic.client}"
        assert submit(desk, f"{path}/secrets", path).status_code == 403


@pytest.mark.parametrize(
    ("url", "reach"),
    [("http://127.0.0.1:8000", "loopback"), ("http://localhost", "loopback"),
     ("https://[::1]:8443", "loopback"), ("http://192.0.2.7:8000", "unencrypted"),
     ("https://screening.example.org", None)],
    ids=str,
)  # fmt: skip
def test_a_new_link_warns_where_others_cannot_open_it(kept_service, desk, monkeypatch, url, reach):
    assert find_link_reach(url) == reach
    settings = kept_service.services.settings.model_copy(update={"public_url": url})
    cookie = read_cookies(desk, url)
    replace_service(kept_service, monkeypatch, settings=settings)
    page = desk.get("/desk/links/new", headers={"cookie": cookie}).text
    assert "New link" in page
    assert ("only on this computer" in page) == (reach == "loopback")
    assert ("not encrypted" in page) == (reach == "unencrypted")


def read_cookies(desk, url: str) -> str:
    """Return the session cookie under the name that it has at this URL."""
    prefix = "__Host-" if url.startswith("https") else ""
    return f"{prefix}nociscreen_session={desk.cookies['nociscreen_session']}"
