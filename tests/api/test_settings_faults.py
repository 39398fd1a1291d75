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


class TestFile:
    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NOCISCREEN_SETTINGS_FILE", "nociscreen.toml")
        return tmp_path / "nociscreen.toml"

    def test_settings_come_from_the_file_and_the_environment_has_precedence(
        self, file, monkeypatch
    ):
        file.write_text('token_seconds = 60\nissuer = "a"\ndatabase_file = "x/y.db"\n')
        monkeypatch.setenv("NOCISCREEN_ISSUER", "b")
        settings = Settings()
        assert (settings.token_seconds, settings.issuer) == (60, "b")
        assert str(settings.database_file) == "x/y.db"
        assert Settings(token_seconds=90).token_seconds == 90

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            (None, "nociscreen.toml cannot be read: No such file or directory"),
            ("x = ", "nociscreen.toml is not TOML"),
            ("tokens_seconds = 60", "is not a setting; did you mean token_seconds?"),
            ("token_seconds = 5", "NOCISCREEN_TOKEN_SECONDS: must be 30 or more"),
        ],
    )
    def test_a_faulty_file_is_refused_by_name(self, file, monkeypatch, text, sentence):
        if text is not None:
            file.write_text(text)
        outcome = run(monkeypatch)
        assert (outcome.exit_code, outcome.stdout) == (2, "")
        assert sentence in outcome.stderr
        assert not (file.parent / ".nociscreen").exists()
