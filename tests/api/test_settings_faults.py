"""Each setting with an unfit value: one sentence of our own with its name, and nothing starts."""

import re

import annotated_types
import pytest
from typer.testing import CliRunner

from api.cli import main
from api.settings import Settings

LIBRARY_TEXT = re.compile(r"Input should|String should|valid |pattern|unable to parse|Field ")
FREE_TEXT = {  # any text is fit until it is used
    "audience", "database_file", "first_client_file", "issuer", "jobs_file", "key_ring",
    "key_ring_file", "organisation", "report_loinc_display", "sms_gateway_file", "smtp_ca_file",
    "smtp_host", "smtp_password", "smtp_user", "trusted_proxies", "withdrawals_file",
    "worker_name", "database_url", "backup_database_url", "oidc_client_id", "oidc_client_secret",
    "oidc_name",
}  # fmt: skip


def run(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(main, ["admin", "first"])


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name not in FREE_TEXT])
def test_an_unfit_value_is_told_in_a_sentence_that_names_the_setting(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    outcome = run(monkeypatch, **{f"NOCISCREEN_{name.upper()}": ";'\n"})
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert f"NOCISCREEN_{name.upper()}: " in outcome.stderr
    assert not LIBRARY_TEXT.search(outcome.stderr)
    assert "is not valid here" not in outcome.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, field in Settings.model_fields.items()
        if any(
            isinstance(rule, (annotated_types.Ge, annotated_types.Gt)) for rule in field.metadata
        )
    ],
)
def test_a_number_below_its_limit_is_told_the_limit(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    outcome = run(monkeypatch, **{f"NOCISCREEN_{name.upper()}": "-1"})
    assert outcome.exit_code == 2
    assert re.search(rf"NOCISCREEN_{name.upper()}: must be .*\d", outcome.stderr)
