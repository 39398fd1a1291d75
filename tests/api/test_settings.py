"""Settings come from arguments, the environment and one TOML file, in this order."""

import pytest
from typer.testing import CliRunner

from api.cli import main
from api.settings import Settings


@pytest.fixture
def settings_file(tmp_path, monkeypatch):
    """Return a function that writes the settings file."""
    file = tmp_path / "nociscreen.toml"
    monkeypatch.setenv("NOCISCREEN_SETTINGS_FILE", str(file))
    return file


def test_a_variable_overrides_the_file_and_the_file_overrides_a_default(settings_file, monkeypatch):
    settings_file.write_text(
        'issuer = "file"\naudience = "file"\ntoken_seconds = 60\ndatabase_url = "postgresql://file"'
    )
    monkeypatch.setenv("NOCISCREEN_ISSUER", "variable")
    monkeypatch.setenv("NOCISCREEN_AUDIENCE", "variable")
    settings = Settings(audience="argument")
    assert settings.token_seconds == 60
    assert (settings.issuer, settings.audience) == ("variable", "argument")
    assert settings.database_url.get_secret_value() == "postgresql://file"
    monkeypatch.setenv("DATABASE_URL", "postgresql://variable")
    assert Settings().database_url.get_secret_value() == "postgresql://variable"
    assert "public_url" not in settings.model_fields_set


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "NOCISCREEN_SETTINGS_FILE: {file}: No such file or directory"),
        ("a = [", "NOCISCREEN_SETTINGS_FILE: {file} is not TOML: "),
        ('key_rings = "x"', "{file}: key_rings is not a setting; did you mean key_ring?"),
        ("[smtp]\nhost = 1", "{file}: smtp is not a setting; did you mean smtp_tls?"),
        ("token_seconds = 5", "{file}: token_seconds: "),
        ("database_url = 5", "{file}: database_url: "),
    ],
)
def test_an_unusable_file_is_refused_by_name(text, message, settings_file, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if text is not None:
        settings_file.write_text(text)
    outcome = CliRunner().invoke(main, ["token"])
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(message.format(file=settings_file))
    assert outcome.stderr.count("\n") == 1


def test_a_fault_of_a_variable_is_not_blamed_on_the_file(settings_file, monkeypatch):
    settings_file.write_text("token_seconds = 60")
    monkeypatch.setenv("NOCISCREEN_TOKEN_SECONDS", "5")
    outcome = CliRunner().invoke(main, ["token"])
    assert outcome.stderr.startswith("NOCISCREEN_TOKEN_SECONDS: ")
