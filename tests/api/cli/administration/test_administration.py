"""The commands of those who run the service, typed at the program as a terminal would.

Processes of their own stand in `test_idempotency_route.py` and `test_cli.py`: each takes seconds.
"""

import json
import re

import pyotp
import pytest
from support.browser.practitioners import PASSWORD, token_in, visiting
from support.builders import kept_in, request, tampering
from support.callers import bearing
from support.commands import NOBODY, failed, run, said
from support.path_resources import made, public_jwk
from support.processes import environment

from api.main import create_app


@pytest.fixture
def embedded(tmp_path):
    return kept_in(tmp_path)


def calling(settings, credential):
    """A caller of the service on the same store."""
    app = create_app(settings)
    return app, bearing(app, credential)


def test_an_organisation_is_made_run_and_closed_by_command(settings, tmp_path):
    """One long story, for each command starts a process."""
    assert run(settings, "migrate").returncode == 0
    first = said(settings, "admin", "first", "--test")
    assert set(first) == {"organisation", "client_id"}
    file = settings.database_file.with_name("first-client.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["client_secret"].startswith("nss_")
    again = run(settings, "admin", "first")
    assert (again.returncode, again.stdout) == (0, "")
    assert "already" in again.stderr

    own = said(settings, "admin", "organisation", "add", "Ward", "--retention-years", "10")["id"]
    of = ("--organisation", own)
    client = said(
        settings, "admin", "client", "add", "EHR", *of, "--scope", "score", "--scope", "admin",
        "--scope", "screenings:write", "--scope", "audit:read",
    )  # fmt: skip
    name = client["client_id"]
    assert client["scopes"] == ["score", "screenings:write", "audit:read", "admin"]
    said(settings, "admin", "client", "secret", name, *of)
    assert "Two secrets" in failed(settings, "admin", "client", "secret", name, *of)
    (tmp_path / "jwk.json").write_text(json.dumps(public_jwk()))
    said(settings, "admin", "client", "key", name, tmp_path / "jwk.json", *of)
    key = said(settings, "admin", "client", "api-key", name, *of, "--scope", "admin")
    person = said(settings, "admin", "practitioner", "add", "Dr G", "--reference", "1", *of)
    said(settings, "admin", "practitioner", "change", person["id"], "--inactive", *of)

    app, caller = calling(settings, key["api_key"])
    listed = caller.get("/v1/clients").json()["clients"]
    assert listed == said(settings, "admin", "client", "list", *of)
    assert (len(listed[0]["secrets"]), len(listed[0]["keys"])) == (2, 1)
    (entered,) = caller.get("/v1/practitioners").json()["practitioners"]
    assert (entered["id"], entered["active"]) == (person["id"], False)
    secret = listed[0]["secrets"][0]["id"]
    assert run(settings, "admin", "client", "drop-secret", name, secret, *of).returncode == 0
    assert run(settings, "admin", "client", "revoke-api-key", name, key["id"], *of).returncode == 0
    assert caller.get("/v1/clients").status_code == 401

    token = run(settings, "token", "--client", name, "--scope", "admin").stdout.strip()
    caller = bearing(app, token)
    assert caller.get("/v1/organisation").json()["retention_years"] == 10
    assert caller.get("/v1/audit").status_code == 403
    said(settings, "admin", "organisation", "change", own, "--retention-years", "0", "--test")
    told = caller.get("/v1/organisation").json()
    assert (told["retention_years"], told["test"]) == (None, True)
    said(settings, "admin", "organisation", "change", own, "--closed")
    assert caller.get("/v1/organisation").status_code == 401
    assert "shut out" in failed(settings, "token", "--client", name)
    app.state.store.close()


def test_a_link_is_made_listed_and_revoked_and_forms_say_what_they_are_told(settings, tmp_path):
    own = said(settings, "admin", "organisation", "add", "Links")["id"]
    of = "--organisation", own
    code = tmp_path / "code.svg"
    link = said(settings, "link", "new", "MRN-0042", *of, "--once", "--days", 3, "--qr", code)
    assert (link["kind"], link["patient"]["reference"]) == ("once", "MRN-0042")
    assert "/intake/" in link["url"]
    assert code.read_text().startswith("<svg")
    assert [each["id"] for each in said(settings, "link", "list", *of)["links"]] == [link["id"]]
    assert run(settings, "link", "revoke", link["id"], *of).returncode == 0
    assert said(settings, "link", "list", *of)["links"][0]["state"] == "revoked"
    words = tmp_path / "forms.json"
    words.write_text('{"ask_again_days": 30, "privacy": {"de": "Verschlüsselt."}}')
    assert said(settings, "link", "forms", words, *of)["ask_again_days"] == 30
    assert said(settings, "link", "forms", *of)["privacy"] == {"de": "Verschlüsselt."}
    words.write_text('{"ask_again": 30}')
    assert "ask_again" in failed(settings, "link", "forms", words, *of)
    assert "nociplastic@1.0.0" in failed(settings, "link", "new", "x", *of, "--rulebook", "tarot")
    assert "nothing" in failed(settings, "link", "revoke", link["id"], "--organisation", NOBODY)


def test_a_letterhead_is_set_by_command_and_refused_by_name(settings, tmp_path):
    own = said(settings, "admin", "organisation", "add", "Lettered")["id"]
    logo = tmp_path / "logo.svg"
    logo.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0"/></svg>'
    )
    letters = ("admin", "organisation", "letterhead", own)
    printed = said(
        settings, *letters, "--line", "12 Long Street", "--line", "Vienna", "--logo", logo,
        "--time-zone", "Europe/Vienna", "--locale", "de",
    )  # fmt: skip
    assert printed == {
        "name": "Lettered",
        "address": ["12 Long Street", "Vienna"],
        "time_zone": "Europe/Vienna",
        "language": "de",
        "logo": True,
    }
    assert said(settings, *letters, "--no-logo") == printed | {"logo": False}
    assert "time_zone" in failed(settings, *letters, "--time-zone", "Mars/Olympus")
    logo.write_text("<svg/>")
    assert "logo" in failed(settings, *letters, "--logo", logo)
    assert said(settings, *letters) == printed | {"logo": False}


