"""Cross-origin requests: public resources from anywhere, the API from configured origins."""

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient
from support.builders import build_store_settings

from api.http.cors import CrossOriginMiddleware
from api.main import create_app

OWN, FOREIGN = "https://app.example", "https://foreign.example"
PUBLIC = ["/fhir/metadata", "/fhir/Questionnaire", "/fhir/Questionnaire/phq4",
          "/fhir/.well-known/smart-configuration", "/.well-known/jwks.json",
          "/.well-known/oauth-authorization-server"]  # fmt: skip
GUARDED = ["/fhir/QuestionnaireResponse", "/fhir/Observation", "/v1/screenings", "/v1/score"]
OTHER = ["/cds-services", "/", "/metrics", "/fhirx", "/v1x"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cors")
    app = create_app(build_store_settings(folder, api_origins=f"{OWN}, https://other.example"))
    yield TestClient(app, base_url="http://127.0.0.1:8000")
    app.services.renderer.close()
    app.services.store.close()


def preflight(client, path: str, origin: str, method: str):
    headers = {"Origin": origin, "Access-Control-Request-Method": method,
               "Access-Control-Request-Headers": "authorization, if-match"}  # fmt: skip
    return client.options(path, headers=headers)


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_of_any_origin_reads_what_is_public(client, path):
    answer = client.get(path, headers={"Origin": FOREIGN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", GUARDED)
def test_a_page_of_a_configured_origin_calls_the_api(client, path):
    preflight_answer = preflight(client, path, OWN, "PUT")
    assert (
        preflight_answer.status_code,
        preflight_answer.headers["access-control-allow-origin"],
    ) == (200, OWN)
    answer = client.get(path, headers={"Origin": OWN})
    assert answer.headers["access-control-allow-origin"] == OWN
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", [*GUARDED, *OTHER])
def test_a_page_of_another_origin_calls_nothing_else(client, path):
    assert "access-control-allow-origin" not in preflight(client, path, FOREIGN, "GET").headers
    answer = client.get(path, headers={"Origin": FOREIGN})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "header", "status"),
    [
        ("GET", "/cds-services", "content-type", 200),
        ("POST", "/cds-services/it", "authorization", 200),
        ("POST", "/cds-services/it", "if-match", 400),
        ("PUT", "/cds-services/it", "authorization", 400),
        ("DELETE", "/v1/it", "if-match", 200),
        ("GET", "/fhir/metadata", "accept", 200),
        ("POST", "/fhir/metadata", "accept", 400),
    ],
)
def test_a_preflight_allows_what_the_paths_below_take(method, path, header, status):
    app = CrossOriginMiddleware(Response(), hooks_origins=OWN, api_origins=OWN)
    headers = {"Origin": OWN, "Access-Control-Request-Method": method}
    answer = TestClient(app).options(
        path, headers=headers | {"Access-Control-Request-Headers": header}
    )
    assert answer.status_code == status
    assert answer.headers["access-control-max-age"] == "600"


def test_the_metadata_names_the_service_as_issuer(client):
    metadata = client.get("/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == "http://127.0.0.1:8000"
    assert metadata == client.get("/fhir/.well-known/smart-configuration").json()
