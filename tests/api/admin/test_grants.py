"""A caller grants only scopes and limits it has, and no credentials of a stronger caller."""

import pytest
from sqlalchemy import update
from sqlmodel import col
from support.builders import do
from support.callers import calling, last_act
from support.path_resources import create_resource, public_jwk

from api.security.scopes import ADMIN_SCOPES, SCOPES
from api.store.accounts import callers, clients, practitioners
from api.store.database.tables import ClientRow

OWN = ("score", "organisation:admin", "clients:admin")
PRACTITIONER = {"reference": "GMC-7", "name": "Dr Ada Example"}


@pytest.fixture
def administrator(kept_service, kept_clinic):
    """A caller whose token has these scopes alone, and whose client has all."""
    return calling(kept_service, kept_clinic, OWN)


@pytest.fixture
def stronger(store, kept_clinic) -> dict[str, str]:
    """A client and a practitioner that may read charts."""
    scopes = ["score", "screenings:read"]
    client = do(store, kept_clinic, clients.add_client, "Charts", scopes)
    colleague = do(store, kept_clinic, practitioners.add_practitioner, "GMC-1", "Dr Grace", scopes)
    return {"client": client.id, "practitioner": colleague.id}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/clients", {"name": "Own", "scopes": ["score", "screenings:read"]}),
        ("POST", "/v1/clients", {"name": "Own", "scopes": ["admin"]}),
        ("PATCH", "/v1/clients/{own}", {"requests_per_minute": 1_000_000}),
        ("PATCH", "/v1/clients/{weak}", {"scopes": ["score", "screenings:read"]}),
        ("POST", "/v1/clients/{client}/secrets", None),
        ("POST", "/v1/clients/{client}/keys", {"jwk": public_jwk()}),
        ("PUT", "/v1/clients/{client}/key-set", {"url": "https://ehr.example/jwks"}),
        ("POST", "/v1/clients/{client}/api-keys", {"scopes": ["screenings:read"]}),
        ("POST", "/v1/practitioners", {**PRACTITIONER, "scopes": ["screenings:read"]}),
        ("POST", "/v1/practitioners", PRACTITIONER),
        ("PATCH", "/v1/practitioners/{practitioner}", {"scopes": list(SCOPES)}),
        ("POST", "/v1/practitioners/{practitioner}/invitations", None),
    ],
)
def test_a_grant_beyond_the_callers_own_is_refused_and_audited(
    kept_service, kept_clinic, administrator, store, stronger, method, path, body
):
    weak = do(store, kept_clinic, clients.add_client, "Weak", ["score"]).id
    address = path.format(own=kept_clinic.client, weak=weak, **stronger)
    before = administrator.get("/v1/clients").json(), administrator.get("/v1/practitioners").json()
    response = administrator.request(method, address, json=body)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/not_grantable")
    assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "not_grantable")
    after = administrator.get("/v1/clients").json(), administrator.get("/v1/practitioners").json()
    assert after == before


def test_what_the_caller_has_it_may_give_and_what_is_there_may_stay(administrator, stronger):
    created = create_resource(administrator, "/v1/clients", {"name": "Own", "scopes": ["score"]})
    here = f"/v1/clients/{created['id']}"
    assert administrator.post(f"{here}/secrets").status_code == 201
    person = create_resource(
        administrator, "/v1/practitioners", PRACTITIONER | {"scopes": ["score"]}
    )
    invited = administrator.post(f"/v1/practitioners/{person['id']}/invitations")
    assert invited.status_code == 201
    there = f"/v1/clients/{stronger['client']}"
    changed = administrator.patch(there, json={"name": "New", "scopes": ["screenings:read"]})
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    key = administrator.post(f"{here}/api-keys", json={"scopes": ["score"]})
    assert key.status_code == 201


@pytest.mark.parametrize(
    ("own", "current", "new_limit", "status"),
    [
        (50, 50, 51, 403),
        (50, 10, 50, 200),
        (50, 90, 90, 200),
        (50, 90, 80, 200),
        (50, 90, 91, 403),
        (50, 50, None, 403),
        (None, 50, None, 200),
        (None, 50, 6000, 200),
        (None, 50, 6001, 403),
    ],
)
def test_no_limit_is_raised_above_the_callers_own(
    kept_service, kept_clinic, store, own, current, new_limit, status
):
    change = {"requests_per_minute": own}
    do(store, kept_clinic, clients.update_client, kept_clinic.client, change)
    other = do(store, kept_clinic, clients.add_client, "Other", ["score"], current)
    caller = calling(kept_service, kept_clinic, OWN)
    response = caller.patch(f"/v1/clients/{other.id}", json={"requests_per_minute": new_limit})
    assert response.status_code == status


def test_a_client_stored_with_admin_has_the_four_scopes_that_replaced_it(
    kept_service, kept_anonymous, kept_clinic, store
):
    with store.write_all_organisations() as session:
        is_own = col(ClientRow.id) == kept_clinic.client
        session.execute(update(ClientRow).where(is_own).values(scopes="score admin"))
    form = {
        "grant_type": "client_credentials",
        "client_id": kept_clinic.client,
        "client_secret": kept_clinic.secret,
        "scope": "admin",
    }
    token = kept_anonymous.post("/v1/oauth/token", data=form).json()
    assert token["scope"] == " ".join(ADMIN_SCOPES)
    caller = calling(kept_service, kept_clinic, ADMIN_SCOPES)
    here = f"/v1/clients/{kept_clinic.client}"
    assert caller.get(here).json()["scopes"] == ["score", *ADMIN_SCOPES]
    assert callers.look_up_client(store, kept_clinic.client).scopes == {"score", *ADMIN_SCOPES}
