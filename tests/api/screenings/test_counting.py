"""Counting what is kept: what was committed, once, and nothing that came to nothing."""

import pytest
from support.browser.practitioners import at_desk, person, send
from support.builders import clinic, fhir_response, kept_in, request
from support.callers import calling, counted
from support.path_resources import made

from api.main import create_app

HERE = "/v1/screenings"
FAILING = """
CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = 'disk_full'; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON screening
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION full();
"""


def test_a_screening_is_counted_once_and_so_is_its_amendment(kept_service, kept_client):
    before = counted(kept_service)
    for _ in range(2):
        first = made(kept_client, HERE, request(), **{"Idempotency-Key": "a"})
    assert counted(kept_service) == before + 1
    made(kept_client, f"{HERE}/{first['id']}/amendments", request())
    assert counted(kept_service) == before + 2
    assert kept_client.post(f"{HERE}?store=false", json=request()).status_code == 200
    assert counted(kept_service) == before + 2


def test_a_screening_is_counted_once_by_whichever_way_it_came(
    kept_service, kept_client, kept_clinic
):
    before = counted(kept_service)
    made(kept_client, "/fhir/QuestionnaireResponse", fhir_response())
    assert counted(kept_service) == before + 1
    desk = at_desk(kept_service, person(kept_service.state.store, kept_clinic))
    asked = "/desk/new?rulebook=phq4"
    answered = {f"q{n}": "n1" for n in range(4)}
    kept = send(desk, asked, asked, reference="MRN-0042", **answered).headers["location"]
    assert counted(kept_service) == before + 2
    assert send(desk, f"{kept}/answers", f"{kept}/answers", **answered).status_code == 303
    assert counted(kept_service) == before + 3


@pytest.fixture
def failing(postgres, migrated, tmp_path):
    """A service whose database takes screenings and then fails to commit them."""
    name = postgres.database(template=migrated)
    postgres.say(FAILING, name)
    service = create_app(kept_in(tmp_path, postgres.url(name)))
    yield service
    service.state.renderer.close()
    service.state.store.close()


def test_what_fails_when_it_is_committed_is_not_counted(failing):
    caller = calling(failing, clinic(failing.state.store))
    response = caller.post(HERE, json=request())
    assert response.status_code == 503
    assert counted(failing) == 0
