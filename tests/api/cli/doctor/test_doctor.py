"""`nociscreen doctor` finds each thing that is wrong, says what to do, and creates nothing."""

import socket
import tomllib
from pathlib import Path

import pytest
from support import builders
from support.commands import run_command
from support.interop.loopback_servers import issue_server_certificate
from support.servers.mail_server import Login, running_mail_server
from typer.testing import CliRunner

from api.cli import main
from api.cli.doctor import installation, records
from api.cli.doctor.installation import check_disks, check_key_ring, check_report, check_settings
from api.cli.doctor.network import check_address, check_mail_server
from api.cli.doctor.records import check_records
from api.outbound.allowlist import HostPort
from api.settings import Settings
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.deliveries import allowed_hosts, destinations
from api.store.deliveries.destinations import DestinationSecrets
from api.store.key_ring import create_key_ring_file
from api.store.operations.startup import open_store

HTTPS = "https://screening.example.org"
ROOT = Path(__file__).parents[4]


def list_files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def examine(check, settings) -> list[tuple[str, str]]:
    """Return the states and lines of a check."""
    return [(result.state, result.format_line()) for result in check(settings)]


@pytest.fixture
def settings(tmp_path):
    return builders.copy_empty_store(tmp_path).model_copy(update={"public_url": HTTPS})


def test_a_sound_deployment_is_ok_and_stays_as_it_is(settings):
    folder = settings.database_file.parent
    before = list_files(folder)
    process = run_command(settings, "doctor")
    assert {line.split()[0] for line in process.stdout.splitlines()} == {"ok"}, process.stdout
    assert process.returncode == 0
    subjects = {line.split(":")[0].split(maxsplit=1)[1] for line in process.stdout.splitlines()}
    assert subjects == {
        "settings", "key ring", "database", "ledger", "clock", "disk", "report", "mail", "address"
    }  # fmt: skip
    assert list_files(folder) == before


def test_in_an_empty_folder_it_warns_and_creates_nothing(tmp_path):
    process = run_command(builders.build_store_settings(tmp_path / "new"), "doctor")
    assert process.returncode == 1
    assert "nociscreen.db is missing; `nociscreen serve` creates it" in process.stdout
    assert "key-ring is missing; `nociscreen serve` creates it" in process.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_failure_ends_with_status_2(settings):
    settings.key_ring_file.unlink()
    process = run_command(settings, "doctor")
    assert process.returncode == 2
    assert "failed   key ring: " in process.stdout
    assert "not examined without a database" in process.stdout


def test_a_key_ring_that_is_damaged_foreign_or_open_to_others_is_named(settings):
    ring = settings.key_ring_file
    text = ring.read_text()
    assert [state for state, _ in examine(check_key_ring, settings)] == ["ok"]
    ring.chmod(0o644)
    ((state, line),) = examine(check_key_ring, settings)
    assert (state, line.endswith(f"(mode 0644): chmod 600 {ring}")) == ("warning", True)
    ring.chmod(0o440)
    assert [state for state, _ in examine(check_key_ring, settings)] == ["ok"]
    ring.unlink()
    create_key_ring_file(ring)
    assert [state for state, _ in examine(check_key_ring, settings)] == ["ok"]
    (state, line), _ = examine(check_records, settings)
    assert (state, "key ring lacks a key" in line) == ("failed", True)
    ring.write_text("no ring")
    ((state, line),) = examine(check_key_ring, settings)
    assert (state, "no ring" in line) == ("failed", False)
    ring.write_text(text)
    assert {state for state, _ in examine(check_records, settings)} == {"ok"}


def test_a_settings_file_that_others_can_read_is_named(tmp_path, monkeypatch):
    file = tmp_path / "nociscreen.toml"
    file.write_text("token_seconds = 60")
    monkeypatch.setenv("NOCISCREEN_SETTINGS_FILE", str(file))
    for mode, state in ((0o644, "warning"), (0o600, "ok")):
        file.chmod(mode)
        assert [result for result, _ in examine(check_settings, Settings())] == [state]


def test_a_ledger_that_is_missing_or_newer_is_named(settings):
    store = open_store(settings)
    clinic = builders.clinic(store)
    older = settings.ledger_file.read_text()
    with store.transaction(OPERATOR_ACTOR._replace(organisation=clinic.organisation)) as work:
        allowed_hosts.delete_allowed_host(work, HostPort("ehr.example", 443))
        work.audit("administer", "allowed_host")
    store.close()
    assert {state for state, _ in examine(check_records, settings)} == {"ok"}
    settings.ledger_file.write_text(older)
    before = list_files(settings.database_file.parent)
    assert ("failed", "withdrawals accept") in [
        (state, "withdrawals accept" if "withdrawals accept" in line else "")
        for state, line in examine(check_records, settings)
    ]
    assert list_files(settings.database_file.parent) == before


