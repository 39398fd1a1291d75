"""Scopes: each route opens for its own alone, and what a caller lost is lost at the next call."""

import pytest
from support import builders
from support.builders import do, token
from support.callers import bearing, calling, last_act
from support.guarded_operations import guarded
from support.path_resources import UNKNOWN
from support.sample import IS_SAMPLE

from api.security.scopes import SCOPES
from api.store.accounts import clients, organisations
from api.store.database.tables import ApiKeyRow, ClientRow, ClientSecretRow

GUARDING = [scope for scope in SCOPES if scope != "rulebooks:write"]


def read_reason(body: dict) -> str:
    """The code of an OperationOutcome, or the type of a problem."""
    return body["issue"][0]["code"] if "issue" in body else body["type"]


def api_key(store, clinic, scopes=SCOPES) -> str:
    """An API key of the clinic's client."""
    with store.transaction(clinic.actor) as work:
        _, text = clients.add_api_key(
            work, clinic.client, scopes, work.now.replace(year=work.now.year + 1), test=False
        )
        work.audit("administer")
    return text


@pytest.fixture
def store(kept_service):
    return kept_service.services.store


@pytest.fixture(params=["token", "api_key"])
def credential(request, kept_service, kept_clinic, store):
    """What makes a credential of the clinic's client that carries these scopes."""

    def issue_token(scopes=SCOPES) -> str:
        if request.param == "token":
            return token(store, kept_service.services.access_tokens, kept_clinic, scopes)
        return api_key(store, kept_clinic, scopes)

    return issue_token


class TestEveryGuardedRoute:
    def test_refuses_a_caller_without_credentials(self, service, anonymous):
        operations = [(method, path) for method, path, _ in guarded(service)]
        responses = [anonymous.request(method, path) for method, path in operations]
        assert {response.status_code for response in responses} == {401}
        assert {response.headers["www-authenticate"] for response in responses} == {"Bearer"}
        assert [read_reason(response.json()) for response in responses] == [
            "login" if path.startswith("/fhir") else "/problems/missing_token"
            for _, path in operations
        ]

    def test_asks_for_a_known_scope_and_each_scope_but_one_guards_a_route(self, service):
        assert {scope for _, _, scope in guarded(service)} == set(GUARDING)
        assert set(SCOPES) - set(GUARDING) == {"rulebooks:write"}

    @pytest.mark.parametrize("missing", GUARDING)
    def test_refuses_every_scope_but_its_own(self, service, missing):
        clinic = builders.clinic(service.services.store)
        scopes = [scope for scope in SCOPES if scope != missing]
        key = api_key(service.services.store, clinic, scopes)
        responses = [
            caller.request(method, path)
            for caller in (calling(service, clinic, scopes), bearing(service, key))
            for method, path, scope in guarded(service)
            if scope == missing
        ]
        assert {response.status_code for response in responses} == {403}
        assert {response.headers["www-authenticate"] for response in responses} == {
            f'Bearer error="insufficient_scope", scope="{missing}"'
        }

    @pytest.mark.parametrize("scope", SCOPES)
    def test_opens_for_its_own_scope_alone(self, service, clinic, scope):
        """The everyday suite asks only what the scope guards: all others are refused above."""
        caller = calling(service, clinic, [scope])
        operations = [item for item in guarded(service) if not IS_SAMPLE or item[2] == scope]
        responses = {
            (method, path): caller.request(method, path).status_code not in (401, 403)
            for method, path, _ in operations
        }
        assert responses == {(method, path): own == scope for method, path, own in operations}


def read_refusal(caller) -> tuple[int, str]:
    response = caller.get("/v1/organisation")
    assert "www-authenticate" in response.headers
    return response.status_code, response.json()["type"]


class TestWhatACallerLostIsLostAtTheNextCall:
    @pytest.fixture
    def caller(self, kept_service, credential):
        caller = bearing(kept_service, credential())
        assert caller.get("/v1/organisation").status_code == 200
        return caller

    def test_a_scope(self, store, kept_service, kept_clinic, caller):
        do(store, kept_clinic, clients.update_client, kept_clinic.client, {"scopes": ["score"]})
        assert read_refusal(caller) == (403, "/problems/insufficient_scope")
        assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "insufficient_scope")

    def test_being_active(self, store, kept_clinic, caller):
        do(store, kept_clinic, clients.update_client, kept_clinic.client, {"active": False})
        assert read_refusal(caller) == (401, "/problems/invalid_token")

    def test_its_organisation_being_open(self, store, kept_clinic, caller):
        do(store, kept_clinic, organisations.update_organisation, {"active": False})
        assert read_refusal(caller) == (401, "/problems/invalid_token")

    def test_and_given_back_is_there_again(self, store, kept_clinic, caller):
        for active in (False, True):
            do(store, kept_clinic, clients.update_client, kept_clinic.client, {"active": active})
        assert caller.get("/v1/organisation").status_code == 200


def test_a_token_that_names_another_organisation_is_refused(
    kept_service, kept_clinic, other_clinic
):
    moved_clinic = kept_clinic._replace(organisation=other_clinic.organisation)
    assert read_refusal(calling(kept_service, moved_clinic)) == (401, "/problems/invalid_token")


def test_a_client_that_moved_is_refused_with_the_token_it_had(
    kept_service, kept_clinic, other_clinic, store
):
    caller = calling(kept_service, kept_clinic)
    with store.write_all_organisations() as session:
        for table in (ClientSecretRow, ApiKeyRow):
            session.query(table).filter(table.client_id == kept_clinic.client).delete()
        session.query(ClientRow).filter(ClientRow.id == kept_clinic.client).update(
            {"organisation_id": other_clinic.organisation}
        )
    assert read_refusal(caller) == (401, "/problems/invalid_token")


def test_a_token_of_a_client_that_never_was_is_refused(kept_service, kept_clinic):
    unknown_clinic = kept_clinic._replace(client=UNKNOWN["client"])
    assert read_refusal(calling(kept_service, unknown_clinic)) == (401, "/problems/invalid_token")


def test_a_revoked_api_key_is_refused_at_the_next_call(kept_service, kept_clinic, store):
    text = api_key(store, kept_clinic)
    caller = bearing(kept_service, text)
    assert caller.get("/v1/organisation").status_code == 200
    do(store, kept_clinic, clients.revoke_api_key, kept_clinic.client, text[9:25])
    assert read_refusal(caller) == (401, "/problems/invalid_token")


def test_an_api_key_as_a_bearer_is_as_good_and_two_credentials_are_none(
    kept_clinic, kept_anonymous, store
):
    text = api_key(store, kept_clinic)
    bearer = {"Authorization": f"Bearer {text}"}
    assert kept_anonymous.get("/v1/organisation", headers=bearer).status_code == 200
    both = bearer | {"X-API-Key": text}
    assert kept_anonymous.get("/v1/organisation", headers=both).status_code == 401


def test_a_clinic_of_few_scopes_gives_no_more_by_a_token_that_claims_more(kept_service, store):
    little = builders.clinic(store, "Little", ["score"])
    assert read_refusal(calling(kept_service, little)) == (403, "/problems/insufficient_scope")