def test_a_command_for_what_is_not_there_ends_with_2(settings):
    of = ("--organisation", NOBODY)
    for words in (
        ("admin", "client", "list", *of),
        ("admin", "organisation", "change", NOBODY, "--test"),
        ("audit", "verify", *of),
        ("audit", "export", *of),
        ("token", "--client", "c-nobody"),
    ):
        assert failed(settings, *words)


def test_the_audit_is_verified_exported_and_its_end_kept_elsewhere(settings, tmp_path):
    own = said(settings, "admin", "organisation", "add", "Audited")["id"]
    of = ("--organisation", own)
    client = said(settings, "admin", "client", "add", "EHR", *of, "--scope", "screenings:write")
    token = run(settings, "token", "--client", client["client_id"]).stdout.strip()
    app, caller = calling(settings, token)
    kept = made(caller, "/v1/screenings", request())["id"]
    assert "4 rows hold" in run(settings, "audit", "verify", *of).stdout
    lines = run(settings, "audit", "export", *of).stdout.splitlines()
    assert [json.loads(line)["action"] for line in lines][-2:] == ["sign_in", "create"]
    events = run(settings, "audit", "export", *of, "--format", "fhir").stdout.splitlines()
    assert kept in events[3]
    assert "ndjson or fhir" in failed(settings, "audit", "export", *of, "--format", "xml")
    checkpoints = tmp_path / "checkpoints"
    checkpoints.write_text(run(settings, "audit", "checkpoint", *of).stdout)
    verified = run(settings, "audit", "verify", *of, "--checkpoints", checkpoints)
    assert verified.returncode == 0, verified.stdout
    with tampering(app.state.store) as connection:
        connection.exec_driver_sql(
            f"UPDATE audit SET action = 'read' WHERE seq = 4 AND organisation_id = '{own}'"  # noqa: S608
        )
    done = run(settings, "audit", "verify", *of)
    assert done.returncode == 1
    assert f"{own}: row 4: changed" in done.stdout
    app.state.store.close()


def test_keys_are_changed_while_the_service_runs(embedded):
    assert run(embedded, "admin", "first").returncode == 0
    token = run(embedded, "token").stdout.strip()
    app, caller = calling(embedded, token)
    own = caller.get("/v1/organisation").json()["id"]
    here = made(caller, "/v1/screenings", request())["links"]["self"]
    before = caller.get(here).json()
    for words in (("rotate-ring",), ("rotate-data", "--organisation", own), ("rotate-signing",)):
        done = run(embedded, "keys", *words)
        assert done.returncode == 0, done.stderr
        assert ("backups" in done.stderr) == (words == ("rotate-ring",))
        assert caller.get(here).json() == before
    app.state.store.signing_keys.forget()
    assert len(caller.get("/.well-known/jwks.json").json()["keys"]) == 2
    assert run(embedded, "keys", "rotate-signing", "--at-once").returncode == 0
    app.state.store.signing_keys.forget()
    assert caller.get(here).status_code == 401
    assert ":" in run(embedded, "keys", "new").stdout
    assert run(embedded, "audit", "verify").returncode == 0
    app.state.store.close()


