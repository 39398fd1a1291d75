"""Administration over HTTP. Who may call, and other organisations: test_scopes, test_isolation."""

import pytest
from support.builders import request
from support.callers import bearing, last_act
from support.path_resources import create_resource, public_jwk

from api.security.scopes import SCOPES

CLIENTS = "/v1/clients"
PEOPLE = "/v1/practitioners"


def find_pointer(response, status: int = 422) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    return body["errors"][0]["pointer"] if status == 422 else body["detail"]


@pytest.fixture
def tablet(kept_client) -> str:
    """Create a client of this organisation and return its path."""
    members = {"name": "Tablet", "scopes": ["score", "screenings:read"]}
    return f"{CLIENTS}/{create_resource(kept_client, CLIENTS, members)['id']}"


class TestTheOrganisation:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"name": ""}, "/name"),
            ({"name": "x" * 201}, "/name"),
            ({"test": "yes"}, "/test"),
            ({"retention_years": 0}, "/retention_years"),
            ({"retention_years": 101}, "/retention_years"),
            ({"active": False}, ""),
            ({"id": "system"}, ""),
        ],
    )
    def test_is_changed_in_what_may_change_alone(self, kept_client, change, pointer):
        before = kept_client.get("/v1/organisation").json()
        assert find_pointer(kept_client.patch("/v1/organisation", json=change)) == pointer
        assert kept_client.get("/v1/organisation").json() == before

    def test_omitted_members_stay_and_null_retains_without_limit(self, kept_client):
        def change(**changes):
            return kept_client.patch("/v1/organisation", json=changes).json()

        before = kept_client.get("/v1/organisation").json()
        assert change(retention_years=10) == before | {"retention_years": 10}
        assert change(name="New") == before | {"retention_years": 10, "name": "New"}
        assert change(retention_years=None, name=None)["retention_years"] is None
        assert change() == before | {"name": "New"}

    def test_says_from_the_next_call_on_that_it_is_a_test(self, kept_client):
        here = create_resource(kept_client, "/v1/screenings", request())["links"]["self"]
        assert "TEST" not in kept_client.get(f"{here}/note").text
        kept_client.patch("/v1/organisation", json={"test": True})
        assert "TEST" in kept_client.get(f"{here}/note").text


