"""`nociscreen doctor` says what is at fault and what to do, and changes nothing."""

from importlib.metadata import version

import pytest
from support.builders import build_store_settings, copy_empty_store
from support.commands import run_command


def test_the_release_is_printed(tmp_path):
    process = run_command(build_store_settings(tmp_path), "--version")
    assert (process.returncode, process.stdout) == (0, f"nociscreen {version('nociscreen')}\n")


def test_a_complete_deployment_has_no_fault(tmp_path):
    process = run_command(copy_empty_store(tmp_path), "doctor", "--offline")
    assert process.returncode == 0, process.stdout
    lines = process.stdout.splitlines()
    checks = {line[8:].partition(":")[0] for line in lines}
    assert checks == {"settings", "database", "clock", "disk", "reports"}
    assert all(line.startswith(("ok", "warning")) for line in lines)


def test_without_a_database_it_says_what_to_do_and_makes_none(tmp_path):
    process = run_command(build_store_settings(tmp_path), "doctor", "--offline")
    assert process.returncode == 1
    assert "fault   database: there is no database at" in process.stdout
    assert "nociscreen serve" in process.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_missing_key_ring_is_a_fault(tmp_path):
    settings = copy_empty_store(tmp_path)
    settings.key_ring_file.unlink()
    process = run_command(settings, "doctor", "--offline")
    assert process.returncode == 1
    assert "fault   database: key ring" in process.stdout
    assert not settings.key_ring_file.exists()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_silent_mail_server_is_a_fault(tmp_path, monkeypatch, tls):
    monkeypatch.setenv("NOCISCREEN_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("NOCISCREEN_SMTP_PORT", "9")
    monkeypatch.setenv("NOCISCREEN_SMTP_TLS", tls)
    monkeypatch.setenv("NOCISCREEN_SMTP_SENDER", "a@clinic.example")
    settings = copy_empty_store(tmp_path)
    variables = {"NOCISCREEN_SMTP_HOST": "127.0.0.1"}
    assert variables
    process = run_command(settings, "doctor")
    assert "mail: the mail server does not answer (unreachable)" in process.stdout
