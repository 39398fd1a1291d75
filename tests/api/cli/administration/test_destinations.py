"""Commands: a place is allowed, a destination made there, and what is due is sent once."""

import json

import pytest
from support import builders
from support.builders import do
from support.interop.mllp_receivers import python_hl7
from support.processes import run

from api.store.deliveries import outbox


def told(kept, *words: object):
    done = run(kept, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def test_a_screening_goes_out_by_commands_alone(kept, store, clinic, tmp_path):
    own = ("--organisation", clinic.organisation)
    screening = builders.add(store, clinic)
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
        wanted = outbox.NewDelivery(where, screening.id, "result", outbox.SINGLE_LINE)
        made = do(store, clinic, outbox.enqueue_delivery, wanted)
        assert told(kept, "deliver") == {"tries": 1}
        assert told(kept, "deliver") == {"tries": 0}
    assert made.control_id in taken[0]
    (listed,) = told(kept, "admin", "destination", "list", *own)
    assert (listed["waiting"], listed["parked"]) == (0, 0)
    told(kept, "admin", "destination", "change", where, *own, "--inactive")
    told(kept, "admin", "place", "disallow", name, *own)
    assert run(kept, "admin", "place", "allow", "127.1:80", *own).returncode == 2


@pytest.mark.parametrize(
    "name", ["https://ehr.example.org", "ehr.example.org:443/../x?y", "ehr.example.org:", "u@h:1"]
)
def test_an_address_is_no_place(kept, clinic, name):
    own = ("--organisation", clinic.organisation)
    before = told(kept, "admin", "place", "list", *own)
    refused = run(kept, "admin", "place", "allow", name, *own)
    assert (refused.returncode, "a host and a port alone" in refused.stderr) == (2, True)
    assert told(kept, "admin", "place", "list", *own) == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [("EHR.example.org", ("ehr.example.org", 443)), ("[2001:DB8::1]:2575", ("2001:db8::1", 2575))],
)
def test_a_host_is_a_place_with_or_without_a_port(kept, clinic, name, expected):
    own = ("--organisation", clinic.organisation)
    allowed = told(kept, "admin", "place", "allow", name, *own)
    assert expected in [(each["host"], each["port"]) for each in allowed]
