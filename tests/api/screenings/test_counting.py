"""The counter of stored screenings counts each committed one once, and no other."""

import pytest
from support.browser.practitioners import (
    add_practitioner_login,
    open_signed_in_browser,
    submit_form,
)
from support.builders import build_store_settings, clinic, fhir_response, request
from support.callers import calling, count_stored_screenings
from support.path_resources import create_resource

from api.main import create_app

HERE = "/v1/screenings"
FAILING = """
CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = 'disk_full'; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON screening
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION full();
"""


def test_a_screening_is_counted_once_and_so_is_its_amendment(kept_service, kept_client):
    before = count_stored_screenings(kept_service)
    for _ in range(2):
        first = create_resource(kept_client, HERE, request(), **{"Idempotency-Key": "a"})
    assert count_stored_screenings(kept_service) == before + 1
    create_resource(kept_client, f"{HERE}/{first['id']}/amendments", request())
    assert count_stored_screenings(kept_service) == before + 2
    assert kept_client.post(f"{HERE}?store=false", json=request()).status_code == 200
    assert count_stored_screenings(kept_service) == before + 2


def test_a_screening_is_counted_once_by_whichever_way_it_came(
    kept_service, kept_client, kept_clinic
):
    before = count_stored_screenings(kept_service)
    create_resource(kept_client, "/fhir/QuestionnaireResponse", fhir_response())
    assert count_stored_screenings(kept_service) == before + 1
    desk = open_signed_in_browser(
        kept_service, add_practitioner_login(kept_service.services.store, kept_clinic)
    )
    form_path = "/desk/new?rulebook=phq4"
    answers = {f"q{n}": "n1" for n in range(4)}
    location = submit_form(desk, form_path, form_path, reference="MRN-0042", **answers).headers[
        "location"
    ]
    assert count_stored_screenings(kept_service) == before + 2
    assert (
        submit_form(
            desk, f"{location}/answers", f"{location}/answers", **answers | {"q0": "n2"}
        ).status_code
        == 303
    )
    assert count_stored_screenings(kept_service) == before + 3


@pytest.fixture
def failing(postgres, migrated, tmp_path):
    """A service whose database takes screenings and then fails to commit them."""
    name = postgres.database(template=migrated)
    postgres.say(FAILING, name)
    service = create_app(build_store_settings(tmp_path, postgres.url(name)))
    yield service
    service.services.renderer.close()
    service.services.store.close()


def test_what_fails_when_it_is_committed_is_not_counted(failing):
    caller = calling(failing, clinic(failing.services.store))
    response = caller.post(HERE, json=request())
    assert response.status_code == 503
    assert count_stored_screenings(failing) == 0
