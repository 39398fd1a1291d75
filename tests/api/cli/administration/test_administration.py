"""The administration commands, run in this process.

`test_cli.py` runs the program in its own process, which takes seconds.
"""

import json
import re

import pyotp
import pytest
from support.browser.practitioners import PASSWORD, open_browser, read_csrf_token
from support.builders import (
    copy_empty_store,
    request,
    tampering_connection,
)
from support.callers import bearing
from support.commands import (
    UNKNOWN_ORGANISATION,
    run_command,
    run_failing_command,
    run_json_command,
)
from support.path_resources import create_resource, public_jwk
from support.servers.processes import environment, serving

from api.main import create_app
from api.security.scopes import ADMIN_SCOPES


@pytest.fixture
def embedded(tmp_path):
    return copy_empty_store(tmp_path)


def calling(settings, credential):
    """Return the service on the same store, and a caller of it."""
    app = create_app(settings)
    return app, bearing(app, credential)


def test_an_organisation_is_created_and_deactivated_by_command(own_settings, tmp_path):
    settings = own_settings
    assert run_command(settings, "migrate").returncode == 0
    first = run_json_command(settings, "admin", "first", "--test")
    assert set(first) == {"organisation", "client_id"}
    file = settings.database_file.with_name("first-client.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["client_secret"].startswith("nss_")
    again = run_command(settings, "admin", "first")
    assert (again.returncode, again.stdout) == (0, "")
    assert "already" in again.stderr

    own = run_json_command(
        settings, "admin", "organisation", "add", "Ward", "--retention-years", "10"
    )["id"]
    of = ("--organisation", own)
    client = run_json_command(
        settings, "admin", "client", "add", "EHR", *of, "--scope", "score", "--scope", "admin",
        "--scope", "screenings:write", "--scope", "audit:read",
    )  # fmt: skip
    name = client["client_id"]
    assert client["scopes"] == ["score", "screenings:write", "audit:read", *ADMIN_SCOPES]
    run_json_command(settings, "admin", "client", "secret", name, *of)
    assert "two valid secrets" in run_failing_command(
        settings, "admin", "client", "secret", name, *of
    )
    (tmp_path / "jwk.json").write_text(json.dumps(public_jwk()))
    run_json_command(settings, "admin", "client", "key", name, tmp_path / "jwk.json", *of)
    key = run_json_command(settings, "admin", "client", "api-key", name, *of, "--scope", "admin")
    person = run_json_command(
        settings, "admin", "practitioner", "add", "Dr G", "--reference", "1", *of
    )
    assert person["scopes"] == ["screenings:read", "screenings:write", "reports:read"]
    run_json_command(settings, "admin", "practitioner", "change", person["id"], "--inactive", *of)

    app, caller = calling(settings, key["api_key"])
    clients = caller.get("/v1/clients").json()["clients"]
    assert clients == run_json_command(settings, "admin", "client", "list", *of)
    assert (len(clients[0]["secrets"]), len(clients[0]["keys"])) == (2, 1)
    (practitioner,) = caller.get("/v1/practitioners").json()["practitioners"]
    assert (practitioner["id"], practitioner["active"]) == (person["id"], False)
    secret = clients[0]["secrets"][0]["id"]
    assert (
        run_command(settings, "admin", "client", "revoke-secret", name, secret, *of).returncode == 0
    )
    assert (
        run_command(settings, "admin", "client", "revoke-api-key", name, key["id"], *of).returncode
        == 0
    )
    assert caller.get("/v1/clients").status_code == 401

    token = run_command(settings, "token", "--client", name, "--scope", "admin").stdout.strip()
    caller = bearing(app, token)
    assert caller.get("/v1/organisation").json()["retention_years"] == 10
    assert caller.get("/v1/audit").status_code == 403
    run_json_command(
        settings, "admin", "organisation", "change", own, "--retention-years", "0", "--test"
    )
    organisation = caller.get("/v1/organisation").json()
    assert (organisation["retention_years"], organisation["test"]) == (None, True)
    run_json_command(settings, "admin", "organisation", "change", own, "--inactive")
    assert caller.get("/v1/organisation").status_code == 401
    assert "no active client" in run_failing_command(settings, "token", "--client", name)
    app.services.store.close()


def test_links_and_form_settings_are_managed_by_command(settings, tmp_path):
    own = run_json_command(settings, "admin", "organisation", "add", "Links")["id"]
    of = "--organisation", own
    code = tmp_path / "code.svg"
    link = run_json_command(
        settings, "link", "new", "MRN-0042", *of, "--once", "--days", 3, "--qr", code
    )
    assert (link["kind"], link["patient"]["reference"]) == ("once", "MRN-0042")
    assert "/intake/" in link["url"]
    assert code.read_text().startswith("<svg")
    assert [
        listed_link["id"]
        for listed_link in run_json_command(settings, "link", "list", *of)["links"]
    ] == [link["id"]]
    assert run_command(settings, "link", "revoke", link["id"], *of).returncode == 0
    assert run_json_command(settings, "link", "list", *of)["links"][0]["state"] == "revoked"
    words = tmp_path / "forms.json"
    words.write_text('{"ask_again_days": 30, "privacy": {"de": "Verschlüsselt."}}')
    assert run_json_command(settings, "link", "forms", words, *of)["ask_again_days"] == 30
    assert run_json_command(settings, "link", "forms", *of)["privacy"] == {"de": "Verschlüsselt."}
    words.write_text('{"ask_again": 30}')
    assert "ask_again" in run_failing_command(settings, "link", "forms", words, *of)
    assert "nociplastic@2.0.0" in run_failing_command(
        settings, "link", "new", "x", *of, "--rulebook", "tarot"
    )
    assert "does not exist" in run_failing_command(
        settings, "link", "revoke", link["id"], "--organisation", UNKNOWN_ORGANISATION
    )


def test_a_letterhead_is_set_by_command_and_refused_by_name(settings, tmp_path):
    own = run_json_command(settings, "admin", "organisation", "add", "Lettered")["id"]
    logo = tmp_path / "logo.svg"
    logo.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0"/></svg>'
    )
    letters = ("admin", "organisation", "letterhead", own)
    letterhead = run_json_command(
        settings, *letters, "--line", "12 Long Street", "--line", "Vienna", "--logo", logo,
        "--time-zone", "Europe/Vienna", "--locale", "de",
    )  # fmt: skip
    assert letterhead == {
        "name": "Lettered",
        "address": ["12 Long Street", "Vienna"],
        "time_zone": "Europe/Vienna",
        "language": "de",
        "logo": True,
    }
    assert run_json_command(settings, *letters, "--no-logo") == letterhead | {"logo": False}
    assert "time_zone" in run_failing_command(settings, *letters, "--time-zone", "Mars/Olympus")
    logo.write_text("<svg/>")
    assert "logo" in run_failing_command(settings, *letters, "--logo", logo)
    assert run_json_command(settings, *letters) == letterhead | {"logo": False}


