"""Commands: a place is allowed, a destination made there, and what is due is sent once."""

import json

import keeping
from keeping import do
from receivers import python_hl7
from running import run

from api.store import outbox


def told(kept, *words: object):
    done = run(kept, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def test_a_screening_goes_out_by_commands_alone(kept, store, clinic, tmp_path):
    own = ("--organisation", clinic.organisation)
    screening = keeping.add(store, clinic)
    options = tmp_path / "options.json"
    options.write_text(json.dumps({"document": {"how": "url"}}))
    with python_hl7() as (place, taken):
        name = f"{place.host}:{place.port}"
        words = ("admin", "destination", "add", "EHR", *own, "--profile", "generic-v2",
                 "--address", f"mllp://{name}", "--options", options)  # fmt: skip
        refused = run(kept, *words)
        assert (refused.returncode, "has not allowed" in refused.stderr) == (2, True)
        told(kept, "admin", "place", "allow", name, *own)
        assert "in the house alone" in run(kept, *words).stderr
        told(kept, "admin", "place", "allow", name, *own, "--private")
        allowed = {"host": place.host, "port": place.port, "private": True}
        assert allowed in told(kept, "admin", "place", "list", *own)
        where = told(kept, *words)["id"]
        wanted = outbox.Wanted(where, screening.id, "result", outbox.WHOLE)
        made = do(store, clinic, outbox.enqueue, wanted)
        assert told(kept, "deliver") == {"tries": 1}
        assert told(kept, "deliver") == {"tries": 0}
    assert made.control_id in taken[0]
    (listed,) = told(kept, "admin", "destination", "list", *own)
    assert (listed["waiting"], listed["parked"]) == (0, 0)
    told(kept, "admin", "destination", "change", where, *own, "--inactive")
    told(kept, "admin", "place", "disallow", name, *own)
    assert run(kept, "admin", "place", "allow", "127.1:80", *own).returncode == 2
