"""Backup, restore and verification by command, as the roles that the documents name."""

import subprocess
from datetime import date
from pathlib import Path

import pytest
import typer
from sqlalchemy import create_engine, func, inspect, select
from sqlalchemy import table as sqlalchemy_table
from support.builders import add, build_store_settings, clinic, copy_empty_store
from support.commands import run_command
from support.servers.postgres import LOGIN_ROLE, program

from api.cli import main
from api.settings import Settings
from api.store.database.engine import connect_sqlite
from api.store.key_ring import KeyRing, read_key_file
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_store

BACKUP_ROLE = "nociscreen_backup"
WITHOUT_STORE = {
    "score", "report", "batch", "openapi", "import-sample", "keys new", "rulebook check",
    "rulebook release", "doctor", "map schema",
}  # fmt: skip
CREATING = {"serve", "admin first", "demo data"}


def list_leaf_commands(group=None, words=()):
    """Yield the words of each command and what it is."""
    for name, command in (group or typer.main.get_command(main)).commands.items():
        if hasattr(command, "commands"):
            yield from list_leaf_commands(command, (*words, name))
        else:
            yield (*words, name), command


STORE_COMMANDS = [
    (words, command)
    for words, command in list_leaf_commands()
    if " ".join(words) not in WITHOUT_STORE | CREATING
]


def type_words(command, file):
    """Return the fewest words that must be typed: a value for each required parameter."""
    typed_words = []
    for parameter in command.params:
        if parameter.required:
            kind = parameter.type_descriptor.annotation
            word = {Path: str(file), int: "1", date: "2026-11-20"}.get(kind, "x")
            option = parameter.opts[0]
            typed_words += [option, word] if option.startswith("-") else [word]
    return typed_words