def test_quotas_are_set_and_taken_back_by_command(settings):
    own = run_json_command(settings, "admin", "organisation", "add", "Quotas")["id"]
    command = ("admin", "organisation", "quotas", own)
    none = dict.fromkeys(("requests_per_minute", "render_seconds", "batch_bytes", "waiting_rows"))
    assert run_json_command(settings, *command) == none
    options = ("--requests-per-minute", "7", "--batch-bytes", "3000000000000")
    own_quotas = none | {"requests_per_minute": 7, "batch_bytes": 3_000_000_000_000}
    assert run_json_command(settings, *command, *options) == own_quotas
    assert run_json_command(settings, *command) == own_quotas
    assert run_json_command(settings, *command, "--batch-bytes", "0") == none | {
        "requests_per_minute": 7
    }
    assert run_command(settings, *command, "--waiting-rows", "-1").returncode == 2


def test_a_command_for_an_unknown_organisation_ends_with_2(settings):
    of = ("--organisation", UNKNOWN_ORGANISATION)
    for words in (
        ("admin", "client", "list", *of),
        ("admin", "organisation", "change", UNKNOWN_ORGANISATION, "--test"),
        ("admin", "organisation", "quotas", UNKNOWN_ORGANISATION),
        ("audit", "verify", *of),
        ("audit", "export", *of),
        ("token", "--client", "c-unknown"),
    ):
        assert run_failing_command(settings, *words)