def test_each_destination_is_reached_or_said_why_not(settings):
    store = open_store(settings)
    clinic = builders.clinic(store)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # anything that listens
        open_port = listener.getsockname()[1]
        addresses = {"ok": open_port, "closed": 1, "forbidden": 2}
        ids = {}
        with store.transaction(OPERATOR_ACTOR._replace(organisation=clinic.organisation)) as work:
            for name, port in addresses.items():
                secrets = DestinationSecrets(address=f"mllp://127.0.0.1:{port}")
                ids[name] = destinations.add_destination(
                    work, name, "generic-v2", secrets, follows=False
                )
                if name != "forbidden":
                    place = HostPort("127.0.0.1", port)
                    allowed_hosts.add_allowed_host(work, place, private=True)
            work.audit("administer", "destination")
        store.close()
        lines = [line for _, line in examine(check_records, settings) if "destination" in line]
    texts = {line.partition(": 127")[0]: line.partition(": 127")[2] for line in lines}
    assert texts == {
        f"ok       destination {ids['ok']}": f".0.0.1:{open_port} accepts connections",
        f"failed   destination {ids['closed']}": (
            ".0.0.1:1: no connection: check the port and the firewalls"
        ),
        f"failed   destination {ids['forbidden']}": (
            ".0.0.1:2 is not allowed: nociscreen admin allowed-host add 127.0.0.1:2 "
            f"--organisation {clinic.organisation} (with --private inside your network)"
        ),
    }


def test_postgres_is_examined_for_server_role_tables_and_ring(postgres, migrated, tmp_path):
    def states(name: str, role: str = "service") -> dict[str, str]:
        url = postgres.url(name, role)
        results = examine(check_records, builders.build_store_settings(tmp_path, url))
        return {
            line.split(":")[0].split(maxsplit=1)[1]: f"{state} {line}" for state, line in results
        }

    assert "there is no database missing" in states("missing")["database"]
    assert "run `nociscreen migrate`" in states(postgres.database())["database"]
    own = postgres.database(template=migrated)
    assert states(own)["database"].startswith("failed")  # no organisation has keys yet
    open_store(builders.build_store_settings(tmp_path, postgres.url(own))).close()
    sound = states(own)
    assert {name: line.split()[0] for name, line in sound.items()} == {
        "clock": "ok", "database": "ok", "ledger": "warning"
    }  # fmt: skip
    assert "may bypass row-level security" in states(own, "postgres")["database"]
    (tmp_path / "key-ring").unlink()
    create_key_ring_file(tmp_path / "key-ring")
    assert states(own)["database"].startswith("failed")


@pytest.mark.parametrize(
    ("seconds", "state"), [(1.9, "ok"), (-2.1, "warning"), (59.0, "warning"), (61.0, "failed")]
)
def test_a_clock_that_is_off_is_named(seconds, state):
    assert records.judge_clock(seconds).state == state


@pytest.mark.parametrize(
    ("free", "state"),
    [(200 * 1024**2 - 1, "failed"), (200 * 1024**2, "warning"), (2 * 1024**3, "ok")],
)
def test_little_space_is_named(free, state, tmp_path):
    assert installation.judge_space(tmp_path, free).state == state


def test_the_folder_that_will_be_created_is_examined_where_it_will_lie(tmp_path):
    settings = builders.build_store_settings(tmp_path / "a" / "b")
    assert any(str(tmp_path) in line for _, line in examine(check_disks, settings))


def test_a_missing_library_is_named(monkeypatch):
    def fail() -> bytes:
        raise OSError("cannot load library 'libpango'")

    monkeypatch.setattr(installation, "_render_example", fail)
    ((state, line),) = examine(check_report, Settings())
    assert (state, "libpango" in line, "system-libraries" in line) == ("failed", True, True)
    monkeypatch.setattr(installation, "_render_example", lambda: b"%PDF")
    monkeypatch.setattr(installation, "find_library", lambda _: None)
    assert [state for state, _ in examine(check_report, Settings())] == ["warning"]


def test_the_mail_server_is_logged_in_to_and_gets_no_mail(tmp_path):
    context, authority = issue_server_certificate(tmp_path)
    file = tmp_path / "authority.pem"
    file.write_text(authority)
    with running_mail_server(context, "starttls", Login(b"desk", b"right")) as server:

        def check(**more) -> tuple[str, str]:
            server_settings = {"smtp_host": "127.0.0.1", "smtp_sender": "desk@clinic.example"}
            server_settings |= {"smtp_port": server.port, "smtp_user": "desk", "smtp_ca_file": file}
            ((state, line),) = examine(check_mail_server, Settings(**(server_settings | more)))
            return state, line

        assert check(smtp_password="right")[0] == "ok"
        state, line = check(smtp_password="wrong")
        assert (state, "refuses the login" in line, "wrong" in line) == ("failed", True, False)
        assert "certificate is not accepted" in check(smtp_ca_file=None)[1]
        assert "check the port" in check(smtp_port=1)[1]
        assert check(smtp_ca_file=tmp_path / "none.pem")[0] == "failed"
    assert server.arrivals == 0


def test_the_address_is_examined_with_the_host_that_is_listened_on():
    assert [result.state for result in check_address(Settings(public_url=HTTPS), "127.0.0.1")] == [
        "ok"
    ]
    texts = [result.text for result in check_address(Settings(), "0.0.0.0")]  # noqa: S104
    assert len(texts) == 3
    assert "set NOCISCREEN_PUBLIC_URL" in texts[-1]


def test_the_version_is_that_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert CliRunner().invoke(main, ["--version"]).stdout == f"nociscreen {version}\n"