def read_tree(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def file(tmp_path_factory):
    """A file that a command can take."""
    path = tmp_path_factory.mktemp("input") / "file.json"
    path.write_text("{}")
    return path


@pytest.mark.parametrize(
    ("words", "command"), STORE_COMMANDS, ids=[" ".join(words) for words, _ in STORE_COMMANDS]
)
def test_a_command_refuses_a_folder_without_a_database_and_leaves_it_empty(
    words, command, file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.delenv("DATABASE_URL")
    process = run_command(build_store_settings(tmp_path), *words, *type_words(command, file))
    assert (process.returncode, process.stdout) == (2, "")
    assert read_tree(tmp_path) == {}
    assert "Usage" not in process.stderr


@pytest.mark.parametrize(
    ("words", "command"), STORE_COMMANDS, ids=[" ".join(words) for words, _ in STORE_COMMANDS]
)
def test_a_command_says_in_one_line_that_the_tables_are_of_no_release(
    words, command, file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    settings = copy_empty_store(tmp_path)
    ring = KeyRing(lambda: read_key_file(settings.key_ring_file))
    connection = connect_sqlite(settings.database_file, load_file_key(settings.database_file, ring))
    connection.execute("DELETE FROM alembic_version")
    connection.close()
    process = run_command(settings, *words, *type_words(command, file))
    assert (process.returncode, process.stdout) == (2, "")
    assert len(process.stderr.splitlines()) == 1 or words[0] == "keys"


def test_a_missing_ring_is_not_replaced_by_a_restore(tmp_path):
    settings = copy_empty_store(tmp_path / "a")
    assert run_command(settings, "backup", tmp_path / "b.db").returncode == 0
    target = build_store_settings(tmp_path / "c")
    process = run_command(target, "restore", tmp_path / "b.db")
    assert process.returncode == 2
    assert "key ring" in process.stderr
    assert not (tmp_path / "c").exists()


def test_migrate_check_changes_nothing_and_says_what_is_outdated(tmp_path, postgres):
    settings = copy_empty_store(tmp_path)
    before = settings.database_file.read_bytes()
    process = run_command(settings, "migrate", "--check")
    assert (process.returncode, process.stderr) == (0, "the database schema is up to date\n")
    assert settings.database_file.read_bytes() == before
    outdated = build_store_settings(tmp_path / "p", postgres.url(postgres.database()))
    process = run_command(outdated, "migrate", "--check")
    assert process.returncode == 1
    assert "the database schema is empty, and this release needs 00" in process.stderr
    name = outdated.database_url.get_secret_value().rpartition("/")[2]
    assert postgres.say("SELECT to_regclass('screening')", name) == ""
    process = run_command(outdated, "audit", "verify")
    assert (process.returncode, process.stdout) == (2, "")
    assert "run `nociscreen migrate`" in process.stderr


def test_a_verification_fails_where_an_organisation_is_missing(tmp_path):
    settings = copy_empty_store(tmp_path)
    process = run_command(settings, "audit", "verify")
    assert (process.returncode, process.stdout.splitlines()[0]) == (
        1, "there is no organisation: nothing of a practice is stored here",
    )  # fmt: skip
    backup = tmp_path / "early.db"
    assert run_command(settings, "backup", backup).returncode == 0
    organisation = run_command(settings, "admin", "organisation", "add", "Ward").stdout
    checkpoints = tmp_path / "checkpoints"
    checkpoints.write_text(run_command(settings, "audit", "checkpoint").stdout)
    assert run_command(settings, "audit", "verify").returncode == 0
    for path in tmp_path.glob("nociscreen.db*"):
        path.unlink()
    assert run_command(settings, "restore", backup).returncode == 0
    process = run_command(settings, "audit", "verify", "--checkpoints", checkpoints)
    assert process.returncode == 1
    assert "the organisation is missing" in process.stdout
    assert process.stdout.splitlines()[1].partition(":")[0] in organisation


class TestPostgres:
    """As a login role that owns the database and is neither superuser nor BYPASSRLS."""

    @pytest.fixture
    def settings(self, postgres, tmp_path):
        roles = postgres.say("SELECT rolname FROM pg_roles")
        if BACKUP_ROLE not in roles:
            postgres.say(f"CREATE ROLE {BACKUP_ROLE} LOGIN BYPASSRLS PASSWORD 'x'")
            postgres.say(f"GRANT pg_read_all_data TO {BACKUP_ROLE}")
        name = postgres.database()
        return build_store_settings(
            tmp_path, postgres.url(name), backup_database_url=postgres.url(name, BACKUP_ROLE)
        )

    @pytest.fixture
    def filled_settings(self, settings):
        store = open_store(settings)
        for number in range(2):
            owner = clinic(store, f"Clinic {number}")
            for patient in range(4):
                add(store, owner, f"MRN-{patient}")
        store.close()
        return settings

    def replace(self, settings, url, **more) -> Settings:
        return build_store_settings(settings.key_ring_file.parent, url, **more)

    def test_the_drill_restores_every_row_of_every_table(self, filled_settings, postgres, tmp_path):
        file = tmp_path / "n.dump"
        assert run_command(filled_settings, "backup", file).returncode == 0
        assert file.stat().st_mode & 0o777 == 0o600
        counts = count_rows(postgres, filled_settings)
        assert counts["screening"] == 8
        target = self.replace(filled_settings, postgres.url(postgres.database()))
        process = run_command(target, "restore", file)
        assert process.returncode == 0, process.stderr
        restored = count_rows(postgres, target)
        assert restored["signing_key"] == counts["signing_key"] + 1  # which ends all tokens
        changed = {"audit", "audit_head", "signing_key"}  # backup and restore are audited
        assert {name: restored[name] for name in counts.keys() - changed} == {
            name: counts[name] for name in counts.keys() - changed
        }
        process = run_command(target, "audit", "verify")
        assert process.returncode == 0
        assert len(process.stdout.splitlines()) == 3
        assert "not empty" in run_command(target, "restore", file).stderr

    @pytest.mark.parametrize(
        ("role", "sentence"),
        [
            (None, "NOCISCREEN_BACKUP_DATABASE_URL: set the address of a role that sees all rows"),
            (LOGIN_ROLE, f"the role {LOGIN_ROLE} does not see all rows"),
            ("nobody_here", "there is no role nobody_here"),
            ("elsewhere", "names another database than DATABASE_URL"),
        ],
    )
    def test_a_dump_that_would_not_be_whole_is_refused(
        self, filled_settings, postgres, tmp_path, role, sentence
    ):
        name = filled_settings.database_url.get_secret_value().rpartition("/")[2]
        url = None if role is None else postgres.url(name, role)
        if role == "elsewhere":
            other = self.replace(filled_settings, postgres.url(postgres.database()))
            open_store(other).close()
            elsewhere = other.database_url.get_secret_value().rpartition("/")[2]
            url = postgres.url(elsewhere, BACKUP_ROLE)
        settings = self.replace(
            filled_settings, postgres.url(name), **({"backup_database_url": url} if url else {})
        )
        process = run_command(settings, "backup", tmp_path / "n.dump")
        assert process.returncode in {2, 69}
        assert sentence in process.stderr
        assert len(process.stderr.splitlines()) == 1
        assert list(tmp_path.glob("n.dump*")) == []

    def test_a_dump_without_rows_does_not_pass_for_whole(self, filled_settings, postgres, tmp_path):
        file = tmp_path / "empty.dump"
        dump = [program("pg_dump"), "-Fc", "--enable-row-security", "-f", file]
        subprocess.run([*dump, filled_settings.database_url.get_secret_value()], check=True)
        target = self.replace(filled_settings, postgres.url(postgres.database()))
        process = run_command(target, "restore", file)
        assert process.returncode != 0
        assert "holds no organisation" in process.stderr
        name = target.database_url.get_secret_value().rpartition("/")[2]
        assert postgres.say("SELECT to_regclass('screening')", name) == ""
        emptied = self.replace(filled_settings, postgres.url(postgres.database()))
        url = emptied.database_url.get_secret_value()
        subprocess.run([program("pg_restore"), "--no-owner", "-d", url, file], check=True)
        process = run_command(emptied, "audit", "verify")
        assert (process.returncode, process.stdout) == (2, "")
        assert "tables but no rows" in process.stderr

    def test_a_half_restored_database_is_named_in_one_sentence(self, filled_settings, postgres):
        name = filled_settings.database_url.get_secret_value().rpartition("/")[2]
        postgres.say("DROP TABLE alembic_version", name)
        process = run_command(filled_settings, "audit", "verify")
        assert (process.returncode, process.stdout) == (2, "")
        assert "no schema revision" in process.stderr
        assert len(process.stderr.splitlines()) == 1


def count_rows(postgres, settings):
    """Return the number of rows of each table, as the administrator sees them."""
    name = settings.database_url.get_secret_value().rpartition("/")[2]
    engine = create_engine(postgres.url(name, "postgres").replace("://", "+psycopg://"))
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        counts = {
            table: connection.execute(
                select(func.count()).select_from(sqlalchemy_table(table))
            ).scalar_one()
            for table in tables
        }
    engine.dispose()
    return counts
