"""The first organisation, its client and the credentials file: created together or not at all."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.builders import run_concurrently
from support.servers.processes import environment

from api.cli.bootstrap import create_first_client, create_first_invitation, read_first_client_id
from api.security.scopes import SCOPES
from api.store.accounts import callers, organisations, practitioners
from api.store.accounts.organisations import OPERATOR_ACTOR

DYING = """
import os, signal
from api.store.accounts import clients
clients.add_client = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from api.cli import main
main()
"""


@pytest.fixture
def store(own_store):
    return own_store


def list_all_organisations(store):
    with store.read_all_organisations() as session:
        return organisations.list_organisations(session)


def test_a_killed_process_leaves_nothing_and_the_next_start_creates_both(store_settings, store):
    process = subprocess.run(
        [sys.executable, "-c", DYING, "admin", "first"],
        env=environment(store_settings),
        capture_output=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert list_all_organisations(store) == []
    file = store_settings.database_file.with_name("first.json")
    credentials = create_first_client(store, file)
    assert (
        callers.look_up_client(store, credentials["client_id"]).organisation
        == credentials["organisation"]
    )
    assert json.loads(file.read_text()) == credentials
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_first_client_id(file) == credentials["client_id"]
    assert create_first_client(store, file) is None


def test_the_first_practitioner_may_give_every_scope(store_settings, store):
    credentials = create_first_client(store, store_settings.database_file.with_name("first.json"))
    assert create_first_invitation(store, store_settings)
    with store.transaction(
        OPERATOR_ACTOR._replace(organisation=credentials["organisation"])
    ) as work:
        (practitioner,) = practitioners.list_practitioners(work)
        work.audit("list", "practitioner")
    assert practitioner.scopes == SCOPES


def test_nothing_is_created_if_the_file_cannot_be_written(store, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        create_first_client(store, tmp_path / "taken" / "first.json")
    assert list_all_organisations(store) == []


def test_concurrent_starts_create_one_organisation(store, tmp_path):
    results = run_concurrently(
        4, lambda number: create_first_client(store, tmp_path / f"{number}.json")
    )
    assert len([result for result in results if result]) == len(list_all_organisations(store)) == 1


def test_make_serve_takes_its_port_from_the_environment():
    plan = subprocess.run(
        ["make", "--dry-run", "serve"],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PORT": "8080"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nociscreen serve --port 8080\n" in plan.stdout
