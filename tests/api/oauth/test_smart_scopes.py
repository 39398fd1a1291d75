"""SMART scopes: asked for in either version, granted within the client's own, honoured by FHIR."""

import pytest
from support import builders
from support.builders import do, fhir_response
from support.callers import bearing
from support.guarded_operations import guarded
from support.path_resources import UNKNOWN
from support.sample import take_sample

from api.security import smart_scopes
from api.security.smart_scopes import (
    PERMISSION_SCOPES,
    determine_permission,
    expand_scope,
    grant_scopes,
)
from api.store.accounts import clients

PATH = "/v1/oauth/token"
ALL = ("screenings:read", "screenings:write", "reports:read", "audit:read")


def request_token(caller, clinic, scope: str):
    return caller.post(
        PATH,
        data={
            "grant_type": "client_credentials",
            "client_id": clinic.client,
            "client_secret": clinic.secret,
            "scope": scope,
        },
    )


@pytest.mark.parametrize(
    ("scope", "granted_scope"),
    [
        ("system/QuestionnaireResponse.read", "system/QuestionnaireResponse.read"),
        ("system/QuestionnaireResponse.rs", "system/QuestionnaireResponse.rs"),
        ("system/QuestionnaireResponse.crs", "system/QuestionnaireResponse.crs"),
        ("system/QuestionnaireResponse.write", "system/QuestionnaireResponse.cu"),
        ("system/QuestionnaireResponse.cruds", "system/QuestionnaireResponse.crus"),
        ("system/QuestionnaireResponse.*", "system/QuestionnaireResponse.crus"),
        ("system/Binary.read", "system/Binary.r"),
        ("system/Observation.cud", ""),
        ("system/Condition.rs", ""),
        ("system/Observation.sr", ""),
        ("system/Observation.", ""),
        ("system/Observation.rs?category=x", ""),
        ("system/observation.rs", ""),
        ("user/Observation.rs", ""),
        ("patient/Observation.rs", ""),
    ],
)
def test_what_is_asked_is_granted_whole_or_in_part_or_not(scope, granted_scope):
    assert " ".join(grant_scopes([scope], ALL)) == granted_scope


def test_a_scope_for_every_type_becomes_one_for_each_that_the_client_may():
    assert grant_scopes(["system/*.cruds"], ["reports:read"]) == (
        "system/Questionnaire.rs",
        "system/DocumentReference.rs",
        "system/Binary.r",
        "system/Composition.r",
    )


def test_a_client_is_granted_no_more_than_its_own(kept_service, kept_anonymous, kept_clinic):
    store = kept_service.services.store
    do(
        store,
        kept_clinic,
        clients.update_client,
        kept_clinic.client,
        {"scopes": ["screenings:read"]},
    )
    scope = "system/QuestionnaireResponse.crs system/Binary.r system/Condition.read"
    body = request_token(kept_anonymous, kept_clinic, scope).json()
    assert body["scope"] == "system/QuestionnaireResponse.rs"
    refusal = request_token(kept_anonymous, kept_clinic, "system/Binary.r")
    assert (refusal.status_code, refusal.json()["error"]) == (400, "invalid_scope")


def test_both_kinds_of_scope_may_stand_in_one_token(kept_service, kept_anonymous, kept_clinic):
    body = request_token(
        kept_anonymous, kept_clinic, "system/Binary.r score system/Binary.r"
    ).json()
    assert body["scope"] == "score system/Binary.r"
    caller = bearing(kept_service, body["access_token"])
    assert caller.get("/fhir/Observation").status_code == 403
    assert caller.get("/v1/screenings").status_code == 403


def fhir_routes(service) -> list[tuple[str, str]]:
    return [(m.upper(), path) for m, path, _ in guarded(service) if path.startswith("/fhir/")]


def test_every_permission_opens_a_route_and_every_route_asks_for_one(service):
    asked_for = {
        determine_permission(method, path.removeprefix("/fhir/"))
        for method, path in fhir_routes(service)
    }
    assert asked_for == {value for value, scope in PERMISSION_SCOPES.items() if scope}


@pytest.mark.parametrize(
    "permission", [value for value, scope in PERMISSION_SCOPES.items() if scope]
)
def test_a_permission_opens_its_own_routes_alone(service, anonymous, clinic, permission):
    """The everyday suite asks all FHIR routes, and one in ten of the others."""
    answer = request_token(anonymous, clinic, f"system/{permission}")
    caller = bearing(service, answer.json()["access_token"])
    operations = [operation[:2] for operation in guarded(service)]
    other_operations = [
        operation for operation in operations if not operation[1].startswith("/fhir")
    ]
    of_fhir = [operation for operation in operations if operation[1].startswith("/fhir")]
    open_routes = {
        (method.upper(), path)
        for method, path in [*of_fhir, *take_sample(other_operations, 10)]
        if caller.request(method, path).status_code not in (401, 403)
    }
    assert open_routes
    assert open_routes == {
        (method, path)
        for method, path in fhir_routes(service)
        if determine_permission(method, path.removeprefix("/fhir/")) == permission
    }


def test_a_token_of_smart_scopes_creates_reads_and_searches(
    kept_service, kept_anonymous, kept_clinic
):
    body = request_token(kept_anonymous, kept_clinic, "system/QuestionnaireResponse.crs").json()
    caller = bearing(kept_service, body["access_token"])
    response = caller.post("/fhir/QuestionnaireResponse", json=fhir_response())
    assert response.status_code == 201, response.text
    assert caller.get(response.headers["location"]).status_code == 200
    assert len(caller.get("/fhir/QuestionnaireResponse").json()["entry"]) == 1
    assert caller.put(f"/fhir/QuestionnaireResponse/{UNKNOWN['screening']}").status_code == 403


def test_what_the_client_lost_its_smart_scopes_lost(kept_service, kept_anonymous, kept_clinic):
    body = request_token(kept_anonymous, kept_clinic, "system/Observation.rs").json()
    caller = bearing(kept_service, body["access_token"])
    assert caller.get("/fhir/Observation").status_code == 200
    store = kept_service.services.store
    do(store, kept_clinic, clients.update_client, kept_clinic.client, {"scopes": ["score"]})
    assert caller.get("/fhir/Observation").status_code == 403


def test_a_token_is_signed_for_scopes_that_there_are_alone(kept_service, kept_clinic):
    for scope in ("system/Condition.rs", "system/Observation.sr", "root"):
        with pytest.raises(ValueError, match="must be one of score"):
            builders.token(
                kept_service.services.store,
                kept_service.services.access_tokens,
                kept_clinic,
                ["score", scope],
            )
    assert expand_scope("score") == frozenset()
    assert not smart_scopes.is_smart_scope("score")