@pytest.mark.parametrize("character", ["\x0b", "\x7f", "\u202e", "\ufdd0"], ids=ascii)
def test_a_name_with_a_control_character_is_refused_and_not_repeated(settings, character):
    organisation = run_json_command(settings, "admin", "organisation", "add", "Clinic")["id"]
    name = f"Cl{character}inic"
    for words in (
        ("admin", "organisation", "add", name),
        ("admin", "organisation", "change", organisation, "--name", name),
        (
            "admin",
            "practitioner",
            "add",
            name,
            "--reference",
            "dr1",
            "--organisation",
            organisation,
        ),
    ):
        error = run_failing_command(settings, *words)
        assert error == "name: must not contain control characters\n"


def test_the_audit_is_verified_exported_and_compared_with_checkpoints(settings, tmp_path):
    own = run_json_command(settings, "admin", "organisation", "add", "Audited")["id"]
    of = ("--organisation", own)
    client = run_json_command(
        settings, "admin", "client", "add", "EHR", *of, "--scope", "screenings:write"
    )
    token = run_command(settings, "token", "--client", client["client_id"]).stdout.strip()
    app, caller = calling(settings, token)
    screening_id = create_resource(caller, "/v1/screenings", request())["id"]
    assert "4 rows verified" in run_command(settings, "audit", "verify", *of).stdout
    lines = run_command(settings, "audit", "export", *of).stdout.splitlines()
    assert [json.loads(line)["action"] for line in lines][-2:] == ["sign_in", "create"]
    events = run_command(settings, "audit", "export", *of, "--format", "fhir").stdout.splitlines()
    assert screening_id in events[3]
    assert "ndjson or fhir" in run_failing_command(
        settings, "audit", "export", *of, "--format", "xml"
    )
    checkpoints = tmp_path / "checkpoints"
    checkpoints.write_text(run_command(settings, "audit", "checkpoint", *of).stdout)
    process = run_command(settings, "audit", "verify", *of, "--checkpoints", checkpoints)
    assert process.returncode == 0, process.stdout
    with tampering_connection(app.services.store) as connection:
        connection.exec_driver_sql(
            f"UPDATE audit SET action = 'read' WHERE seq = 4 AND organisation_id = '{own}'"  # noqa: S608
        )
    process = run_command(settings, "audit", "verify", *of)
    assert process.returncode == 1
    assert f"{own}: row 4: changed" in process.stdout
    app.services.store.close()


def test_keys_are_changed_while_the_service_runs(embedded):
    assert run_command(embedded, "admin", "first").returncode == 0
    token = run_command(embedded, "token").stdout.strip()
    app, caller = calling(embedded, token)
    own = caller.get("/v1/organisation").json()["id"]
    here = create_resource(caller, "/v1/screenings", request())["links"]["self"]
    before = caller.get(here).json()
    for words in (("rotate-ring",), ("rotate-data", "--organisation", own), ("rotate-signing",)):
        process = run_command(embedded, "keys", *words)
        assert process.returncode == 0, process.stderr
        assert ("backups" in process.stderr) == (words == ("rotate-ring",))
        assert caller.get(here).json() == before
    app.services.store.signing_keys.invalidate_cache()
    assert len(caller.get("/.well-known/jwks.json").json()["keys"]) == 2
    assert run_command(embedded, "keys", "rotate-signing", "--at-once").returncode == 0
    app.services.store.signing_keys.invalidate_cache()
    assert caller.get(here).status_code == 401
    assert ":" in run_command(embedded, "keys", "new").stdout
    assert run_command(embedded, "audit", "verify").returncode == 0
    app.services.store.close()