class TestClients:
    @pytest.mark.parametrize(
        ("members", "pointer"),
        [
            ({"scopes": ["score"]}, "/name"),
            ({"name": "a", "scopes": []}, "/scopes"),
            ({"name": "a", "scopes": ["root"]}, "/scopes/0"),
            ({"name": "a", "scopes": "score"}, "/scopes"),
            ({"name": "a", "scopes": ["score"], "requests_per_minute": 0}, "/requests_per_minute"),
            ({"name": "a", "scopes": ["score"], "id": "c-1"}, ""),
            ({"name": "a", "scopes": ["score"], "organisation": "o-1"}, ""),
        ],
    )
    def test_are_refused_with_the_place_of_the_fault(self, kept_client, members, pointer):
        before = kept_client.get(CLIENTS).json()
        assert find_pointer(kept_client.post(CLIENTS, json=members)) == pointer
        assert kept_client.get(CLIENTS).json() == before

    def test_are_made_found_and_listed_without_any_secret(self, kept_client, kept_clinic):
        members = {"name": "Tablet", "scopes": ["screenings:read", "score"]}
        response = kept_client.post(CLIENTS, json=members)
        created = response.json()
        assert response.headers["location"] == f"{CLIENTS}/{created['id']}"
        assert created["scopes"] == ["score", "screenings:read"]
        assert kept_client.get(response.headers["location"]).json() == created
        client_list = kept_client.get(CLIENTS).json()["clients"]
        assert [listed_client["id"] for listed_client in client_list] == [
            kept_clinic.client,
            created["id"],
        ]
        assert "nss_" not in kept_client.get(CLIENTS).text

    def test_are_changed_in_what_is_named(self, kept_client, tablet):
        before = kept_client.get(tablet).json()
        changed = kept_client.patch(tablet, json={"scopes": ["score"], "requests_per_minute": 5})
        assert changed.json() == before | {"scopes": ["score"], "requests_per_minute": 5}
        back = kept_client.patch(tablet, json={"requests_per_minute": None}).json()
        assert back["requests_per_minute"] is None
        assert find_pointer(kept_client.patch(tablet, json={"scopes": ["root"]})) == "/scopes/0"

    def test_have_a_quota_of_their_own(self, kept_service, kept_client, tablet):
        kept_client.patch(tablet, json={"requests_per_minute": 2})
        key = create_resource(kept_client, f"{tablet}/api-keys", {"scopes": ["screenings:read"]})[
            "text"
        ]
        caller = bearing(kept_service, key)
        answers = [caller.get("/v1/screenings") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert kept_client.get("/v1/screenings").status_code == 200


class TestSecretsAndKeys:
    def test_two_secrets_live_at_once_and_either_may_go(self, kept_client, tablet):
        first, second = (create_resource(kept_client, f"{tablet}/secrets") for _ in range(2))
        assert first["text"] != second["text"]
        assert "two valid secrets" in find_pointer(kept_client.post(f"{tablet}/secrets"), 409)
        deletion = kept_client.delete(f"{tablet}/secrets/{first['id']}")
        assert (deletion.status_code, deletion.content) == (204, b"")
        assert "content-type" not in deletion.headers
        assert kept_client.delete(f"{tablet}/secrets/{first['id']}").status_code == 404
        (left,) = kept_client.get(tablet).json()["secrets"]
        assert left["id"] == second["id"]
        assert "text" not in left

    def test_an_api_key_opens_what_it_may_until_it_is_revoked(
        self, kept_service, kept_client, tablet
    ):
        key = create_resource(kept_client, f"{tablet}/api-keys", {"scopes": ["screenings:read"]})
        caller = bearing(kept_service, key["text"])
        assert caller.get("/v1/screenings").status_code == 200
        assert caller.get("/v1/clients").status_code == 403
        assert kept_client.delete(f"{tablet}/api-keys/{key['id']}").status_code == 204
        assert caller.get("/v1/screenings").status_code == 401
        assert kept_client.get(tablet).json()["api_keys"] == []

    def test_an_api_key_may_do_no_more_than_its_client_and_two_live(self, kept_client, tablet):
        path = f"{tablet}/api-keys"
        assert "among those of its client" in find_pointer(
            kept_client.post(path, json={"scopes": ["admin"]}), 409
        )
        for body in ({"scopes": []}, {"scopes": ["score"], "expires_in_days": 0}):
            find_pointer(kept_client.post(path, json=body))
        for _ in range(2):
            create_resource(kept_client, path, {"scopes": ["score"]})
        response = kept_client.post(path, json={"scopes": ["score"]})
        assert "two valid API keys" in find_pointer(response, 409)

    @pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
    def test_a_public_key_is_registered_once_by_its_name(self, kept_client, tablet, algorithm):
        jwk = public_jwk(algorithm) | {"kid": "2026-11"}
        created = create_resource(kept_client, f"{tablet}/keys", {"jwk": jwk})
        assert created["jwk"]["alg"] == algorithm
        assert "already" in find_pointer(kept_client.post(f"{tablet}/keys", json={"jwk": jwk}), 409)
        assert [key["kid"] for key in kept_client.get(tablet).json()["keys"]] == ["2026-11"]
        assert kept_client.delete(f"{tablet}/keys/2026-11").status_code == 204
        assert kept_client.delete(f"{tablet}/keys/2026-11").status_code == 404

    def test_a_private_key_sent_by_mistake_is_refused_and_not_repeated(self, kept_client, tablet):
        jwk = public_jwk() | {"d": "Canary7f3a"}
        response = kept_client.post(f"{tablet}/keys", json={"jwk": jwk})
        assert find_pointer(response) == "/jwk"
        assert "Canary7f3a" not in response.text
        assert kept_client.get(tablet).json()["keys"] == []


class TestPractitioners:
    def test_are_entered_once_by_their_reference(self, kept_client, kept_service, kept_clinic):
        members = {"reference": "GMC-1", "name": "Dr Grace Example", "scopes": ["reports:read"]}
        created = create_resource(kept_client, PEOPLE, members)
        assert last_act(kept_service, kept_clinic) == (
            "administer", "ok", "practitioner", created["id"],
        )  # fmt: skip
        assert "already" in find_pointer(kept_client.post(PEOPLE, json=members), 409)
        assert kept_client.get(PEOPLE).json()["practitioners"] == [created]
        assert kept_client.get(f"{PEOPLE}/{created['id']}").json() == created

    def test_without_scopes_get_those_of_a_practice_and_never_none(self, kept_client):
        body = {"reference": "1", "name": "Dr G"}
        assert create_resource(kept_client, PEOPLE, body)["scopes"] == [
            "screenings:read", "screenings:write", "reports:read",
        ]  # fmt: skip
        for path, members in ((PEOPLE, body), ("/v1/clients", {"name": "A"})):
            answer = kept_client.post(path, json=members | {"scopes": []})
            assert find_pointer(answer) == "/scopes"
            assert answer.json()["errors"][0]["code"] == "too_few"

    def test_are_changed_in_what_is_named(self, kept_client):
        created = create_resource(kept_client, PEOPLE, {"reference": "1", "name": "Dr G"})
        here = f"{PEOPLE}/{created['id']}"
        changed = kept_client.patch(here, json={"scopes": list(SCOPES[:2]), "active": False})
        assert changed.json() == created | {"scopes": list(SCOPES[:2]), "active": False}
        assert find_pointer(kept_client.patch(here, json={"reference": "2"})) == ""
        assert find_pointer(kept_client.patch(here, json={"scopes": ["root"]})) == "/scopes/0"
