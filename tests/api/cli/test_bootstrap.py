"""The first organisation and client: both and the file that tells of them, or none of it."""

import json
import signal
import subprocess
import sys

import pytest
from support.builders import at_once
from support.processes import environment

from api.cli.bootstrap import create_first_client, create_first_invitation, read_first_client_id
from api.store.accounts import callers, organisations, practitioners
from api.store.accounts.organisations import OPERATOR_ACTOR

DYING = """
import os, signal
from api.store import clients
clients.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from api.cli import main
main()
"""


def there(store):
    with store.read_all_organisations() as session:
        return organisations.list_organisations(session)


def test_who_is_killed_in_between_leaves_nothing_and_the_next_start_makes_both(kept, store):
    done = subprocess.run(
        [sys.executable, "-c", DYING, "admin", "first"],
        env=environment(kept),
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert there(store) == []
    file = kept.database_file.with_name("first.json")
    made = create_first_client(store, file)
    assert callers.look_up_client(store, made["client_id"]).organisation == made["organisation"]
    assert json.loads(file.read_text()) == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_first_client_id(file) == made["client_id"]
    assert create_first_client(store, file) is None


def test_the_first_practitioner_may_set_the_numbers_that_patients_call(kept, store):
    made = create_first_client(store, kept.database_file.with_name("first.json"))
    assert create_first_invitation(store, kept)
    with store.transaction(OPERATOR_ACTOR._replace(organisation=made["organisation"])) as work:
        (known,) = practitioners.list_practitioners(work)
        work.audit("list", "practitioner")
    assert {*practitioners.DEFAULT_PRACTITIONER_SCOPES, "admin"} == set(known.scopes)


def test_where_the_file_cannot_be_made_nothing_is(store, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        create_first_client(store, tmp_path / "taken" / "first.json")
    assert there(store) == []


def test_there_is_one_first_however_many_begin_at_once(store, tmp_path):
    made = at_once(4, lambda number: create_first_client(store, tmp_path / f"{number}.json"))
    assert len([each for each in made if each]) == len(there(store)) == 1