def test_a_backup_is_restored_where_no_database_is_and_can_be_read(embedded, tmp_path):
    token = run(embedded, "token", "--minutes", "15").stdout.strip()
    app, caller = calling(embedded, token)
    here = made(caller, "/v1/screenings", request("Canary-7f3a"))["links"]["self"]
    before = caller.get(here).json()
    saved = tmp_path / "saved.db"
    assert run(embedded, "backup", saved).returncode == 0
    assert b"Canary-7f3a" not in saved.read_bytes()
    assert saved.stat().st_mode & 0o777 == 0o600
    assert "exists already" in failed(embedded, "backup", saved)
    assert "move it away" in failed(embedded, "restore", saved)
    app.state.store.close()
    for file in embedded.database_file.parent.glob("nociscreen.db*"):
        file.unlink()
    done = run(embedded, "restore", saved)
    assert done.returncode == 0, done.stderr
    assert "its audit holds" in done.stderr
    app, caller = calling(embedded, token)
    assert caller.get(here).json() == before
    app.state.store.close()


def test_backup_and_restore_are_for_the_embedded_database(settings, tmp_path):
    if settings.database_url is not None:
        for word in ("backup", "restore"):
            assert "pg_dump" in failed(settings, word, tmp_path / "x")


def test_upkeep_is_done_at_once(settings):
    done = run(settings, "upkeep")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_token_is_the_first_clients_who_may_do_everything(embedded):
    done = run(embedded, "token")
    assert done.stdout.count(".") == 2
    app, caller = calling(embedded, done.stdout.strip())
    for path in ("/v1/organisation", "/v1/screenings", "/v1/audit"):
        assert caller.get(path).status_code == 200
    assert "expected scopes" in failed(embedded, "token", "--scope", "root")
    app.state.store.close()


def test_no_command_writes_a_secret_but_the_one_that_makes_it(embedded):
    run(embedded, "admin", "first")
    secret = json.loads(embedded.database_file.with_name("first-client.json").read_text())
    assert secret["client_secret"] not in str(environment(embedded))
    for words in (("admin", "organisation", "list"), ("admin", "client", "list",
                  "--organisation", secret["organisation"])):  # fmt: skip
        assert secret["client_secret"] not in run(embedded, *words).stdout


def test_the_first_practitioner_is_told_where_to_begin_until_somebody_signs_in(embedded):
    told = run(embedded, "admin", "first").stderr
    first = re.search(r"http://127\.0\.0\.1:8000(/invitation/\S+)", told)[1]
    second = re.search(r"8000(/invitation/\S+)", run(embedded, "admin", "first").stderr)[1]
    app = create_app(embedded)
    browser = visiting(app)
    assert browser.get(first).status_code == 404
    page = browser.get(second).text
    totp = re.search(r'class="secret">([A-Z2-7]+)<', page)[1]
    fields = {"name": "first@example.org", "password": PASSWORD, "again": PASSWORD,
              "code": pyotp.TOTP(totp).now(), "token": token_in(page)}  # fmt: skip
    assert browser.post(second, data=fields).status_code == 200
    assert browser.get("/desk").status_code == 200
    assert browser.get("/desk/links/new").status_code == 200
    app.state.store.close()
    assert "invitation" not in run(embedded, "admin", "first").stderr


def test_a_practitioner_is_invited_by_command_and_may_then_work_at_the_desk(settings):
    made = said(settings, "admin", "organisation", "add", "Clinic of invitations")["id"]
    owner = ("--organisation", made)
    who = said(settings, "admin", "practitioner", "add", "Dr New", "--reference", "n", *owner)
    told = said(settings, "admin", "practitioner", "invite", who["id"], *owner)
    assert told["url"].startswith("http://127.0.0.1:8000/invitation/")
    listed = said(settings, "admin", "practitioner", "list", *owner)
    assert listed[0]["scopes"] == ["screenings:read", "screenings:write", "reports:read"]
    assert told["url"].rpartition("/")[2] not in str(listed)
    missing = who["id"].replace(who["id"][-4:], "dead")
    assert "Not found" in failed(settings, "admin", "practitioner", "invite", missing, *owner)