def test_a_backup_is_restored_where_no_database_is_and_can_be_read(embedded, tmp_path):
    token = run_command(embedded, "token", "--minutes", "15").stdout.strip()
    app, caller = calling(embedded, token)
    here = create_resource(caller, "/v1/screenings", request("Canary-7f3a"))["links"]["self"]
    before = caller.get(here).json()
    saved = tmp_path / "saved.db"
    assert run_command(embedded, "backup", saved).returncode == 0
    own = ("--organisation", caller.get("/v1/organisation").json()["id"])
    (client,) = run_json_command(embedded, "admin", "client", "list", *own)
    secret = client["secrets"][0]["id"]
    revocation = ("admin", "client", "revoke-secret", client["id"], secret)
    assert run_command(embedded, *revocation, *own).returncode == 0
    assert b"Canary-7f3a" not in saved.read_bytes()
    assert saved.stat().st_mode & 0o777 == 0o600
    assert "already exists" in run_failing_command(embedded, "backup", saved)
    assert "move it away" in run_failing_command(embedded, "restore", saved)
    app.services.store.close()
    for file in embedded.database_file.parent.glob("nociscreen.db*"):
        file.unlink()
    process = run_command(embedded, "restore", saved)
    assert process.returncode == 0, process.stderr
    assert "its audit chains are valid" in process.stderr
    assert "withdrew again: secret 1\nended 0 sessions" in process.stderr
    app, caller = calling(embedded, token)
    assert caller.get(here).json()["type"] == "/problems/invalid_token"
    app.services.store.close()
    app, caller = calling(embedded, run_command(embedded, "token").stdout.strip())
    assert caller.get(here).json() == before
    app.services.store.close()


def test_upkeep_is_done_at_once(settings):
    process = run_command(settings, "upkeep")
    assert (process.returncode, process.stdout) == (0, "")


def test_a_token_belongs_to_the_first_client_and_has_all_scopes(embedded):
    process = run_command(embedded, "token")
    assert process.stdout.count(".") == 2
    app, caller = calling(embedded, process.stdout.strip())
    for path in ("/v1/organisation", "/v1/screenings", "/v1/audit"):
        assert caller.get(path).status_code == 200
    assert "must be one of score" in run_failing_command(embedded, "token", "--scope", "root")
    app.services.store.close()


def test_only_the_command_that_creates_a_secret_prints_it(embedded):
    run_command(embedded, "admin", "first")
    secret = json.loads(embedded.database_file.with_name("first-client.json").read_text())
    assert secret["client_secret"] not in str(environment(embedded))
    for words in (("admin", "organisation", "list"), ("admin", "client", "list",
                  "--organisation", secret["organisation"])):  # fmt: skip
        assert secret["client_secret"] not in run_command(embedded, *words).stdout


def read_invitation(settings) -> str:
    """Start the service; return the path of the invitation that it prints."""
    with serving(settings, NOCISCREEN_PUBLIC_URL=None) as api:
        line = api.process.stdout.readline()
    return re.search(rf"open {api.address}(/invitation/\S+)", line)[1]


def test_serve_alone_prints_the_first_invitation_with_its_own_address(embedded):
    assert "invitation" not in run_command(embedded, "admin", "first").stderr
    first, second = read_invitation(embedded), read_invitation(embedded)
    app = create_app(embedded)
    browser = open_browser(app)
    assert browser.get(first).status_code == 404
    page = browser.get(second).text
    totp = re.search(r'class="secret">([A-Z2-7]+)<', page)[1]
    fields = {"name": "first@example.org", "password": PASSWORD, "password_repeat": PASSWORD,
              "code": pyotp.TOTP(totp).now(), "token": read_csrf_token(page)}  # fmt: skip
    assert browser.post(second, data=fields).status_code == 200
    assert browser.get("/desk").status_code == 200
    assert browser.get("/desk/links/new").status_code == 200
    app.services.store.close()
    with serving(embedded, NOCISCREEN_PUBLIC_URL=None) as api:
        assert api.process.stdout.readline() == f"Sign in at {api.address}/sign-in\n"


def test_a_practitioner_is_invited_by_command_and_may_then_work_at_the_desk(settings):
    organisation = run_json_command(
        settings, "admin", "organisation", "add", "Clinic of invitations"
    )["id"]
    owner = ("--organisation", organisation)
    practitioner = run_json_command(
        settings, "admin", "practitioner", "add", "Dr New", "--reference", "n", *owner
    )
    invitation = run_json_command(
        settings, "admin", "practitioner", "invite", practitioner["id"], *owner
    )
    assert invitation["url"].startswith("http://127.0.0.1:8000/invitation/")
    practitioners = run_json_command(settings, "admin", "practitioner", "list", *owner)
    assert practitioners[0]["scopes"] == ["screenings:read", "screenings:write", "reports:read"]
    assert invitation["url"].rpartition("/")[2] not in str(practitioners)
    missing = practitioner["id"].replace(practitioner["id"][-4:], "dead")
    assert "Not found" in run_failing_command(
        settings, "admin", "practitioner", "invite", missing, *owner
    )
