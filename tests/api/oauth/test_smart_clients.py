"""SMART by software that was not written here: two clients, and an issuer of a hospital's own."""

import json
import shutil
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest
from support.builders import add, build_store_settings, clinic, do
from support.interop.hospital_issuers import Hospital, Signer, allow_host, running_jwks_server
from support.servers.async_thread import run_aside
from support.servers.processes import serving

from api.outbound.allowlist import HostPort
from api.security.jwk_registration import parse_client_jwk
from api.store.accounts import clients
from api.store.operations.startup import open_store

PEERS = Path(__file__).parents[2] / "support" / "interop" / "smart"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (PEERS / "node_modules" / "oauth4webapi").is_dir(),
    reason="Node.js or its packages are missing: run scripts/smart-checks",
)
RESOURCES = ("QuestionnaireResponse", "Observation", "Binary", "Patient")


class Site:
    """A clinic with a screening, and a store that is closed before it is served."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.settings = build_store_settings(folder)
        self.store = open_store(self.settings)
        self.clinic = clinic(self.store)
        self.screening = add(self.store, self.clinic)

    def serving(self):
        self.store.close()
        return serving(self.settings, port=self.port, NOCISCREEN_PUBLIC_URL=self.address)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def private_jwks(signer: Signer) -> dict:
    metadata = signer.key.export_private(as_dict=True)
    return {"keys": [metadata | {"kid": signer.kid, "alg": signer.algorithm, "key_ops": ["sign"]}]}


def searched(site: Site, **proof) -> int:
    """How many responses cumulus finds after it signed in by discovery."""
    from cumulus_fhir_support import FhirClient  # its import takes as long as a test

    async def read_status() -> int:
        client = FhirClient(
            f"{site.address}/fhir", RESOURCES, smart_client_id=site.clinic.client, **proof
        )
        async with client:
            answer = await client.request("GET", "QuestionnaireResponse")
            return len(answer.json()["entry"])

    return run_aside(read_status())


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_cumulus_signs_in_by_a_key_that_is_registered(site, algorithm):
    signer = Signer(algorithm)
    do(site.store, site.clinic, clients.add_client_key, site.clinic.client, signer.export_jwk())
    with site.serving():
        assert searched(site, smart_jwks=private_jwks(signer)) == 1


def test_cumulus_authenticates_by_a_file_with_the_thumbprint_as_key_id(site):
    signer = Signer("RS384")
    jwk = {name: item for name, item in signer.export_jwk().items() if name != "kid"}
    do(site.store, site.clinic, clients.add_client_key, site.clinic.client, jwk)
    assert parse_client_jwk(jwk)[0].kid == signer.key.thumbprint()
    pem = signer.key.export_to_pem(private_key=True, password=None).decode()
    with site.serving():
        assert searched(site, smart_pem=pem) == 1


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_cumulus_signs_in_by_a_key_that_is_published_and_by_its_successor(site, algorithm):
    old, new = Signer(algorithm, "old"), Signer("ES384", "new")
    with running_jwks_server() as jwks_server:
        jwks_server.keys = [old.export_jwk(), new.export_jwk()]
        allow_host(site.store, site.clinic, jwks_server.host_port)
        do(site.store, site.clinic, clients.set_key_set_url, site.clinic.client, jwks_server.url)
        with site.serving():
            for signer in (old, new):
                assert searched(site, smart_jwks=private_jwks(signer)) == 1
        assert jwks_server.fetch_count == 1


def test_every_claim_of_the_configuration_is_true(site):
    signers = {}
    for algorithm in ("ES256", "ES384", "RS256", "RS384", "RS512"):
        signers[algorithm] = Signer(algorithm, algorithm)
        jwk = signers[algorithm].export_jwk(alg=algorithm)
        do(site.store, site.clinic, clients.add_client_key, site.clinic.client, jwk)
    with site.serving(), httpx2.Client() as http:
        headers = {"Accept": "text/html"}
        answer = http.get(f"{site.address}/fhir/.well-known/smart-configuration", headers=headers)
        assert answer.headers["content-type"] == "application/json"
        metadata = answer.json()
        algorithms = metadata["token_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == sorted(signers)
        for signer in signers.values():
            assert searched(site, smart_jwks=private_jwks(signer)) == 1
        secret = {"client_id": site.clinic.client, "client_secret": site.clinic.secret}
        assert metadata["grant_types_supported"] == ["client_credentials"]
        grant = {"grant_type": "client_credentials"}
        ways = {
            "client_secret_basic": {"data": grant, "auth": tuple(secret.values())},
            "client_secret_post": {"data": grant | secret},
        }
        assert set(metadata["token_endpoint_auth_methods_supported"]) == {"private_key_jwt", *ways}
        for way in ways.values():
            assert http.post(metadata["token_endpoint"], **way).status_code == 200
        for scope in metadata["scopes_supported"]:
            read_status = grant | secret | {"scope": scope}
            token_response = http.post(metadata["token_endpoint"], data=read_status).json()
            assert token_response["scope"] == scope
            assert token_response["expires_in"] <= 300
        assert {"permission-v1", "permission-v2", "client-confidential-asymmetric"} == set(
            metadata["capabilities"]
        )
        assert http.get(metadata["jwks_uri"]).json()["keys"]


@needs_node
@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_oauth4webapi_signs_in_and_reads(site, algorithm):
    signer = Signer(algorithm)
    do(site.store, site.clinic, clients.add_client_key, site.clinic.client, signer.export_jwk())
    (key,) = private_jwks(signer)["keys"]
    del key["key_ops"]
    for path, status in (("Observation", 200), ("RiskAssessment", 403)):
        program_input = {
            "base": f"{site.address}/fhir",
            "client": site.clinic.client,
            "key": key,
            "scope": "system/Observation.rs",
            "path": path,
        }
        with site.serving():
            if status == 200:
                assert run_script("client.mjs", program_input) == {
                    "scope": "system/Observation.rs", "life": 300, "status": 200,
                }  # fmt: skip
            else:
                with pytest.raises(AssertionError, match="insufficient_scope"):
                    run_script("client.mjs", program_input)


def run_script(script: str, program_input: dict) -> dict:
    process = subprocess.run(
        ["node", PEERS / script],
        input=json.dumps(program_input),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout)


@needs_node
def test_tokens_of_oidc_provider_open_what_they_name_in_the_clinic_that_trusts_it(site, tmp_path):
    audience, scope = f"{site.address}/fhir", "system/Observation.rs system/Binary.r"
    command = ["node", str(PEERS / "issuer.mjs"), audience, scope]
    log = tmp_path / "issuer.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
        httpx2.Client() as http,
    ):
        try:
            issuer = process.stdout.readline().strip()
            assert issuer, log.read_text()
            configuration = http.get(f"{issuer}/.well-known/openid-configuration").json()
            read_status = {"grant_type": "client_credentials", "scope": scope}
            token = http.post(
                configuration["token_endpoint"], data=read_status, auth=("ehr", "made-up")
            ).json()["access_token"]
            port = int(issuer.rpartition(":")[2])
            allow_host(site.store, site.clinic, HostPort("127.0.0.1", port))
            Hospital(
                site.store, site.clinic, "access", audience=audience, name=configuration["issuer"],
                key_set_url=configuration["jwks_uri"], scopes=("screenings:read",),
            )  # fmt: skip
            stranger = Site(tmp_path / "stranger")
            headers = {"Authorization": f"Bearer {token}"}
            with site.serving(), stranger.serving():
                answers = [
                    http.request(method, f"{site.address}/fhir/{path}", headers=headers).status_code
                    for method, path in (
                        ("GET", "Observation"),
                        ("GET", f"Binary/{site.screening.id}"),
                        ("POST", "QuestionnaireResponse"),
                    )
                ]
                assert answers == [200, 403, 403]
                response = http.get(f"{stranger.address}/fhir/Observation", headers=headers)
                assert response.status_code == 401
        finally:
            process.stdin.close()
            process.wait(timeout=10)
